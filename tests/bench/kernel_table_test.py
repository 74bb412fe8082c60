#!/usr/bin/env python3
"""The arithmetic of the table of kernels. usage: kernel_table_test.py BENCH_DIR"""

import sys
import unittest

sys.path.insert(0, sys.argv.pop(1))
import kernel_table as table  # noqa: E402


def row(name, label, **figures):
    return {"name": f"{name}/iterations:1/manual_time", "label": label, "gb_per_s": 2.5, "percent_of_peak": 80, **figures}


RESULTS = {
    "benchmarks": [
        row("convolution/net/a", "cpu/conv_winograd/AVX3 | jit", gflops=300, onednn_gflops=150, times_onednn=2),
        row("convolution/net/b", "cpu/conv_igemm/AVX3 | jit | product", gflops=50, onednn_gflops=100, times_onednn=0.5),
        row("convolution/net/c", "cpu/conv_winograd/AVX3 | jit", gflops=100, onednn_gflops=200, times_onednn=0.5),
        row("product/net/d", "cpu/gemm/AVX3", gflops=70),
        {"name": "product/net/e", "error_occurred": True},
    ]
}


class KernelTable(unittest.TestCase):
    def test_winograd_counts_apart_and_means_are_geometric(self):
        lines = table.summary(table.rows_of(RESULTS))
        self.assertEqual(lines[0], "winograd: 1.00 times oneDNN in the geometric mean of 2, least 0.50 (wanted: 1.20)")
        self.assertEqual(lines[1], "convolution: 0.50 times oneDNN in the geometric mean of 1, least 0.50")
        self.assertEqual(len(lines), 2)

    def test_rows_say_what_is_missing(self):
        lines = table.markdown(RESULTS).splitlines()
        self.assertIn("| product/net/d | 70 | - | - | 2.5 | 80 % | - | - | cpu/gemm/AVX3 |", lines)
        self.assertIn("| convolution/net/b | 50 | 100 | - | 2.5 | 80 % | 0.50 | - | cpu/conv_igemm/AVX3, jit |", lines)
        self.assertEqual({line.count("|") for line in lines if line.startswith("|")}, {10})


if __name__ == "__main__":
    unittest.main()
