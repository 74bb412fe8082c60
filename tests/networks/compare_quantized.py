#!/usr/bin/python3
"""Runs quantized networks through `moka run` and compares with what onnxruntime computed.

usage: compare_quantized.py MOKA NETWORKS_FOLDER DEVICE

NETWORKS_FOLDER/uint8/NAME and NETWORKS_FOLDER/int8/NAME are what quantize_networks.py writes with activations of these
types. Results must agree with onnxruntime's on the former within one step of the last quantization. The latter are the same
networks, all bytes less 128, and must give the same; but onnxruntime runs some of their layers on floats, and
where two programs round one byte of a network of random weights differently, the layers behind it make that large.
Nothing between the first and the last layer may work on floats. Leaves with 77 (skipped) where there are no such
networks.
"""

import json
import pathlib
import subprocess
import sys
import tempfile

import numpy

ON_FLOATS = {"Conv", "Gemm", "MatMul", "Add", "Elementwise", "GlobalAveragePool"}


def compare(moka, network, device):
    """Returns a line of failure, or None."""
    facts = json.loads((network / "quantized.json").read_text())
    with tempfile.TemporaryDirectory() as out:
        command = [moka, "run", network / "quantized.onnx", "--device", device, "--strict"]
        command += ["--input", f"{facts['input']}={network}/input.npy", "--output-dir", out]
        run = subprocess.run(command, capture_output=True, text=True)
        if run.returncode != 0:
            return f"exit code {run.returncode}: {run.stderr.strip()[:2000]}"
        [path] = pathlib.Path(out).iterdir()
        got = numpy.load(path)
    want = numpy.load(network.parent.parent / "uint8" / network.name / "output.npy")
    steps = numpy.rint(numpy.abs(got.astype(numpy.float64) - want) / facts["output_step"])
    spread = float((want.max() - want.min()) / facts["output_step"])
    print(f"{network.parent.name} {network.name}: at most {steps.max():.0f} of {spread:.0f} steps off", flush=True)
    return None if steps.max() <= 1 and spread > 100 else f"{steps.max():.0f} of {spread:.0f} steps off"


def floats_inside(moka, network, device):
    """Operators on floats in the plan."""
    command = [moka, "bench", network / "quantized.onnx", "--device", device, "--rounds", "1", "--warmup", "0", "--json"]
    run = subprocess.run(command, capture_output=True, text=True, check=True)
    ops = [node["op"] for node in json.loads(run.stdout)["nodes"]]
    return sorted(set(ops) & ON_FLOATS)


def main():
    moka, folder, device = sys.argv[1:]
    failures, count = [], 0
    for network in sorted(p.parent for p in pathlib.Path(folder).glob("*/*/quantized.onnx")):
        count += 1
        failure = compare(moka, network, device)
        floats = floats_inside(moka, network, device)
        if failure or floats:
            failures.append(f"{network}: {failure or 'agrees'}, on floats: {floats}")
    if count == 0:
        print(f"skipped: no quantized networks in {folder}")
        return 77
    print("\n".join(failures) or f"{count} networks agree with onnxruntime")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
