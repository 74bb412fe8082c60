#!/usr/bin/env python3
"""README's C++ program is examples/ten_lines.cc, which the build compiles; run it. usage: check_readme.py PROGRAM MODEL"""

import pathlib
import re
import subprocess
import sys


def main() -> int:
    root = pathlib.Path(__file__).resolve().parents[2]
    blocks = re.findall(r"```cpp\n(.*?)```", (root / "README.md").read_text(), re.DOTALL)
    if (root / "examples/ten_lines.cc").read_text() not in blocks:
        print("README.md does not show examples/ten_lines.cc as it is")
        return 1
    run = subprocess.run(sys.argv[1:3], stdout=subprocess.PIPE, text=True, check=True)
    probabilities = [float(line.split(": ")[1]) for line in run.stdout.splitlines()]
    print(run.stdout)
    return 0 if len(probabilities) == 10 and abs(sum(probabilities) - 1) < 1e-3 else 1


if __name__ == "__main__":
    sys.exit(main())
