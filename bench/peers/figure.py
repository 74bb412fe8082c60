#!/usr/bin/env python3
"""The figure of README.md, out of the first table of measured times in bench/peers/README.md.

usage: figure.py FIGURE.svg [--check]   (--check: only says whether the file is that figure)
"""

import pathlib
import re
import sys

import table

HEAD = "| network | moka | onnxruntime | OpenVINO | ncnn | MNN | faster |"


def read_results(text):
    """What table.figure needs of compare.py's results. Engines without a time failed, or were not measured."""
    lines = text[text.index(HEAD) :].splitlines()
    engines = [cell.strip().lower() for cell in lines[0].split("|")[2:7]]
    entries = []
    for line in lines[2:]:
        if not line.startswith("|"):
            break
        network, *times = (cell.strip() for cell in line.split("|")[1:7])
        known = {e: {"ms": float(t)} for e, t in zip(engines, times) if re.fullmatch(r"[\d.]+", t)}
        entries.append({"network": network, "threads": 1, "engines": known})
    return {"engines": engines, "entries": entries}


def main():
    if len(sys.argv) not in (2, 3) or sys.argv[2:] not in ([], ["--check"]):
        sys.exit(__doc__)
    path = pathlib.Path(sys.argv[1])
    made = table.figure(read_results((pathlib.Path(__file__).parent / "README.md").read_text()), 1)
    if len(sys.argv) == 2:
        path.write_text(made)
    elif path.read_text() != made:
        sys.exit(f"{path} shows other times than bench/peers/README.md: run bench/peers/figure.py {sys.argv[1]}")


if __name__ == "__main__":
    main()
