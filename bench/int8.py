#!/usr/bin/env python3
"""How much faster quantized networks run than their float originals run in OpenVINO.

usage: int8.py MOKA QUANTIZED_FOLDER [NAME...] [--threads N] [--rounds N]

QUANTIZED_FOLDER is what tests/networks/quantize_networks.py writes. Per network: OpenVINO and onnxruntime on the float
and on the quantized model, moka on the quantized one. Everything is interleaved: in each round each of them runs a few
times, warmed up, and its median counts; the figures are medians over rounds. Needs onnxruntime and openvino (f32 is
asked for: OpenVINO would take bf16 where the CPU has it).
"""

import argparse
import json
import pathlib
import statistics
import subprocess
import time

import numpy
import onnxruntime
import openvino

RUNS = 15
WARMUP = 3


def median_ms(run):
    for _ in range(WARMUP):
        run()
    times = []
    for _ in range(RUNS):
        start = time.perf_counter()
        run()
        times.append((time.perf_counter() - start) * 1e3)
    return statistics.median(times)


def openvino_runner(path, x, threads):
    core = openvino.Core()
    model = core.read_model(str(path))
    model.reshape(list(x.shape))
    hints = {"INFERENCE_NUM_THREADS": threads, "INFERENCE_PRECISION_HINT": "f32", "NUM_STREAMS": 1}
    request = core.compile_model(model, "CPU", hints).create_infer_request()
    request.set_input_tensor(openvino.Tensor(x))
    return lambda: median_ms(request.infer)


def onnxruntime_runner(path, x, threads):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    feed = {session.get_inputs()[0].name: x}
    return lambda: median_ms(lambda: session.run(None, feed))


def moka_runner(moka, path, threads):
    command = [moka, "bench", str(path), "--device", "cpu", "--threads", str(threads), "--json"]
    command += ["--warmup", str(WARMUP), "--rounds", str(RUNS)]

    def run():
        out = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        return json.loads(out)["median_ms"]

    return run


def measure(moka, folder, threads, rounds):
    x = numpy.load(folder / "input.npy")
    original, quantized = folder / "model.onnx", folder / "quantized.onnx"
    runners = {
        "OpenVINO f32": openvino_runner(original, x, threads),
        "moka int8": moka_runner(moka, quantized, threads),
        "OpenVINO int8": openvino_runner(quantized, x, threads),
        "onnxruntime f32": onnxruntime_runner(original, x, threads),
        "onnxruntime int8": onnxruntime_runner(quantized, x, threads),
        "moka f32": moka_runner(moka, original, threads),
    }
    times = {name: [] for name in runners}
    for _ in range(rounds):
        for name, run in runners.items():
            times[name].append(run())
    medians = {name: statistics.median(values) for name, values in times.items()}
    base = medians["OpenVINO f32"]
    print(f"{folder.name}, {threads} thread{'s' if threads > 1 else ''}, {rounds} rounds")
    for name, ms in medians.items():
        spread = max(times[name]) / min(times[name])
        print(f"  {name:<17} {ms:8.3f} ms  {base / ms:5.2f} x OpenVINO f32  (slowest / fastest round {spread:.2f})", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("moka")
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("names", nargs="*", metavar="NAME", help="default: all that are there")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=7)
    args = parser.parse_intermixed_args()
    names = args.names or sorted(path.parent.name for path in args.folder.glob("*/quantized.onnx"))
    for name in names:
        measure(args.moka, args.folder / name, args.threads, args.rounds)


if __name__ == "__main__":
    main()
