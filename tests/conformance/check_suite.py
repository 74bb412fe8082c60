#!/usr/bin/env python3
"""Run `moka conformance` and hold it to a number of cases.

usage: check_suite.py MOKA DEVICE SUITE REPORT.json AT_LEAST [AT_MOST]

Cases listed in skips/DEVICE.txt (also skips/DEVICE_debian.txt for Debian's suite, skips/DEVICE_newest.txt for others) are known to fail; one of them that passes is an error, as is any other failure.

On the CPU, cases whose floats are all f32 may run the scalar references of what by_reference.txt lists, and no others.

MOKA is a command line: an emulator may stand before the program. Fails when a case fails, when fewer than AT_LEAST pass, when more than AT_MOST of them run a scalar reference, or when the closing line is missing. Prints the skips by reason.
Leaves with 77 (which ctest shows as skipped) where the suite is not there.
"""

import collections
import json
import pathlib
import re
import shlex
import subprocess
import sys

SKIPPED = 77
WITH_F32 = {"f32", "i32", "i64", "bool"}  # types of such a case: indices and masks beside the floats
DEBIAN = "/usr/share/libonnx-testdata/data"


def references_in_f32(cases: list) -> list:
    """Lines "case: kernels" of those that should run in kernels of their own."""
    path = pathlib.Path(__file__).parent / "by_reference.txt"
    lines = [line for line in path.read_text().splitlines() if line and not line.startswith("#")]
    allowed = {line.split(":")[0] for line in lines}
    found = []
    for case in cases:
        if case["verdict"] != "passed" or "f32" not in case["types"] or not WITH_F32.issuperset(case["types"]):
            continue
        slow = {kernel for kernel in case["kernels"] if kernel.startswith("reference/")}
        slow = {kernel for kernel in slow if kernel.split("/")[1] not in allowed}
        if slow and case["name"] not in allowed:
            found.append(f"{case['name']}: {', '.join(sorted(slow))}")
    return found


def main() -> int:
    moka, device, suite, report_path, at_least, *at_most = sys.argv[1:]
    if not pathlib.Path(suite).is_dir():
        print(f"{suite} is missing: see scripts/make_test_data.sh")
        return SKIPPED
    command = [*shlex.split(moka), "conformance", "--device", device, "--suite", suite, "--json", report_path]
    names = [f"{device}.txt", f"{device}_debian.txt" if suite == DEBIAN else f"{device}_newest.txt"]
    known = [path for path in (pathlib.Path(__file__).parent / "skips" / name for name in names) if path.exists()]
    if known:
        skips = pathlib.Path(report_path).with_suffix(".skips.txt")
        skips.write_text("".join(path.read_text() for path in known))
        command += ["--skips", str(skips)]
    run = subprocess.run(command, stdout=subprocess.PIPE, text=True)
    print(run.stdout)
    report = json.loads(pathlib.Path(report_path).read_text())
    reasons = collections.Counter(
        re.sub(r".*(Unsupported|supported|refus)", r"\1", case["reason"])[:100]
        for case in report["cases"]
        if case["verdict"] == "skipped"
    )
    for reason, count in reasons.most_common(25):
        print(f"{count:5} skipped: {reason}")
    closing = run.stdout.strip().splitlines()[-1]
    if not re.fullmatch(r"\d+ passed, \d+ failed, \d+ skipped", closing):
        print("the closing line is missing")
        return 1
    slow = references_in_f32(report["cases"]) if device == "cpu" else []
    if slow:
        print("f32 by scalar reference:", *slow, sep="\n")
        return 1
    if at_most and report["by_reference"] > int(at_most[0]):
        print(f"{report['by_reference']} cases run a scalar reference, at most {at_most[0]} should")
        return 1
    if report["passed"] < int(at_least):
        print(f"only {report['passed']} cases pass, {at_least} should")
        return 1
    return run.returncode


if __name__ == "__main__":
    sys.exit(main())
