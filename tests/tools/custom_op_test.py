#!/usr/bin/env python3
"""Run examples/custom_op with a model that it has an operator for, statically and from a shared library.

usage: custom_op_test.py PROGRAM LIBRARY
"""

import pathlib
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "networks"))
from onnx_wire import attribute, one_node_model  # noqa: E402


def run(*command) -> subprocess.CompletedProcess:
    return subprocess.run([str(word) for word in command], capture_output=True, text=True, check=False)


def main() -> int:
    program, library = sys.argv[1:]
    with tempfile.TemporaryDirectory() as folder:
        model = pathlib.Path(folder, "model.onnx")
        attributes = [attribute("bins", 4), attribute("high", 1.0)]
        model.write_bytes(one_node_model("Histogram", attributes, (1000,), domain="com.example", output_type=7))
        for extra in ([], [library]):
            done = run(program, model, *extra)
            assert done.stdout.split() == ["250"] * 4, done.stdout + done.stderr
        broken = pathlib.Path(folder, "broken.onnx")
        broken.write_bytes(one_node_model("Histogram", [attribute("bins", 0)], (1000,), domain="com.example"))
        done = run(program, broken)
        assert done.returncode == 1 and "attribute 'bins' is not in [1, 65536]" in done.stderr, done.stderr
        assert "(Histogram)" in done.stderr, done.stderr
        unknown = pathlib.Path(folder, "unknown.onnx")
        unknown.write_bytes(one_node_model("Integral", [], (1000,), domain="com.example"))
        done = run(program, unknown)
        assert done.returncode == 1 and "no such operator" in done.stderr, done.stderr
        done = run(program, model, "/nonexistent.so")
        assert done.returncode == 1 and done.stderr, done.stderr
    print("custom operators run, statically and from a library")
    return 0


if __name__ == "__main__":
    sys.exit(main())
