#!/usr/bin/env python3
"""Run `moka conformance` and hold it to a number of cases.

usage: check_suite.py MOKA DEVICE SUITE REPORT.json AT_LEAST

Cases listed in skips/DEVICE.txt (also skips/DEVICE_debian.txt for Debian's suite, skips/DEVICE_newest.txt for others) are known to fail; one of them that passes is an error, as is any other failure.

MOKA is a command line: an emulator may stand before the program. Fails when a case fails, when fewer than AT_LEAST pass, or when the closing line is missing. Prints the skips by reason.
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
DEBIAN = "/usr/share/libonnx-testdata/data"


def main() -> int:
    moka, device, suite, report_path, at_least = sys.argv[1:]
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
    if report["passed"] < int(at_least):
        print(f"only {report['passed']} cases pass, {at_least} should")
        return 1
    return run.returncode


if __name__ == "__main__":
    sys.exit(main())
