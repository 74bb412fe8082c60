#!/usr/bin/python3
"""Runs the exported networks through `moka run` and compares with torch's f64 outputs.

usage: compare_networks.py MOKA NETWORKS_FOLDER DEVICE [SET...] [--precision bf16]

NETWORKS_FOLDER is what export_networks.py writes; SET are the numbers of its inputs (default: all). Every
node must run on the device in a kernel of its own (--strict). In bf16 every layer with weights must run in a kernel
that rounds, or by Winograd's algorithm, and none may without being asked.
"""

import argparse
import json
import pathlib
import subprocess
import sys
import tempfile

import numpy

# Of the largest output; f32 sums over a thousand layers' worth of products stay far below.
TOLERANCE = 2e-4
# The same in bf16, whose roundings are 2**16 times as large: about 1.6 times the largest that was measured. Random
# weights pass on every rounding, in MobileNetV2 until little is left, so classes may change places but in the network
# that is trained; that products are right is for the kernels' own tests to say.
TRAINED = "fashion_mnist"
BF16_TOLERANCE = {
    TRAINED: 1.4e-2,
    "mobilenet_v2": 0.9,
    "resnet18": 4.2e-2,
    "shufflenet_v2_x1_0": 0.45,
    "squeezenet1_1": 0.16,
}


def compare(moka, network, device, number, precision):
    """Returns a line of failure, or None."""
    [name] = [n for n in ("input", "image") if has_input(network, n)]
    with tempfile.TemporaryDirectory() as out:
        command = [moka, "run", network / "model.onnx", "--device", device, "--strict", "--precision", precision]
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
    print(f"{network.name} {want.shape} on {device} in {precision}: error {error:.2e} of the largest output", flush=True)
    if precision == "bf16":
        near = error < BF16_TOLERANCE[network.name]
        kept = same_class or network.name != TRAINED
        return None if near and kept else f"error {error:.2e}, same class: {same_class}"
    return None if error < TOLERANCE and same_class else f"error {error:.2e}, same class: {same_class}"


def check_kernels(moka, network, precision):
    """Returns a line of failure, or None."""
    command = [moka, "bench", network / "model.onnx", "--warmup", "0", "--rounds", "1", "--json", "--precision", precision]
    nodes = json.loads(subprocess.check_output(command))["nodes"]
    rounding = [n["kernel"] for n in nodes if "_bf16/" in n["kernel"]]
    others = [n["kernel"] for n in nodes if n["kernel"].split("/")[1] in ("gemm", "matmul", "conv_igemm")]
    wrong, needed = (others, True) if precision == "bf16" else (rounding, False)
    return None if not wrong and bool(rounding) == needed else f"kernels in {precision}: {rounding or wrong}, {others}"


def has_input(network, name):
    """The shipped model calls its input `image`, torchvision's `input`."""
    return (network.name.startswith("fashion_mnist")) == (name == "image")


def main():
    parser = argparse.ArgumentParser()
    for argument in ("moka", "folder", "device"):
        parser.add_argument(argument)
    parser.add_argument("sets", nargs="*")
    parser.add_argument("--precision", choices=("f32", "bf16"), default="f32")
    args = parser.parse_args()
    moka, device, precision = args.moka, args.device, args.precision
    failures, count = [], 0
    for network in sorted(p.parent for p in pathlib.Path(args.folder).glob("*/model.onnx")):
        if device == "cpu":
            failure = check_kernels(moka, network, precision)
            if failure:
                failures.append(f"{network.name}: {failure}")
        numbers = args.sets or [p.stem.split("_")[1] for p in sorted(network.glob("input_*.npy"))]
        for number in numbers:
            if not (network / f"input_{number}.npy").exists():
                continue
            count += 1
            failure = compare(moka, network, device, number, precision)
            if failure:
                failures.append(f"{network.name} set {number} on {device}: {failure}")
    print("\n".join(failures) or f"{count} runs agree with torch")
    return 1 if failures or count == 0 else 0


if __name__ == "__main__":
    sys.exit(main())
