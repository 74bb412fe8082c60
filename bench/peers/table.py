#!/usr/bin/env python3
"""What compare.py measured, as Markdown and as a figure.

usage: table.py RESULTS.json [FIGURE.svg]
"""

import json
import math
import pathlib
import sys
from xml.sax.saxutils import escape

OURS = "moka"
COLOURS = {"moka": "#7b3f00", "onnxruntime": "#3b6ea5", "openvino": "#6a4c93", "ncnn": "#2a9d8f", "mnn": "#e08e45"}


def fastest_peer(entry):
    """(name, milliseconds) of the fastest engine but ours, or None where no peer computed the network."""
    peers = [(f["ms"], name) for name, f in entry["engines"].items() if name != OURS and "ms" in f]
    return (min(peers)[1], min(peers)[0]) if peers else None


def speedup(entry):
    """How many times faster than the fastest peer ours is; None where it cannot be said."""
    peer, ours = fastest_peer(entry), entry["engines"].get(OURS, {}).get("ms")
    return peer[1] / ours if peer and ours else None


def geometric_mean(values):
    return math.exp(sum(map(math.log, values)) / len(values))


def percent_of_peak(entry, ms):
    return 100 * entry["flops"] / (ms * 1e6) / entry["peak_gflops"]


def cell(entry, engine):
    figures = entry["engines"].get(engine)
    if figures is None:
        return "-"
    return f"{figures['ms']:.2f}" if "ms" in figures else "failed"


def beside_peers(entry, key):
    """Ours beside the least of the peers', as "57 / 64"."""
    peers = [figures[key] for name, figures in entry["engines"].items() if name != OURS and key in figures]
    ours = entry["engines"].get(OURS, {}).get(key)
    return f"{ours:.0f} / {min(peers):.0f}" if peers and ours is not None else "-"


def row_of(entry, engines):
    """A line of the table of times."""
    faster = speedup(entry)
    ours = entry["engines"].get(OURS, {}).get("ms")
    cells = [entry["network"], str(entry["threads"]), *(cell(entry, engine) for engine in engines)]
    cells.append(f"{faster:.2f}" if faster else "-")
    cells.append(f"{percent_of_peak(entry, ours):.0f} %" if ours else "-")
    cells += [beside_peers(entry, "ready_ms"), beside_peers(entry, "memory_mb")]
    return f"| {' | '.join(cells)} |"


def markdown(results):
    engines, entries = results["engines"], results["entries"]
    limit = f" Engines limited to {results['isa']}." if results.get("isa") else ""
    lines = [
        "Warm, ms; then the fastest peer's time by ours, and our part of the peak measured in the same rounds; load and first "
        f"run, ms, and memory above import, MB: ours / the least of the peers'.{limit}",
        "",
        f"| network | threads | {' | '.join(engines)} | faster | of peak | load + first | memory |",
        "|" + "---|" * (len(engines) + 6),
    ]
    lines += [row_of(entry, engines) for entry in entries]
    lines += ["", "| | " + " | ".join(engines) + " |", "|" + "---|" * (len(engines) + 1)]
    for title, key, form in (
        ("load and first run, ms", "ready_ms", "{:.0f}"),
        ("memory above import, MB", "memory_mb", "{:.0f}"),
        ("cold, ms", "cold_ms", "{:.2f}"),
        ("error against f64", "error", "{:.1e}"),
    ):
        for entry in entries:
            values = [entry["engines"].get(engine, {}).get(key) for engine in engines]
            cells = [form.format(value) if value is not None else "-" for value in values]
            lines.append(f"| {title}: {entry['network']}, {entry['threads']} | {' | '.join(cells)} |")
    sizes = [f"{engine} {size / 1e6:.1f}" for engine, size in results["package_bytes"].items()]
    lines += ["", f"On disk, MB: {', '.join(sizes)}.", "", *summary(entries)]
    return "\n".join(lines)


def summary(entries):
    """Geometric means of the speed-ups, for each number of threads and each kind of network."""
    lines = []
    for threads in sorted({entry["threads"] for entry in entries}):
        chosen = [e for e in entries if e["threads"] == threads and speedup(e)]
        for kind in ["all", *sorted({entry["kind"] for entry in chosen})]:
            values = [speedup(e) for e in chosen if kind in ("all", e["kind"])]
            if values:
                mean, least = geometric_mean(values), min(values)
                lines.append(f"{threads} threads, {kind}: {mean:.2f} times the fastest peer (least {least:.2f})")
    return lines


def figure(results, threads):
    """Times relative to ours, a row for each network: a dot for each engine, right of the line is slower."""
    entries = [e for e in results["entries"] if e["threads"] == threads and speedup(e)]
    left, width, pitch, top = 150, 560, 22, 50
    low, high = 0.4, 8.0

    def x_of(ratio):
        clipped = min(max(ratio, low), high)
        return left + width * math.log(clipped / low) / math.log(high / low)

    height = top + pitch * len(entries) + 20
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{left + width + 30}" height="{height}" '
        'font-family="sans-serif" font-size="12">',
        '<rect width="100%" height="100%" fill="white"/>',
    ]
    for tick in (0.5, 1, 2, 4, 8):
        x = x_of(tick)
        parts.append(f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{top - 8}" y2="{height - 14}" stroke="#ddd"/>')
        parts.append(f'<text x="{x:.1f}" y="{top - 12}" text-anchor="middle">{tick:g}</text>')
    for place, engine in enumerate(results["engines"]):
        x = left + place * 105
        parts.append(f'<circle cx="{x}" cy="14" r="5" fill="{COLOURS[engine]}"/>')
        parts.append(f'<text x="{x + 9}" y="18">{escape(engine)}</text>')
    for place, entry in enumerate(entries):
        y = top + pitch * place + 8
        parts.append(f'<text x="{left - 8}" y="{y + 4}" text-anchor="end">{escape(entry["network"])}</text>')
        for engine in reversed(results["engines"]):
            ms = entry["engines"].get(engine, {}).get("ms")
            if ms is not None:
                x = x_of(ms / entry["engines"][OURS]["ms"])
                parts.append(f'<circle cx="{x:.1f}" cy="{y}" r="5" fill="{COLOURS[engine]}"/>')
    return "\n".join([*parts, "</svg>"]) + "\n"


def main():
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    results = json.loads(pathlib.Path(sys.argv[1]).read_text())
    print(markdown(results))
    if len(sys.argv) == 3:
        pathlib.Path(sys.argv[2]).write_text(figure(results, min(e["threads"] for e in results["entries"])))


if __name__ == "__main__":
    main()
