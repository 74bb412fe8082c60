#!/usr/bin/env python3
"""Converts exported networks for the engines that do not read ONNX, with each engine's own converter.

usage: convert.py FOLDER...

FOLDER is one that export_networks.py wrote; in it appear ncnn.param and ncnn.bin (by pnnx) and mnn.mnn. What a converter
cannot do is written to NAME.failed, with its last words. What is there is left alone.
"""

import importlib.util
import pathlib
import subprocess
import sys
import tempfile

import numpy

# Importing the package would ask for PyTorch; the program that it holds does not.
PNNX = pathlib.Path(importlib.util.find_spec("pnnx").submodule_search_locations[0]) / "pnnx"

# MNN's command-line tools install packages and talk to the network; the binding that they call does neither.
MNN_CONVERT = "import sys, _tools; sys.exit(_tools.mnnconvert(sys.argv) or 0)"


def run(command, folder):
    return subprocess.run(list(map(str, command)), cwd=folder, capture_output=True, text=True, timeout=900)


def to_ncnn(model, sample, target):
    """ncnn has no batch: what it gets is the network of one sample."""
    kinds = {"float32": "f32", "int64": "i64"}
    shape = ",".join(map(str, sample.shape))
    with tempfile.TemporaryDirectory() as folder:
        linked = pathlib.Path(folder) / "model.onnx"
        linked.symlink_to(model.resolve())
        done = run([PNNX, linked, f"inputshape=[{shape}]{kinds[str(sample.dtype)]}", "fp16=0"], folder)
        for part in ("param", "bin"):
            made = pathlib.Path(folder) / f"model.ncnn.{part}"
            if not made.exists():
                return done.stdout + done.stderr
            target.with_suffix(f".{part}").write_bytes(made.read_bytes())
    return None


def to_mnn(model, sample, target):
    command = [sys.executable, "-c", MNN_CONVERT, "-f", "ONNX", "--modelFile", model.resolve()]
    done = run([*command, "--MNNModel", target.resolve(), "--bizCode", "moka"], model.parent)
    return None if target.exists() else done.stdout + done.stderr


def main():
    for folder in map(pathlib.Path, sys.argv[1:]):
        sample = numpy.load(folder / "input.npy")
        for convert, target in ((to_ncnn, folder / "ncnn.param"), (to_mnn, folder / "mnn.mnn")):
            failed = target.with_suffix(".failed")
            if target.exists() or failed.exists():
                continue
            # The network of a batch of 8 is that of one sample where no batch is known.
            source = folder.parent / folder.name.removesuffix("_batch8") if convert is to_ncnn else folder
            words = convert(source / "model.onnx", sample[:1] if convert is to_ncnn else sample, target)
            if words is not None:
                failed.write_text(words[-2000:])
            print(folder.name, target.suffix[1:], "failed" if words is not None else "converted", flush=True)


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    main()
