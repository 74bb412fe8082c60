#!/usr/bin/env python3
"""Converts exported networks for the engines that do not read ONNX, with each engine's own converter.

usage: convert.py FOLDER...

FOLDER is one that export_networks.py wrote; in it appear ncnn.param and ncnn.bin (by pnnx) and mnn.mnn. What a converter
cannot do is written to ncnn.failed or mnn.failed, with its last words. What is there is left alone.
"""

import importlib.util
import pathlib
import shutil
import subprocess
import sys
import tempfile

import numpy

MOST_SECONDS = 900

# Importing the package would ask for PyTorch; the program that it holds does not.
PNNX = pathlib.Path(importlib.util.find_spec("pnnx").submodule_search_locations[0]) / "pnnx"

# MNN's command-line tools install packages and talk to the network; the binding that they call does neither.
MNN_CONVERT = "import sys, _tools; sys.exit(_tools.mnnconvert(sys.argv) or 0)"


def run(command, folder):
    """What it said, and that it took too long where it did."""
    try:
        done = subprocess.run(list(map(str, command)), cwd=folder, capture_output=True, timeout=MOST_SECONDS)
    except subprocess.TimeoutExpired as expired:
        return f"{(expired.stdout or b'').decode(errors='replace')}\nit took more than {MOST_SECONDS} s"
    return (done.stdout + done.stderr).decode(errors="replace")


def to_ncnn(network, target):
    """ncnn has no batch: what it gets is the network of one sample."""
    batch = numpy.load(network / "input.npy")
    model, sample = network / ("model.onnx" if len(batch) == 1 else "single.onnx"), batch[:1]
    kinds = {"float32": "f32", "int64": "i64"}
    shape = ",".join(map(str, sample.shape))
    with tempfile.TemporaryDirectory() as folder:
        linked = pathlib.Path(folder) / "model.onnx"
        linked.symlink_to(model.resolve())
        words = run([PNNX, linked, f"inputshape=[{shape}]{kinds[str(sample.dtype)]}", "fp16=0"], folder)
        made = {part: pathlib.Path(folder) / f"model.ncnn.{part}" for part in ("bin", "param")}
        if not all(path.exists() for path in made.values()):
            return words
        for part, path in made.items():  # the target last, so that what is there is whole
            shutil.copyfile(path, target.with_suffix(f".{part}.new"))
            target.with_suffix(f".{part}.new").rename(target.with_suffix(f".{part}"))
    return None


def to_mnn(network, target):
    made = target.with_suffix(".new")
    command = [sys.executable, "-c", MNN_CONVERT, "-f", "ONNX", "--modelFile", (network / "model.onnx").resolve()]
    words = run([*command, "--MNNModel", made.resolve(), "--bizCode", "moka"], network)
    if not made.exists():
        return words
    made.rename(target)
    return None


def main():
    for folder in map(pathlib.Path, sys.argv[1:]):
        for convert, target in ((to_ncnn, folder / "ncnn.param"), (to_mnn, folder / "mnn.mnn")):
            failed = target.with_suffix(".failed")
            if target.exists() or failed.exists():
                continue
            words = convert(folder, target)
            if words is not None:
                failed.write_text(words[-2000:])
            print(folder.name, target.suffix[1:], "failed" if words is not None else "converted", flush=True)


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    main()
