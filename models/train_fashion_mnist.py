#!/usr/bin/python3
"""Trains the shipped model and writes it as ONNX, with its labels and its accuracy.

Needs Debian's python3-torch and dataset-fashion-mnist; about ten minutes on two cores.
"""

import argparse
import hashlib
import json
import math
import pathlib
import time

import numpy
import torch
from torch import nn

import fashion_mnist_net as fashion

SEED = 1
THREADS = 2
BATCH = 128
PEAK_RATE = 0.15
WARM_UP = 0.1
SHIFT = 1


def learning_rate(progress):
    """Rate at `progress` in 0..1: linear warm-up, then half a cosine down to zero."""
    if progress < WARM_UP:
        return PEAK_RATE * progress / WARM_UP
    phase = (progress - WARM_UP) / (1 - WARM_UP)
    return PEAK_RATE * 0.5 * (1 + math.cos(math.pi * phase))


def augment(images):
    """Mirrors half of `images` [n,1,h,w] and moves each by up to SHIFT pixels, zeros moving in."""
    count, _, height, width = images.shape
    padded = nn.functional.pad(images[:, 0], (SHIFT,) * 4)
    shift = torch.randint(0, 2 * SHIFT + 1, (2, count, 1))
    rows = torch.arange(height) + shift[0]
    columns = torch.arange(width) + shift[1]
    mirrored = width - 1 + 2 * SHIFT - columns
    columns = torch.where(torch.rand(count, 1) < 0.5, mirrored, columns)
    picked = padded[torch.arange(count)[:, None, None], rows[:, :, None], columns[:, None, :]]
    return picked[:, None]


def train(net, images, labels, epochs):
    """Fits `net` to `images` [n,1,28,28] in 0..1 by stochastic gradient descent."""
    loss_of = nn.CrossEntropyLoss(label_smoothing=0.05)
    optimizer = torch.optim.SGD(net.parameters(), 0.0, 0.9, weight_decay=1e-4, nesterov=True)
    steps = len(images) // BATCH
    net.train().to(memory_format=torch.channels_last)
    for epoch in range(epochs):
        start, total_loss = time.monotonic(), 0.0
        order = torch.randperm(len(images))
        for step in range(steps):
            for group in optimizer.param_groups:
                group["lr"] = learning_rate((epoch * steps + step) / (epochs * steps))
            batch = order[step * BATCH : (step + 1) * BATCH]
            optimizer.zero_grad()
            loss = loss_of(net(augment(images[batch])), labels[batch])
            loss.backward()
            optimizer.step()
            total_loss += loss.item()
        seconds = time.monotonic() - start
        print(
            f"epoch {epoch + 1}/{epochs} loss {total_loss / steps:.4f} {seconds:.0f} s", flush=True
        )
    net.eval().to(memory_format=torch.contiguous_format)


@torch.no_grad()
def count_correct(classifier, images, labels):
    """How many of `images` the classifier labels right."""
    batches = zip(images.split(500), labels.split(500))
    return sum((classifier(x).argmax(1) == y).sum().item() for x, y in batches)


def load_split(split, data_dir):
    images, labels = fashion.read_split(split, data_dir)
    return torch.from_numpy(images / numpy.float32(255)), torch.from_numpy(labels)


def write_card(classifier, onnx_path, correct, total):
    """Writes the labels and the JSON card next to `onnx_path`."""
    card = {
        "framework": f"torch {torch.__version__}",
        "accuracy": correct / total,
        "correct": correct,
        "images": total,
        "parameters": sum(p.numel() for p in classifier.parameters()),
        "labels": fashion.LABELS,
        "sha256": hashlib.sha256(onnx_path.read_bytes()).hexdigest(),
    }
    onnx_path.with_suffix(".json").write_text(json.dumps(card, indent=2) + "\n")
    onnx_path.with_suffix(".labels.txt").write_text("\n".join(fashion.LABELS) + "\n")
    print(json.dumps(card))


def main():
    here = pathlib.Path(__file__).resolve().parent
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", default=fashion.DATA_DIR, help="folder of the .gz files")
    parser.add_argument("--output", type=pathlib.Path, default=here / "fashion_mnist.onnx")
    parser.add_argument("--epochs", type=int, default=20)
    args = parser.parse_args()

    # The number of threads decides the order of sums, so it is part of the recipe.
    torch.set_num_threads(THREADS)
    torch.use_deterministic_algorithms(True)
    torch.manual_seed(SEED)

    net = fashion.FashionNet()
    train(net, *load_split("train", args.data), args.epochs)
    classifier = fashion.Classifier(net)
    fashion.export_classifier(classifier, args.output, opset=13)
    images, labels = load_split("t10k", args.data)
    write_card(classifier, args.output, count_correct(classifier, images, labels), len(labels))


if __name__ == "__main__":
    main()
