#!/usr/bin/python3
"""Exports whole networks to ONNX together with inputs and the outputs that torch computes in f64.

Into OUTDIR go, per network, NAME/model.onnx, NAME/input_K.npy and NAME/output_K.npy (f32), and
index.json, which describes them. Needs Debian's python3-torch and python3-torchvision, no network.
"""

import argparse
import json
import pathlib
import time

import numpy
import torch
import torchvision

import calibrate
import onnx_wire
from fashion_mnist_data import fashion, load_classifier

SEED = 1
DEFAULT_OPSET = 13
SHAPES = ((1, 3, 224, 224), (2, 3, 160, 192))
SMALL_SHAPE = (1, 3, 64, 64)
FASHION_BATCHES = (1, 7)
TORCHVISION = ("resnet18", "mobilenet_v2", "squeezenet1_1", "shufflenet_v2_x1_0")
# Exported when they are named only.
LARGE = ("resnet50",)
# In the others the batch normalisations stay nodes of their own.
FOLDS_BATCH_NORM = ("mobilenet_v2",)
# What older opsets cannot say with a symbolic height and width: pooling whose size rounds up,
# splitting in a computed size.
LEAST_OPSET = {"squeezenet1_1": 10, "shufflenet_v2_x1_0": 11}


def load_torchvision(name, small):
    """The calibrated network in f64, its inputs, and the figures of the calibration."""
    torch.manual_seed(SEED)
    generator = torch.Generator().manual_seed(SEED)
    net = getattr(torchvision.models, name)(weights=None).double().eval()
    calibrate.calibrate(net, calibrate.images(12, 160, 160, generator), generator)
    if name in FOLDS_BATCH_NORM:
        calibrate.fold_batch_norms(net)
    # The reference uses the very weights that are exported.
    net.float().double()
    figures = calibrate.check(net, calibrate.images(3, 160, 192, generator))
    shapes = SHAPES + ((SMALL_SHAPE,) if small else ())
    inputs = [calibrate.images(n, h, w, generator) for n, _, h, w in shapes]
    return net, inputs, figures


def load_fashion():
    """The shipped model in f64 and real test images."""
    images = torch.from_numpy(fashion.read_split("t10k")[0]).double() / 255
    return load_classifier(), images[: sum(FASHION_BATCHES)].split(FASHION_BATCHES)


def export_torchvision(net, path, opset):
    """Writes `net` with symbolic batch, height and width, node by node as torch runs it."""
    torch.onnx.export(
        net,
        torch.zeros(SHAPES[0]),
        str(path),
        opset_version=opset,
        training=torch.onnx.TrainingMode.PRESERVE,
        do_constant_folding=False,
        input_names=["input"],
        output_names=["output"],
        dynamic_axes={"input": {0: "batch", 2: "height", 3: "width"}, "output": {0: "batch"}},
    )


@torch.no_grad()
def compute_sets(net, inputs):
    """Pairs of input and output, both f32, the outputs computed in f64 by `net`."""
    rounded = [x.float() for x in inputs]
    return [(x.numpy(), net(x.double()).float().numpy()) for x in rounded]


def export(name, outdir, opsets, small):
    """Exports the network `name` once per opset and returns its entries of the index."""
    entries, figures = {}, {}
    is_fashion = name == "fashion_mnist"
    if is_fashion:
        net, inputs = load_fashion()
    else:
        net, inputs, figures = load_torchvision(name, small)
    sets = compute_sets(net, inputs)
    net.float()
    for opset in opsets:
        key = name if opset == DEFAULT_OPSET else f"{name}_opset{opset}"
        folder = outdir / key
        folder.mkdir(parents=True, exist_ok=True)
        for index, (x, y) in enumerate(sets):
            numpy.save(folder / f"input_{index}.npy", x)
            numpy.save(folder / f"output_{index}.npy", y)
        path = folder / "model.onnx"
        if is_fashion:
            fashion.export_classifier(net, path, opset)
        else:
            export_torchvision(net, path, opset)
        entries[key] = {
            "opset": opset,
            "parameters": sum(p.numel() for p in net.parameters()),
            "operators": onnx_wire.operators(path),
            "calibration": figures,
            "sets": [{"input_shape": x.shape, "output_shape": y.shape} for x, y in sets],
        }
    return entries


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("outdir", type=pathlib.Path)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"default: all but {', '.join(LARGE)}")
    parser.add_argument("--opset", type=int, action="append", help="may be given more than once")
    parser.add_argument("--small", action="store_true", help=f"add a set of {SMALL_SHAPE}")
    args = parser.parse_intermixed_args()
    known = (*TORCHVISION, *LARGE, "fashion_mnist")
    unknown = set(args.names) - set(known)
    if unknown:
        parser.error(f"unknown network {', '.join(sorted(unknown))}; known: {', '.join(known)}")
    names, opsets = args.names or (*TORCHVISION, "fashion_mnist"), args.opset or [DEFAULT_OPSET]
    for name in names:
        if min(opsets) < LEAST_OPSET.get(name, 0):
            parser.error(f"{name} needs opset {LEAST_OPSET[name]} or later")

    torch.use_deterministic_algorithms(True)
    index_path = args.outdir / "index.json"
    index = json.loads(index_path.read_text()) if index_path.exists() else {}
    for name in names:
        start = time.monotonic()
        entries = export(name, args.outdir, opsets, args.small)
        for key, entry in entries.items():
            print(key, json.dumps({k: v for k, v in entry.items() if k != "sets"}))
        print(f"{name}: {time.monotonic() - start:.1f} s", flush=True)
        index.update(entries)
    index_path.write_text(json.dumps(index, indent=1, sort_keys=True) + "\n")


if __name__ == "__main__":
    main()
