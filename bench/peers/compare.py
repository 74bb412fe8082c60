#!/usr/bin/env python3
"""Times moka and its peers on the same networks, in alternation, and prints and stores the table.

usage: compare.py MOKA PROBE PYTHON NETWORKS_DIR OUT.json [NAME...] [--core] [--isa avx2] [--threads 1 2] [--rounds N]

MOKA is the program `moka`, PROBE bench/machine_probe, PYTHON the interpreter that has the peers (requirements.txt),
NETWORKS_DIR what export_networks.py and convert.py wrote. Per network and number of threads each engine is a worker
process; they load one after another, and then take turns: in each round each engine runs once after a sweep of the caches
(cold) and then RUNS times in a row (warm, their median counts). Loading and first results are medians over STARTS processes.
The peak of the machine and the round trip of a cache line between two threads are sampled in each round too. The figures
are medians over rounds.
"""

import argparse
import contextlib
import json
import os
import pathlib
import statistics
import subprocess
import tempfile

import numpy

from networks import choose
from table import row_of

HERE = pathlib.Path(__file__).resolve().parent
ENGINES = ("moka", "onnxruntime", "openvino", "ncnn", "mnn")
FILES = {"ncnn": "ncnn.param", "mnn": "mnn.mnn"}
# How engines are kept from wider vectors. The released onnxruntime, ncnn and MNN look at the CPU alone and have no such
# switch; OpenVINO limits what it computes with oneDNN, that is convolutions and products.
LIMITS = {"avx2": {"moka": {"MOKA_SIMD_TARGET": "AVX2"}, "openvino": {"ONEDNN_MAX_CPU_ISA": "AVX2"}}}
RUNS = 5
STARTS = 3
# Beyond this difference from f64, relative to the largest output, an engine computes something else.
WORST_ERROR = 1e-2


class Talker:
    """A process that answers lines."""

    def __init__(self, command, log, settings):
        self.process = subprocess.Popen(
            list(map(str, command)),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            bufsize=1,
            env={**os.environ, **settings},
        )

    def read(self):
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"it ended with {self.process.wait()}")
        return line.strip()

    def ask(self, line):
        # A process that is gone is known by its silence.
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.write(line + "\n")
        return self.read()

    def end(self):
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.close()
        self.process.wait()


def command_of(engine, args, folder, threads):
    model = folder / FILES.get(engine, "model.onnx")
    common = ["--input", f"input={folder / 'input.npy'}", "--threads", threads]
    if engine == "moka":
        return [args.moka, "bench", model, "--worker", *common]
    return [args.python, HERE / "worker.py", engine, model, *common]


def settings_of(engine, args):
    """Of its environment."""
    return LIMITS[args.isa].get(engine, {}) if args.isa else {}


def flops_of(args, name):
    """Of one inference, as moka counts them: two for a product and its sum."""
    command = [args.moka, "bench", args.networks / name / "model.onnx", "--json", "--rounds", "1", "--warmup", "0"]
    report = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False)
    return sum(n["flops"] for n in json.loads(report.stdout)["nodes"]) if report.returncode == 0 else 0


def package_bytes(args):
    """What each engine puts on a disk: the files of its package; of moka, the library and the program in one, stripped."""
    code = (
        "import importlib.metadata as m, json, sys; print(json.dumps({n: sum(f.locate().stat().st_size for f in "
        "m.files(n) if f.locate().is_file()) for n in sys.argv[1:]}))"
    )
    peers = [engine for engine in args.engines if engine != "moka"]
    sizes = json.loads(subprocess.check_output([args.python, "-c", code, *peers], text=True))
    with tempfile.NamedTemporaryFile() as stripped:
        subprocess.run(["strip", "-o", stripped.name, args.moka], check=True)
        return {"moka": pathlib.Path(stripped.name).stat().st_size, **sizes}


