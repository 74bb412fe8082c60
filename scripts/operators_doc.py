#!/usr/bin/env python3
"""Write docs/OPERATORS.md, or say whether it is stale.

usage: operators_doc.py MOKA REPORTS [--check]

MOKA is the command line, REPORTS the folder with suite_{debian,newest}_DEVICE.json of the last conformance runs
(tests/conformance/check_suite.py writes them). With --check nothing is written: exit code 1 when the page differs from
what the code and the runs say, 77 (skipped) when a report is missing.
"""

import json
import pathlib
import subprocess
import sys
from collections import defaultdict

PAGE = pathlib.Path(__file__).parent.parent / "docs" / "OPERATORS.md"
SUITES = {"debian": "Debian's suite (ONNX 1.12)", "newest": "the newest (ONNX 1.23.2)"}
DEVICES = ("cpu", "vulkan", "opencl")
SKIPPED = 77

HEAD = """# Operators

Made by `scripts/operators_doc.py` from the code and the last conformance runs; CI fails when it is stale. Every operator runs on the CPU.
Older forms of an operator are turned into the newest when a file is read (`formats/onnx/versions.h`), so all opsets from 1 to {opset} are read.

*Cases*: of the suites' models that have the operator, alone or among others, how many pass on the CPU. *Types* and *kernels* are those of the
passing models in which it is the only operator; `reference` is the scalar fallback, `host` means that the operator runs between plans, since sizes of its results
depend on data or it works on more than tensors. *GPU*: passing cases on Vulkan and OpenCL with kernels of their own only.

"""


def load(folder: pathlib.Path) -> dict:
    reports = {}
    for suite in SUITES:
        for device in DEVICES:
            path = folder / f"suite_{suite}_{device}.json"
            if not path.exists():
                print(f"{path} is missing: run the conformance tests first")
                sys.exit(SKIPPED)
            reports[suite, device] = json.loads(path.read_text())["cases"]
    return reports


def family(kernel: str) -> str:
    """cpu/gemm/AVX3 and reference/Gemm without the machine and the operator."""
    parts = kernel.split("/")
    return parts[1] if parts[0] in ("cpu", "gpu") else parts[0]


def collect(reports: dict) -> dict:
    rows = defaultdict(lambda: {"cases": defaultdict(lambda: [0, 0]), "types": set(), "kernels": set()})
    for (suite, device), cases in reports.items():
        for case in cases:
            passed = case["verdict"] == "passed"
            for name in case.get("operators", []):
                row = rows[name]
                row["cases"][suite, device][0] += passed
                row["cases"][suite, device][1] += 1
                if passed and device == "cpu" and len(case["operators"]) == 1:
                    row["types"].update(case["types"])
                    row["kernels"].update(family(kernel) for kernel in case["kernels"])
    return rows


def cases_of(row: dict, device: str) -> str:
    counts = [row["cases"][suite, device] for suite in SUITES]
    return " / ".join(f"{passed} of {total}" if passed < total else str(passed) for passed, total in counts)


def table(operators: list, rows: dict) -> list:
    lines = ["| operator | kernels | types | cases: Debian / newest | Vulkan | OpenCL |", "|---|---|---|---|---|---|"]
    for operator in operators:
        domain = operator["domain"]
        key = operator["name"] if domain == "ai.onnx" else f"{domain}.{operator['name']}"
        row = rows[key]
        kernels = ", ".join(sorted(row["kernels"])) or ("host" if operator["on_host"] else "")
        gpu = [" / ".join(str(row["cases"][suite, device][0]) for suite in SUITES) for device in DEVICES[1:]]
        lines.append(
            f"| {operator['name']} | {kernels} | {' '.join(sorted(row['types']))} | {cases_of(row, 'cpu')} "
            f"| {gpu[0]} | {gpu[1]} |"
        )
    return lines


def totals(reports: dict) -> list:
    lines = ["| device | suite | passed | by a scalar reference | skipped |", "|---|---|---|---|---|"]
    for (suite, device), cases in sorted(reports.items()):
        passed = [case for case in cases if case["verdict"] == "passed"]
        reference = sum(case["by_reference"] for case in passed)
        skipped = sum(case["verdict"] == "skipped" for case in cases)
        lines.append(f"| {device} | {SUITES[suite]} | {len(passed)} of {len(cases)} | {reference} | {skipped} |")
    return lines


def main() -> int:
    moka, folder = sys.argv[1], pathlib.Path(sys.argv[2])
    reports = load(folder)
    listed = json.loads(subprocess.run([moka, "operators", "--json"], check=True, capture_output=True, text=True).stdout)
    rows = collect(reports)
    lines = [HEAD.format(opset=28), *totals(reports)]
    for domain in sorted({operator["domain"] for operator in listed}):
        mine = [operator for operator in listed if operator["domain"] == domain]
        lines += ["", f"## {domain}: {len(mine)}", "", *table(mine, rows)]
    text = "\n".join(lines) + "\n"
    if "--check" not in sys.argv:
        PAGE.write_text(text)
        return 0
    if PAGE.exists() and PAGE.read_text() == text:
        return 0
    print(f"{PAGE} is stale: run scripts/operators_doc.py {moka} {folder}")
    return 1


if __name__ == "__main__":
    sys.exit(main())
