#!/usr/bin/env python3
"""A peer behind the line protocol of `moka bench --worker`: loads, runs once, says so, then answers.

usage: worker.py ENGINE MODEL --input NAME=x.npy [--threads N] [--precision f32|bf16]

ENGINE is onnxruntime, openvino, ncnn or mnn; MODEL what convert.py made for it. See tools/worker.h for the protocol.
Each engine runs in f32 unless bf16 is asked for, with one stream of N threads and its own defaults otherwise.
"""

import argparse
import importlib
import json
import os
import pathlib
import sys
import time

import numpy


def memory_kb():
    """(most so far, now), of this process."""
    fields = dict(line.split(":", 1) for line in open("/proc/self/status"))
    return tuple(int(fields[name].split()[0]) for name in ("VmHWM", "VmRSS"))


class OnnxRuntime:
    module = "onnxruntime"

    def __init__(self, engine, model, threads, precision):
        assert precision == "f32"
        options = engine.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        self.session = engine.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        self.name = self.session.get_inputs()[0].name

    def run(self, x):
        return self.session.run(None, {self.name: x})[0]


class OpenVino:
    module = "openvino"

    def __init__(self, engine, model, threads, precision):
        options = {
            "INFERENCE_PRECISION_HINT": precision,
            "INFERENCE_NUM_THREADS": threads,
            "NUM_STREAMS": 1,
            "PERFORMANCE_HINT": "LATENCY",
        }
        self.request = engine.Core().compile_model(model, "CPU", options).create_infer_request()

    def run(self, x):
        return self.request.infer({0: x})[0]


class Ncnn:
    """It knows no batch: samples run one after another."""

    module = "ncnn"

    def __init__(self, engine, model, threads, precision):
        self.engine = engine
        self.net = engine.Net()
        self.net.opt.num_threads = threads
        for option in ("use_fp16_packed", "use_fp16_storage", "use_fp16_arithmetic", "use_bf16_storage"):
            setattr(self.net.opt, option, False)
        self.net.opt.use_bf16_storage = precision == "bf16"
        for part, load in (("param", self.net.load_param), ("bin", self.net.load_model)):
            if load(str(pathlib.Path(model).with_suffix(f".{part}"))) != 0:
                raise RuntimeError(f"ncnn cannot load the {part} of {model}")

    def run_one(self, sample):
        extractor = self.net.create_extractor()
        extractor.input("in0", self.engine.Mat(sample).clone())
        code, result = extractor.extract("out0")
        if code != 0:
            raise RuntimeError(f"ncnn's extract returned {code}")
        return numpy.array(result)

    def run(self, x):
        samples = x.astype(numpy.int32) if x.dtype == numpy.int64 else x
        return numpy.stack([self.run_one(sample) for sample in samples])


class Mnn:
    """Its module interface: the older one cannot run the loops that recurrent networks become."""

    module = "MNN"

    def __init__(self, engine, model, threads, precision):
        nn, self.expr = importlib.import_module("MNN.nn"), importlib.import_module("MNN.expr")
        precision = "low_BF16" if precision == "bf16" else "high"
        options = {"backend": "CPU", "numThread": threads, "precision": precision}
        self.runtime = nn.create_runtime_manager((options,))
        self.net = nn.load_module_from_file(model, ["input"], ["output"], runtime_manager=self.runtime)

    def run(self, x):
        whole = x.dtype == numpy.int64
        source = self.expr.placeholder(list(x.shape), self.expr.NCHW, self.expr.int if whole else self.expr.float)
        source.write(x.astype(numpy.int32) if whole else x)
        return numpy.array(self.expr.convert(self.net.forward([source])[0], self.expr.NCHW).read())


ENGINES = {"onnxruntime": OnnxRuntime, "openvino": OpenVino, "ncnn": Ncnn, "mnn": Mnn}


def milliseconds(action):
    start = time.perf_counter()
    result = action()
    return (time.perf_counter() - start) * 1e3, result


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("engine", choices=ENGINES)
    parser.add_argument("model")
    parser.add_argument("--input", required=True)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--precision", choices=("f32", "bf16"), default="f32")
    args = parser.parse_args()

    # Some engines print as they load: only answers may reach standard output.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)

    def answer(text):
        print(text, file=answers, flush=True)

    x = numpy.load(args.input.split("=", 1)[1])
    adapter = ENGINES[args.engine]
    module = importlib.import_module(adapter.module)
    import_kb = memory_kb()[1]
    load_ms, engine = milliseconds(lambda: adapter(module, args.model, args.threads, args.precision))
    first_ms, result = milliseconds(lambda: engine.run(x))
    answer(json.dumps({"ready": 1, "import_rss_kb": import_kb, "load_ms": load_ms, "first_ms": first_ms}))
    for line in sys.stdin:
        word, _, rest = line.strip().partition(" ")
        if word == "run":
            ms, result = milliseconds(lambda: engine.run(x))
            answer(f"{ms:.6f}")
        elif word == "mem":
            answer(json.dumps(dict(zip(("peak_kb", "rss_kb"), memory_kb()))))
        elif word == "save":
            folder = pathlib.Path(rest)
            folder.mkdir(parents=True, exist_ok=True)
            numpy.save(folder / "output.npy", result)
            answer("saved")
        elif word == "quit":
            return
        else:
            answer(json.dumps({"error": f"{line.strip()!r} is none of run, mem, save DIR, quit"}))


if __name__ == "__main__":
    main()
