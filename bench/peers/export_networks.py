#!/usr/bin/python3
"""Exports the networks of networks.py: calibrated random weights, an input, and the outputs that torch computes in f64.

usage: export_networks.py OUTDIR [NAME...] [--core]   (names: see networks.py)

Into OUTDIR/NAME go model.onnx (fixed shapes, opset 17), input.npy, output.npy in f64, and for a batch single.onnx, the
same network for one sample. A network that is there is left alone. Needs Debian's python3-torch and python3-torchvision, no network.
"""

import argparse
import json
import pathlib
import sys
import unittest.mock

import numpy
import torch
from torch import nn
from torchvision.models.convnext import CNBlock
from torchvision.models.swin_transformer import ShiftedWindowAttention
from torchvision.models.vision_transformer import VisionTransformer

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/networks"))
import calibrate  # noqa: E402
from fashion_mnist_data import fashion, load_classifier  # noqa: E402
from networks import GEMM, SHIPPED, choose  # noqa: E402

SEEDS = range(1, 17)
OPSET = 17
CALIBRATION_BATCH = 24
# Where normalizations compute their statistics as they run, few samples tell the scale of a layer.
SELF_NORMALIZING_BATCH = 4
PLAIN_BATCH = 4


def make_inputs(network, count, generator):
    """`count` samples as the network takes them."""
    sides = network.shape[1:]
    if network.vocabulary:
        return torch.randint(network.vocabulary, (count, *sides), generator=generator)
    if len(sides) == 3 and not network.extra:
        # Each picture of unit variance by itself: deep networks amplify a difference in contrast without bound.
        pictures = calibrate.images(count, sides[1], sides[2], generator)
        return (pictures - pictures.mean((1, 2, 3), keepdim=True)) / pictures.std((1, 2, 3), keepdim=True)
    return torch.randn(count, *sides, generator=generator, dtype=torch.float64)


@torch.no_grad()
def wake(net, generator):
    """Gives weights that torchvision starts near zero, and that no layer calls, a scale at which they matter."""

    def unit(weight, gain):
        noise = torch.randn(weight.shape, generator=generator, dtype=weight.dtype)
        weight.copy_(noise * gain / weight.shape[1] ** 0.5)

    for module in net.modules():
        if isinstance(module, CNBlock):
            module.layer_scale.fill_(0.5)
        elif isinstance(module, ShiftedWindowAttention):
            unit(module.qkv.weight, 1)
            unit(module.proj.weight, 2)
        elif isinstance(module, nn.MultiheadAttention):
            unit(module.in_proj_weight, 1)
            unit(module.out_proj.weight, 2)
        elif isinstance(module, VisionTransformer):
            unit(module.heads.head.weight, 1)


@torch.no_grad()
def make_plain(network):
    """The network in f64 with the weights that torch gives it; batch normalizations know the statistics of a batch."""
    torch.manual_seed(1)
    net = network.make()
    norms = [m for m in net.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)]
    for norm in norms:
        norm.momentum = None
    if norms:
        net.train()(make_inputs(network, PLAIN_BATCH, torch.Generator().manual_seed(1)).float())
    return net.double().eval()


def make_net(network):
    """The calibrated network in f64 and the figures of the calibration, of the first seed with which they hold.

    Random networks with many gates amplify what tells two inputs apart, or lose it, as chance will have it.
    """
    batch = SELF_NORMALIZING_BATCH if network.kind == GEMM else CALIBRATION_BATCH
    for seed in SEEDS:
        torch.manual_seed(seed)
        generator = torch.Generator().manual_seed(seed)
        net = network.make().double().eval()
        wake(net, generator)
        calibrate.calibrate(net, make_inputs(network, batch, generator), generator)
        # The reference uses the very weights that are exported.
        net.float().double()
        try:
            return net, {"seed": seed, **calibrate.check(net, make_inputs(network, 3, generator))}
        except AssertionError as failure:
            print(f"{network.name}, seed {seed}: {failure}", file=sys.stderr, flush=True)
    raise SystemExit(f"{network.name}: no seed gives a network that tells inputs apart")


def write_onnx(net, x, path):
    names = {"input_names": ["input"], "output_names": ["output"]}
    # torchvision's Swin calls it in training mode, with a ratio of 0: some engines refuse that. Without gradients, attention
    # would run in one native operator, which the exporter does not know.
    with torch.enable_grad(), unittest.mock.patch("torch.nn.functional.dropout", lambda x, *_, **__: x):
        torch.onnx.export(net, x, str(path), opset_version=OPSET, **names)


@torch.no_grad()
def export(network, folder):
    folder.mkdir(parents=True, exist_ok=True)
    figures = {}
    if network is SHIPPED:
        net = load_classifier()
        x = torch.from_numpy(fashion.read_split("t10k")[0][: network.shape[0]]).double() / 255
    else:
        net, figures = (make_plain(network), {}) if network.extra else make_net(network)
        x = make_inputs(network, network.shape[0], torch.Generator().manual_seed(0))
    assert tuple(x.shape) == network.shape, (x.shape, network.shape)
    x = x if network.vocabulary else x.float()
    numpy.save(folder / "input.npy", x.numpy())
    numpy.save(folder / "output.npy", net(x if network.vocabulary else x.double()).numpy())
    if len(x) > 1:
        write_onnx(net.float(), x[:1], folder / "single.onnx")
    path = folder / "exported.onnx"
    write_onnx(net.float(), x, path)
    (folder / "calibration.json").write_text(json.dumps(figures) + "\n")
    # Last, so that what is there is whole.
    path.rename(folder / "model.onnx")
    print(network.name, json.dumps(figures), flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("outdir", type=pathlib.Path)
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--core", action="store_true")
    args = parser.parse_args()
    for network in choose(args.names, args.core):
        folder = args.outdir / network.name
        if not (folder / "model.onnx").exists():
            export(network, folder)


if __name__ == "__main__":
    main()