def error_of(worker, folder, scratch):
    """(largest difference from f64 relative to its largest output, all first places the same)."""
    worker.ask(f"save {scratch}")
    got, want = numpy.load(next(scratch.glob("*.npy"))), numpy.load(folder / "output.npy")
    if got.size != want.size:
        raise RuntimeError(f"its output has shape {got.shape}, not {want.shape}")
    got = got.reshape(want.shape).astype(numpy.float64)
    error = float(abs(got - want).max() / abs(want).max())
    if not error < WORST_ERROR:
        raise RuntimeError(f"its output is {error:.2g} off")
    return error, bool((got.argmax(-1) == want.argmax(-1)).all())


def start(args, name, threads, scratch, log):
    """Workers that are ready and right, and a dictionary of figures for each engine, also for those that failed."""
    folder, workers, figures = args.networks / name, {}, {}
    for engine in args.engines:
        readies = []
        try:
            for _ in range(STARTS):
                worker = Talker(command_of(engine, args, folder, threads), log, settings_of(engine, args))
                readies.append(json.loads(worker.read()))
                if len(readies) < STARTS:
                    worker.end()
            memory = json.loads(worker.ask("mem"))
            target = scratch / f"{name}_{engine}_{threads}"
            error, same_top = error_of(worker, folder, target)
        except (RuntimeError, ValueError, StopIteration) as failure:
            figures[engine] = {"failed": str(failure)}
            worker.end()
            continue
        figures[engine] = {
            "load_ms": statistics.median(r["load_ms"] for r in readies),
            "first_ms": statistics.median(r["first_ms"] for r in readies),
            "ready_ms": statistics.median(r["load_ms"] + r["first_ms"] for r in readies),
            "memory_mb": (memory["peak_kb"] - readies[-1]["import_rss_kb"]) / 1024,
            "error": error,
            "same_top": same_top,
        }
        workers[engine] = worker
    return workers, figures


def measure(args, network, threads, probe, scratch, log):
    """One entry of the table."""
    name = network.name
    workers, figures = start(args, name, threads, scratch, log)
    samples = {engine: {"warm": [], "cold": []} for engine in workers}
    peaks, trips = [], []
    for round_number in range(args.rounds + 1 if workers else 0):
        # Whoever goes first meets a machine that rested.
        order = list(workers)
        order = order[round_number % len(order) :] + order[: round_number % len(order)]
        peaks.append(float(probe.ask(f"peak {threads}")))
        trips.append(float(probe.ask("pingpong")))
        for engine in order:
            probe.ask("sweep")
            cold = float(workers[engine].ask("run"))
            warm = statistics.median(float(workers[engine].ask("run")) for _ in range(RUNS))
            if round_number > 0:
                samples[engine]["cold"].append(cold)
                samples[engine]["warm"].append(warm)
    for engine, worker in workers.items():
        figures[engine]["ms"] = statistics.median(samples[engine]["warm"])
        figures[engine]["cold_ms"] = statistics.median(samples[engine]["cold"])
        figures[engine]["samples"] = samples[engine]
        worker.end()
    return {
        "network": name,
        "kind": network.kind,
        "flops": flops_of(args, name),
        "threads": threads,
        "peak_gflops": statistics.median(peaks or [0]),
        "pingpong_ns": statistics.median(trips or [0]),
        "engines": figures,
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for argument in ("moka", "probe", "python", "networks", "out"):
        parser.add_argument(argument, type=pathlib.Path)
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--core", action="store_true")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--engines", nargs="+", choices=ENGINES)
    parser.add_argument("--isa", choices=LIMITS, help="limit those engines to it that can be, and measure no others")
    args = parser.parse_intermixed_args()
    args.engines = args.engines or [e for e in ENGINES if not args.isa or e in LIMITS[args.isa]]
    scratch = args.out.parent / "outputs"
    scratch.mkdir(parents=True, exist_ok=True)
    results = {"engines": args.engines, "isa": args.isa, "package_bytes": package_bytes(args), "entries": []}
    with open(args.out.with_suffix(".log"), "w", encoding="utf-8") as log:
        probe = Talker([args.probe], log, settings_of("moka", args))
        for network in choose(args.names, args.core):
            for threads in args.threads:
                entry = measure(args, network, threads, probe, scratch, log)
                results["entries"].append(entry)
                print(row_of(entry, args.engines), flush=True)
                args.out.write_text(json.dumps(results, indent=1) + "\n")
        probe.end()


if __name__ == "__main__":
    main()
