#!/usr/bin/env python3
"""The arithmetic of the table that bench/peers prints. usage: peers_table_test.py BENCH_PEERS_DIR"""

import sys
import unittest
import xml.etree.ElementTree

sys.path.insert(0, sys.argv.pop(1))
import table  # noqa: E402


def entry(network, kind, threads, **ms):
    engines = {
        name: {"ms": value, "cold_ms": 2 * value, "ready_ms": 10 * value, "memory_mb": 100 - value} if value else {"failed": "why"}
        for name, value in ms.items()
    }
    return {
        "network": network,
        "kind": kind,
        "threads": threads,
        "flops": 4e9,
        "peak_gflops": 200,
        "pingpong_ns": 100,
        "engines": engines,
    }


RESULTS = {
    "engines": ["moka", "onnxruntime", "ncnn"],
    "package_bytes": {"moka": 8_000_000, "onnxruntime": 69_000_000, "ncnn": 29_000_000},
    "entries": [
        entry("a", "small", 1, moka=40.0, onnxruntime=50.0, ncnn=80.0),
        entry("b", "GEMM", 1, moka=40.0, onnxruntime=80.0, ncnn=None),
        entry("<c>", "GEMM", 2, moka=20.0, onnxruntime=None, ncnn=None),
        entry("d", "small", 2, moka=None, onnxruntime=3.0, ncnn=4.0),
    ],
}


class Table(unittest.TestCase):
    def test_the_fastest_peer_counts(self):
        self.assertEqual([table.speedup(e) for e in RESULTS["entries"]], [1.25, 2.0, None, None])
        self.assertEqual(table.fastest_peer(RESULTS["entries"][0]), ("onnxruntime", 50.0))

    def test_rows(self):
        rows = [table.row_of(e, RESULTS["engines"]) for e in RESULTS["entries"]]
        # 4 GFLOP in 40 ms are 100 of 200 GFLOP/s.
        self.assertEqual(rows[0], "| a | 1 | 40.00 | 50.00 | 80.00 | 1.25 | 50 % | 400 / 500 | 60 / 20 |")
        self.assertEqual(rows[1], "| b | 1 | 40.00 | 80.00 | failed | 2.00 | 50 % | 400 / 800 | 60 / 20 |")
        self.assertEqual(rows[3], "| d | 2 | failed | 3.00 | 4.00 | - | - | - | - |")

    def test_means_are_geometric_and_by_kind(self):
        lines = table.summary(RESULTS["entries"])
        self.assertEqual(lines[0], "1 threads, all: 1.58 times the fastest peer (least 1.25)")
        self.assertIn("1 threads, small: 1.25 times the fastest peer (least 1.25)", lines)
        self.assertFalse([line for line in lines if line.startswith("2")])

    def test_everything_is_printed(self):
        text = table.markdown(RESULTS)
        self.assertIn("onnxruntime 69.0", text)
        self.assertIn("cold, ms: a, 1 | 80.00 | 100.00 | 160.00", text)
        widths = {line.count("|") for line in text.splitlines() if line.startswith("| a |")}
        self.assertEqual(widths, {10})
        self.assertNotIn("limited", text)
        self.assertIn("limited to avx2", table.markdown({**RESULTS, "isa": "avx2"}))

    def test_the_figure_is_xml_with_a_dot_for_each_time(self):
        root = xml.etree.ElementTree.fromstring(table.figure(RESULTS, 1))
        circles = root.findall("{http://www.w3.org/2000/svg}circle")
        self.assertEqual(len(circles), len(RESULTS["engines"]) + 5)


if __name__ == "__main__":
    unittest.main()
