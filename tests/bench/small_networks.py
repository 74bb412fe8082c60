#!/usr/bin/python3
"""Exports small networks of known kinds, with random weights, in a second or two. usage: small_networks.py NAME OUT.onnx"""

import pathlib
import sys

import torch

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "bench/peers"))
import models  # noqa: E402

WIDTH, TOKENS, VOCABULARY, SIDE = 64, 32, 100, 64


def tokens():
    """A layer of BERT, then a bidirectional LSTM tagger."""
    bert = models.Bert(VOCABULARY, WIDTH, heads=4, layers=1, positions=TOKENS)
    return torch.nn.Sequential(bert, models.Tagger(WIDTH, WIDTH)), torch.zeros(1, TOKENS, dtype=torch.int64)


def unet():
    """Two levels of a U-Net, for its wide 3x3 convolutions."""
    return models.UNet(channels=(32, 64)), torch.zeros(1, 3, SIDE, SIDE)


def main():
    torch.manual_seed(1)
    net, x = {"tokens": tokens, "unet": unet}[sys.argv[1]]()
    torch.onnx.export(net.eval(), x, sys.argv[2], opset_version=17)


if __name__ == "__main__":
    main()
