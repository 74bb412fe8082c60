#!/usr/bin/python3
"""Runs the exported networks through `moka run` and compares with torch's f64 outputs.

usage: compare_networks.py MOKA NETWORKS_FOLDER DEVICE [SET...]

NETWORKS_FOLDER is what export_networks.py writes; SET are the numbers of its inputs (default: all). Every
node must run on the device in a kernel of its own (--strict).
"""

import pathlib
import subprocess
import sys
import tempfile

import numpy

# Of the largest output; f32 sums over a thousand layers' worth of products stay far below.
TOLERANCE = 2e-4


def compare(moka, network, device, number):
    """Returns a line of failure, or None."""
    [name] = [n for n in ("input", "image") if has_input(network, n)]
    with tempfile.TemporaryDirectory() as out:
        command = [moka, "run", network / "model.onnx", "--device", device, "--strict"]
        command += ["--input", f"{name}={network}/input_{number}.npy", "--output-dir", out]
        run = subprocess.run(command, capture_output=True, text=True)
        if run.returncode != 0:
            return f"exit code {run.returncode}: {run.stderr.strip()[:2000]}"
        [path] = pathlib.Path(out).iterdir()
        got = numpy.load(path)
    want = numpy.load(network / f"output_{number}.npy")
    if got.shape != want.shape:
        return f"shape {got.shape}, expected {want.shape}"
    error = float(numpy.abs(got.astype(numpy.float64) - want).max() / numpy.abs(want).max())
    same_class = bool((got.reshape(len(got), -1).argmax(1) == want.reshape(len(want), -1).argmax(1)).all())
    print(f"{network.name} {want.shape} on {device}: error {error:.2e} of the largest output", flush=True)
    return None if error < TOLERANCE and same_class else f"error {error:.2e}, same class: {same_class}"


def has_input(network, name):
    """The shipped model calls its input `image`, torchvision's `input`."""
    return (network.name.startswith("fashion_mnist")) == (name == "image")


def main():
    moka, folder, device, *sets = sys.argv[1:]
    failures, count = [], 0
    for network in sorted(p.parent for p in pathlib.Path(folder).glob("*/model.onnx")):
        numbers = sets or [p.stem.split("_")[1] for p in sorted(network.glob("input_*.npy"))]
        for number in numbers:
            if not (network / f"input_{number}.npy").exists():
                continue
            count += 1
            failure = compare(moka, network, device, number)
            if failure:
                failures.append(f"{network.name} set {number} on {device}: {failure}")
    print("\n".join(failures) or f"{count} runs agree with torch")
    return 1 if failures or count == 0 else 0


if __name__ == "__main__":
    sys.exit(main())
