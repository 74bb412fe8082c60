#!/usr/bin/env python3
"""The line protocol of `moka bench --worker`, as a harness speaks it. usage: worker_test.py MOKA"""

import json
import pathlib
import struct
import subprocess
import sys
import tempfile
import unittest

MOKA = sys.argv.pop(1)
MODEL = pathlib.Path(__file__).resolve().parents[2] / "models/fashion_mnist.onnx"


def npy(shape, values):
    """A file of NumPy's format 1.0 with f32 elements."""
    header = f"{{'descr': '<f4', 'fortran_order': False, 'shape': {tuple(shape)}, }}"
    header += " " * (63 - (10 + len(header)) % 64) + "\n"
    return b"\x93NUMPY\x01\0" + struct.pack("<H", len(header)) + header.encode() + struct.pack(f"<{len(values)}f", *values)


class Worker(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.path = pathlib.Path(self.folder.name)

    def talk(self, lines, *arguments):
        """What the worker prints for `lines`, one string a line, and its exit code."""
        command = [MOKA, "bench", str(MODEL), "--worker", "--threads", "1", *map(str, arguments)]
        text = "".join(line + "\n" for line in lines)
        run = subprocess.run(command, input=text, capture_output=True, text=True, timeout=120)
        return run.stdout.splitlines(), run.returncode

    def given(self, value):
        path = self.path / "x.npy"
        path.write_bytes(npy((2, 1, 28, 28), [value] * (2 * 28 * 28)))
        return f"image={path}"

    def test_ready_run_and_memory(self):
        answers, code = self.talk(["run", "run", "mem", "quit", "run"])
        self.assertEqual(code, 0)
        ready, first, second, memory = map(json.loads, answers)
        self.assertEqual(ready["ready"], 1)
        self.assertGreater(ready["load_ms"], 0)
        self.assertGreater(ready["first_ms"], 0)
        self.assertGreater(first, 0)
        self.assertGreater(second, 0)
        self.assertGreaterEqual(memory["peak_kb"], memory["rss_kb"])
        self.assertGreaterEqual(memory["peak_kb"], ready["import_rss_kb"])

    def test_precision(self):
        results = {}
        for precision in ("f32", "bf16"):
            folder = self.path / precision
            _, code = self.talk([f"save {folder}"], "--input", self.given(0.5), "--precision", precision)
            self.assertEqual(code, 0)
            [path] = folder.iterdir()
            results[precision] = struct.unpack("<20f", path.read_bytes()[-80:])
        self.assertNotEqual(results["f32"], results["bf16"])
        for wide, narrow in zip(results["f32"], results["bf16"]):
            self.assertAlmostEqual(wide, narrow, delta=0.05)

    def test_refuses_other_precisions(self):
        answers, code = self.talk(["run"], "--precision", "f8")
        self.assertEqual((answers, code), ([], 2))

    def test_the_end_of_the_input_ends_it(self):
        answers, code = self.talk([])
        self.assertEqual((len(answers), code), (1, 0))

    def test_saves_the_results_of_its_input(self):
        results = []
        for value in (0.25, 0.75):
            folder = self.path / str(value)
            answers, code = self.talk([f"save {folder}"], "--input", self.given(value))
            self.assertEqual((answers[1], code), ("saved", 0))
            files = list(folder.glob("*.npy"))
            self.assertEqual(len(files), 1)
            results.append(files[0].read_bytes())
        self.assertNotEqual(*results)

    def test_answers_errors_and_goes_on(self):
        file = self.path / "file"
        file.write_text("")
        answers, code = self.talk(["walk", f"save {file}/below", "run"])
        self.assertEqual(code, 0)
        self.assertIn("walk", json.loads(answers[1])["error"])
        self.assertIn("below", json.loads(answers[2])["error"])
        self.assertGreater(float(answers[3]), 0)

    def test_the_cpu_loads_no_driver(self):
        command = [MOKA, "bench", str(MODEL), "--worker"]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as worker:
            json.loads(worker.stdout.readline())
            mapped = pathlib.Path(f"/proc/{worker.pid}/maps").read_text()
            worker.stdin.close()
        self.assertIn("libc.so", mapped)
        for library in ("libvulkan", "libOpenCL"):
            self.assertNotIn(library, mapped)

    def test_a_model_that_cannot_run_ends_it(self):
        answers, code = self.talk(["run"], "--input", "nothing=x.npy")
        self.assertEqual((answers, code), ([], 1))


if __name__ == "__main__":
    unittest.main()
