#!/usr/bin/python3
"""Counts the instructions of one inference of small networks and compares them with the record.

usage: count_instructions.py MOKA COMPILER NETWORKS_DIR SCRATCH_DIR [--update] [--record FILE]

MOKA is the program, COMPILER what built it ("GNU 12.2.0"), NETWORKS_DIR what tests/networks/export_networks.py wrote.
callgrind knows no AVX-512, so kernels are those of AVX2; 1 thread; loading and the first run, which makes the plan, do not
count. A network that takes more than 3 % more instructions than its record fails; `--update` writes the record anew.

Counts mean something for one compiler only. The record is of the compiler of Debian 12: there another one, or a missing
tool, is a failure, so that nothing passes unseen; on other systems, and on CPUs without AVX2, the comparison is skipped
(exit 77).
"""

import argparse
import json
import os
import pathlib
import shutil
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
SKIPPED = 77
GROWTH_PERCENT = 3
# A dump at each call leaves, at the end, what the last one took. Both are functions that nothing inlines.
CALL, BODY = "moka::Session::RunInto(*", "moka::SessionImpl::RunInto(std::span*"


def shipped(args):
    return ROOT / "models/fashion_mnist.onnx", []


def mobilenet(args):
    folder = args.networks / "mobilenet_v2"
    return folder / "model.onnx", ["--input", f"input={folder / 'input_2.npy'}"]


def small(name):
    def export(args):
        path = args.scratch / f"{name}.onnx"
        if not path.exists():
            subprocess.run(["/usr/bin/python3", "-W", "ignore", HERE / "small_networks.py", name, path], check=True)
        return path, []

    return export


# Kernels of all kinds in one network would hide each other: small convolutions; 1x1 and depthwise; Winograd; products,
# attention, normalization and recurrence.
NETWORKS = {"fashion_mnist": shipped, "mobilenet_v2_64x64": mobilenet, "unet": small("unet"), "tokens": small("tokens")}


def count(args, name):
    """Instructions of the second inference."""
    model, inputs = NETWORKS[name](args)
    profile = args.scratch / f"{name}.callgrind"
    callgrind = ["valgrind", "--tool=callgrind", f"--callgrind-out-file={profile}", f"--dump-before={CALL}"]
    worker = [args.moka, "bench", model, "--worker", "--threads", "1", *inputs]
    done = subprocess.run(
        [*callgrind, f"--toggle-collect={BODY}", *worker],
        input="run\n",
        capture_output=True,
        text=True,
        env={**os.environ, "MOKA_SIMD_TARGET": "AVX2"},
    )
    if done.returncode != 0:
        sys.exit(f"{name}: exit code {done.returncode}\n{done.stdout}{done.stderr}")
    summaries = [line for line in profile.read_text().splitlines() if line.startswith("summary:")]
    instructions = int(summaries[0].split()[1]) if summaries else 0
    if instructions == 0:
        sys.exit(f"{name}: nothing was counted; is {BODY} still what Session::RunInto calls?")
    return instructions


def judge(counts, recorded):
    """Lines that say how counts compare with the record, and the names of those that grew too much."""
    lines, grown = [], []
    for name, now in counts.items():
        before = recorded.get(name)
        if before is None:
            lines.append(f"{name}: {now:,}, not recorded")
            grown.append(name)
            continue
        change = now / before - 1
        lines.append(f"{name}: {now:,}, {change:+.2%} of {before:,}")
        if 100 * now > (100 + GROWTH_PERCENT) * before:
            grown.append(name)
    return lines, grown


def unfit(args, record):
    """Why counts cannot be compared here; None where they can."""
    if shutil.which("valgrind") is None:
        return "valgrind is missing (scripts/packages.sh)"
    if args.update:
        return None
    if args.compiler != record["compiler"]:
        return f"the record is of {record['compiler']}, the program of {args.compiler}"
    return None


def is_debian_12():
    release = pathlib.Path("/etc/os-release")
    lines = release.read_text().splitlines() if release.exists() else []
    return {"ID=debian", 'VERSION_ID="12"'} <= set(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("moka", type=pathlib.Path)
    parser.add_argument("compiler")
    parser.add_argument("networks", type=pathlib.Path)
    parser.add_argument("scratch", type=pathlib.Path)
    parser.add_argument("--update", action="store_true")
    parser.add_argument("--record", type=pathlib.Path, default=HERE / "instructions.json")
    args = parser.parse_args()
    if "avx2" not in pathlib.Path("/proc/cpuinfo").read_text().split():
        print("this CPU has no AVX2")
        return SKIPPED
    record = json.loads(args.record.read_text()) if args.record.exists() else {"compiler": "none", "instructions": {}}
    if reason := unfit(args, record):
        print(reason)
        return 1 if is_debian_12() else SKIPPED
    args.scratch.mkdir(parents=True, exist_ok=True)
    counts = {name: count(args, name) for name in NETWORKS}
    lines, grown = judge(counts, record["instructions"])
    print("\n".join(lines))
    if args.update:
        args.record.write_text(json.dumps({"compiler": args.compiler, "instructions": counts}, indent=1) + "\n")
        return 0
    if grown:
        print(f"{', '.join(grown)}: more than {GROWTH_PERCENT} % above the record. scripts/count_instructions.sh --update records")
    return 1 if grown else 0


if __name__ == "__main__":
    sys.exit(main())
