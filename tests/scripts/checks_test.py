#!/usr/bin/python3
"""Breaks every rule of scripts/check_includes.py and scripts/check_files.py once and expects it to be found.

usage: checks_test.py SCRIPTS_FOLDER
"""
import pathlib
import subprocess
import sys
import tempfile

STATEMENT = "  x += 1;\n"
LONG_BODY = STATEMENT * 80
SOUND = {
    "include/moka/status.h": "#include <vector>\n",
    "base/status.h": '#include "moka/status.h"\n',
    "base/platform.cc": "#include <sys/mman.h>\n",
    "ops/op.h": '#include "base/status.h"\n',
    "ops/op.cc": '#include "ops/op.h"\nint F(int x) {\n' + STATEMENT * 78 + "}\n",
    "gpu/launch.h": '#include "ops/op.h"\n',
    "vulkan/device.cc": '#include <vulkan/vulkan.h>\n\n#include "gpu/launch.h"\n',
    "graph/graph.h": '#include "ops/op.h"\n',
    "tests/any_test.cc": '#include <sys/mman.h>\n#include "graph/graph.h"\n',
}
BAD_INCLUDES = [
    ("include/moka/status.h", '#include "base/status.h"'),
    ("include/moka/status.h", "#include <hwy/highway.h>"),
    ("base/status.h", '#include "ops/op.h"'),
    ("ops/op.cc", '#include "graph/graph.h"'),
    ("vulkan/device.cc", '#include "graph/graph.h"'),
    ("gpu/launch.h", '#include "vulkan/device.h"'),
    ("graph/graph.h", '#include "gpu/launch.h"'),
    ("graph/graph.h", '#include "tests/any_test.cc"'),
    ("ops/op.cc", '#include "op.h"'),
]
BAD_LINES = [
    ("ops/op.cc", "// TO" + "DO: later"),
    ("ops/op.cc", "#include <unistd.h>"),
    ("graph/graph.h", "#include <sys/stat.h>"),
    ("tests/any_test.cc", '"/ho' + 'me/somebody/model.onnx"'),
    ("ops/op.cc", "void G() {\n" + LONG_BODY + "}"),
    ("ops/op.cc", "namespace a {\nclass B {\n  int G(int x) const {  // {\n" + LONG_BODY + "  }\n};\n}"),
    ("ops/op.h", "int x;\n" * 501),
]


def run(script: pathlib.Path, files: dict[str, str]) -> tuple[int, str]:
    with tempfile.TemporaryDirectory() as folder:
        for name, text in files.items():
            path = pathlib.Path(folder, name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        result = subprocess.run([sys.executable, str(script), folder], capture_output=True, text=True)
        return result.returncode, result.stdout + result.stderr


def main() -> int:
    scripts = pathlib.Path(sys.argv[1])
    failures = []
    for script, planted in (("check_includes.py", BAD_INCLUDES), ("check_files.py", BAD_LINES)):
        code, output = run(scripts / script, SOUND)
        if code != 0:
            failures.append(f"{script} refuses sound files:\n{output}")
        for name, line in planted:
            code, output = run(scripts / script, SOUND | {name: SOUND[name] + line + "\n"})
            if code != 1 or name + ":" not in output:
                failures.append(f"{script} does not find in {name}: {line[:60]!r}\n{output}")
        code, output = run(scripts / script, {})
        if code != 1:
            failures.append(f"{script} accepts an empty folder")
    print("\n".join(failures) or f"{len(BAD_INCLUDES) + len(BAD_LINES)} broken rules found")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
