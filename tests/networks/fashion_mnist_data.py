#!/usr/bin/python3
"""Writes the 10,000 test images and what torch makes of them with the shipped model.

Into OUTDIR go images.npy (f32 [10000,1,28,28] in 0..1), labels.npy (i64 [10000]) and expected.npy
(f32 [10000,10], the probabilities computed in f64 with the weights of models/fashion_mnist.onnx).
"""

import argparse
import pathlib
import sys

import numpy
import torch

import onnx_wire

MODELS_DIR = pathlib.Path(__file__).resolve().parents[2] / "models"
sys.path.insert(0, str(MODELS_DIR))
import fashion_mnist_net as fashion  # noqa: E402


def load_classifier():
    """The shipped model in f64 with the weights of its ONNX file."""
    classifier = fashion.Classifier(fashion.FashionNet())
    arrays = onnx_wire.float_initializers(MODELS_DIR / "fashion_mnist.onnx")
    classifier.load_state_dict({name: torch.tensor(array) for name, array in arrays.items()})
    return classifier.double()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("outdir", type=pathlib.Path)
    args = parser.parse_args()
    args.outdir.mkdir(parents=True, exist_ok=True)

    pixels, labels = fashion.read_split("t10k")
    images = pixels / numpy.float32(255)
    classifier = load_classifier()
    with torch.no_grad():
        batches = torch.from_numpy(images).double().split(500)
        expected = torch.cat([classifier(batch) for batch in batches]).numpy()
    numpy.save(args.outdir / "images.npy", images)
    numpy.save(args.outdir / "labels.npy", labels)
    numpy.save(args.outdir / "expected.npy", expected.astype(numpy.float32))
    print(f"{(expected.argmax(1) == labels).sum()} of {len(labels)} right")


if __name__ == "__main__":
    main()
