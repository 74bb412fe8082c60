#!/usr/bin/env python3
"""The command line as a user meets it. usage: cli_test.py MOKA"""

import json
import pathlib
import re
import struct
import subprocess
import sys
import tempfile
import unittest
import zlib

MOKA = sys.argv.pop(1)
ROOT = pathlib.Path(__file__).resolve().parents[2]
MODEL = ROOT / "models/fashion_mnist.onnx"
LABELS = ROOT / "models/fashion_mnist.labels.txt"


def moka(*arguments):
    return subprocess.run([MOKA, *map(str, arguments)], capture_output=True, text=True, timeout=120)


def png(side):
    """A grey picture with a bright square in the middle."""
    inside = range(side // 4, side - side // 4)
    rows = b"".join(b"\0" + bytes(255 * (x in inside and y in inside) for x in range(side)) for y in range(side))

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


class CommandLine(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.path = pathlib.Path(self.folder.name)
        (self.path / "square.png").write_bytes(png(40))

    def refuses(self, code, text, *arguments):
        run = moka(*arguments)
        self.assertEqual(run.returncode, code, run.stdout + run.stderr)
        self.assertIn(text, run.stderr + run.stdout)

    def test_help_teaches(self):
        run = moka("--help")
        self.assertEqual(run.returncode, 0)
        for command in ("run", "info", "bench", "devices", "conformance"):
            self.assertIn(command, run.stdout)
            self.assertEqual(moka(command, "--help").returncode, 0)

    def test_wrong_usage_is_2(self):
        self.refuses(2, "--threads", "run", MODEL, "--threads", 0)
        self.refuses(2, "--threads", "run", MODEL, "--threads", 10**6)
        self.refuses(2, "", "frobnicate")
        self.refuses(2, "model", "run")

    def test_wrong_input_is_1_and_named(self):
        self.refuses(1, "nowhere.onnx", "run", self.path / "nowhere.onnx")
        self.refuses(1, "image", "run", MODEL)
        self.refuses(1, "fridge", "run", MODEL, "--image", self.path / "square.png", "--device", "fridge")
        self.refuses(1, "not a picture", "run", MODEL, "--image", LABELS)
        self.refuses(1, "labels.txt", "run", MODEL, "--input", f"image={LABELS}")
        self.refuses(1, "nothing", "run", MODEL, "--image", self.path / "square.png", "--output", "nothing")

    def test_labels_a_picture(self):
        run = moka("run", MODEL, "--image", self.path / "square.png", "--top", 3, "--labels", LABELS)
        self.assertEqual(run.returncode, 0, run.stderr)
        lines = run.stdout.splitlines()
        self.assertEqual(len(lines), 4)
        self.assertIn(lines[1].split(None, 1)[1], LABELS.read_text().splitlines())

    def test_writes_outputs_as_npy(self):
        out = self.path / "out"
        run = moka("run", MODEL, "--image", self.path / "square.png", "--output-dir", out, "--repeat", 3)
        self.assertEqual(run.returncode, 0, run.stderr)
        data = (out / "probabilities.npy").read_bytes()
        self.assertTrue(data.startswith(b"\x93NUMPY"))
        self.assertAlmostEqual(sum(struct.unpack("<10f", data[-40:])), 1, places=4)

    def test_info_shows_graph_plan_and_memory(self):
        svg = self.path / "memory.svg"
        run = moka("info", MODEL, "--json", "--svg", svg)
        self.assertEqual(run.returncode, 0, run.stderr)
        report = json.loads(run.stdout)
        self.assertEqual(report["parameters"], json.loads((ROOT / "models/fashion_mnist.json").read_text())["parameters"])
        self.assertLess(len(report["optimized"]), len(report["graph"]))
        self.assertTrue(all(step["own_kernel"] for step in report["plan"]["steps"]))
        self.assertGreater(report["flops"], 1e6)
        self.assertIn("</svg>", svg.read_text())
        self.assertIn("image", moka("info", MODEL).stdout)

    def test_json_takes_names_of_any_bytes(self):
        odd = self.path / "odd.onnx"
        odd.write_bytes(MODEL.read_bytes().replace(b"/Softmax", b"/Softma\xff"))
        for command in (["info"], ["bench", "--rounds", 1, "--warmup", 0, "--trace", self.path / "trace.json"]):
            run = moka(*command, odd, "--json")
            self.assertEqual(run.returncode, 0, run.stderr)
            self.assertIn("/Softma\ufffd", run.stdout)

    def test_info_shows_metadata_whatever_bytes_it_has(self):
        entry = b"\x0a\x05names\x12\x05cup \xff"  # metadata_props: key, value
        labelled = self.path / "labelled.onnx"
        labelled.write_bytes(MODEL.read_bytes() + b"\x72" + bytes([len(entry)]) + entry)
        run = moka("info", labelled, "--json")
        self.assertEqual(run.returncode, 0, run.stderr)
        self.assertEqual(json.loads(run.stdout)["metadata"], [["names", "cup \ufffd"]])
        run = subprocess.run([MOKA, "info", labelled], capture_output=True, timeout=120)
        self.assertIn(b"about   names: cup \xff", run.stdout)

    def test_version_is_that_of_the_headers(self):
        lines = (ROOT / "include/moka/version.h").read_text().splitlines()
        numbers = [line.split()[2] for line in lines if re.match(r"#define MOKA_VERSION_\w+ \d", line)]
        self.assertEqual(moka("--version").stdout, f"moka {'.'.join(numbers)}\n")

    def test_bench_reports_times_and_a_trace(self):
        trace = self.path / "trace.json"
        run = moka("bench", MODEL, "--rounds", 5, "--json", "--trace", trace)
        self.assertEqual(run.returncode, 0, run.stderr)
        report = json.loads(run.stdout)
        for key in ("load_ms", "first_ms", "median_ms", "min_ms", "p90_ms", "gflops", "percent_of_peak"):
            self.assertGreater(report[key], 0, key)
        self.assertLessEqual(report["live_bytes"]["lower_bound"], report["live_bytes"]["total"])
        self.assertTrue(all(node["kernel"] and node["ms"] >= 0 for node in report["nodes"]))
        self.assertEqual(len(json.loads(trace.read_text())["traceEvents"]), len(report["nodes"]))

    def test_devices_lists_the_cpu_first(self):
        run = moka("devices", "--json")
        self.assertEqual(run.returncode, 0, run.stderr)
        self.assertEqual(json.loads(run.stdout)["devices"][0]["name"], "cpu")

    def test_conformance_says_when_there_is_no_suite(self):
        self.refuses(1, "model.onnx", "conformance", "--suite", self.path)


if __name__ == "__main__":
    unittest.main()
