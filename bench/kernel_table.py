#!/usr/bin/env python3
"""What bench_kernels measured, as Markdown: a row for each shape, geometric means for each kind, and who is behind.

usage: kernel_table.py RESULTS.json
"""

import collections
import json
import math
import pathlib
import sys

# What moka wants to reach on AVX-512, in times as fast as oneDNN.
TARGETS = {
    "product": "1.00, least 0.93",
    "pointwise": "1.00, least 0.93",
    "winograd": "1.20",
    "depthwise": "1.20",
}


def kind_of(row):
    """The first part of the name, but Winograd by what ran."""
    return "winograd" if "winograd" in row["label"].split(" | ")[0] else row["name"].split("/")[0]


def rows_of(results):
    return [r for r in results["benchmarks"] if "gflops" in r]


def geometric_mean(values):
    return math.exp(sum(map(math.log, values)) / len(values))


def cell(row, key, form="{:.2f}"):
    return form.format(row[key]) if key in row else "-"


def line_of(row):
    shape = row["name"].split("/manual_time")[0].split("/iterations")[0]
    cells = [shape, *(cell(row, key, "{:.0f}") for key in ("gflops", "onednn_gflops", "eigen_gflops"))]
    cells += [cell(row, "gb_per_s", "{:.1f}"), cell(row, "percent_of_peak", "{:.0f} %")]
    cells += [cell(row, "times_onednn"), cell(row, "times_eigen"), row["label"].replace(" | product", "").replace(" | ", ", ")]
    return f"| {' | '.join(cells)} |"


def summary(rows):
    by_kind = collections.defaultdict(list)
    for row in rows:
        if "times_onednn" in row:
            by_kind[kind_of(row)].append(row)
    lines = []
    for kind, members in by_kind.items():
        ratios = [row["times_onednn"] for row in members]
        wanted = f" (wanted: {TARGETS[kind]})" if kind in TARGETS else ""
        mean, least = geometric_mean(ratios), min(ratios)
        lines.append(f"{kind}: {mean:.2f} times oneDNN in the geometric mean of {len(ratios)}, least {least:.2f}{wanted}")
    return lines


def markdown(results):
    rows = rows_of(results)
    head = "| shape | GFLOP/s | oneDNN | Eigen | GB/s | of peak | times oneDNN | times Eigen | kernels |"
    return "\n".join([head, "|" + "---|" * 9, *map(line_of, rows), "", *summary(rows)])


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    print(markdown(json.loads(pathlib.Path(sys.argv[1]).read_text())))
