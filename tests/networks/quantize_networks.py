#!/usr/bin/env python3
"""Quantizes exported networks with onnxruntime's static quantizer: QDQ form, weights per channel.

usage: quantize_networks.py NETWORKS_FOLDER OUTDIR [NAME...] [--activations int8|uint8]

NETWORKS_FOLDER is what export_networks.py writes. Into OUTDIR go NAME/model.onnx (the float original, with batch
normalisations folded, as the quantizer saw it), NAME/quantized.onnx, NAME/input.npy [1,3,224,224], NAME/output.npy,
which onnxruntime computes from the quantized model, and NAME/quantized.json (name of the input, step of the output).
Needs onnx and onnxruntime. The ranges of activations come from random images like those that calibrated the weights.
"""

import argparse
import json
import pathlib

import numpy
import onnx
import onnxruntime
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process

SEED = 1
IMAGES = 8
SIZE = 224
CELL = 32


def images(count, generator):
    """Colour blobs and some noise, unit variance, as calibrate.py makes them."""
    coarse = generator.standard_normal((count, 3, SIZE // CELL, SIZE // CELL))
    blobs = coarse.repeat(CELL, axis=2).repeat(CELL, axis=3)
    mixed = blobs + 0.7 * generator.standard_normal((count, 3, 1, 1))
    mixed += 0.3 * generator.standard_normal((count, 3, SIZE, SIZE))
    return ((mixed - mixed.mean()) / mixed.std()).astype(numpy.float32)


class Reader(CalibrationDataReader):
    """Hands the images to the quantizer one by one."""

    def __init__(self, name, batch):
        self.feeds = iter([{name: batch[i : i + 1]} for i in range(len(batch))])

    def get_next(self):
        return next(self.feeds, None)


def session(path, threads=1, optimize=True):
    """An onnxruntime session on the CPU."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    if not optimize:
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def output_step(graph):
    """The scale of the DequantizeLinear that makes the output."""
    [node] = [n for n in graph.node if graph.output[0].name in n.output]
    [scale] = [i for i in graph.initializer if i.name == node.input[1]]
    return float(onnx.numpy_helper.to_array(scale))


def quantize(source, folder, activations):
    """Writes the models and one pair of input and output."""
    folder.mkdir(parents=True, exist_ok=True)
    original, quantized = folder / "model.onnx", folder / "quantized.onnx"
    quant_pre_process(str(source), str(original), skip_symbolic_shape=True)
    name = onnx.load(original).graph.input[0].name
    generator = numpy.random.default_rng(SEED)
    quantize_static(
        str(original),
        str(quantized),
        Reader(name, images(IMAGES, generator)),
        quant_format=QuantFormat.QDQ,
        per_channel=True,
        activation_type=activations,
        weight_type=QuantType.QInt8,
    )
    facts = {"input": name, "output_step": output_step(onnx.load(quantized).graph)}
    (folder / "quantized.json").write_text(json.dumps(facts) + "\n")
    x = images(1, generator)
    numpy.save(folder / "input.npy", x)
    numpy.save(folder / "output.npy", session(quantized).run(None, {name: x})[0])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("networks", type=pathlib.Path)
    parser.add_argument("outdir", type=pathlib.Path)
    parser.add_argument("names", nargs="*", metavar="NAME", help="default: all that are there")
    parser.add_argument("--activations", choices=("int8", "uint8"), default="int8", help="the quantizer's default: int8")
    args = parser.parse_intermixed_args()
    kind = QuantType.QInt8 if args.activations == "int8" else QuantType.QUInt8
    there = sorted(path.parent.name for path in args.networks.glob("*/model.onnx"))
    names = args.names or [name for name in there if "opset" not in name]
    for name in names:
        quantize(args.networks / name / "model.onnx", args.outdir / name, kind)
        print(f"{args.outdir / name / 'quantized.onnx'}", flush=True)


if __name__ == "__main__":
    main()
