#!/usr/bin/env python3
"""Run trained models on real pictures, speech and files, and compare every output with onnxruntime's.

usage: compare_real_models.py MOKA FOLDER [--device NAME] [--only TEXT]

FOLDER is what scripts/get_real_models.sh made. Prints a line a model: the largest difference, relative to the largest
output, and the part of the work that scalar references did. Fails when an output differs by more than its bound, when
the class or the decision is another, when references did more than they may, or when no model ran.
"""

import argparse
import json
import re
import subprocess
import sys
import tempfile
import wave
from pathlib import Path

import numpy as np
import onnxruntime
from PIL import Image

# Of a model's work, in operations and bytes: a scalar loop takes up to 20 times as long as a kernel, and references may
# take 1 % of the time. Times themselves would differ from run to run.
MOST_BY_REFERENCE = 0.01 / 20
BOUND = 2e-3  # of the largest output: two engines sum in different orders, over up to a hundred layers


class Moka:
    """The command line as a function from named arrays to named arrays."""

    def __init__(self, binary: str, device: str) -> None:
        self.binary, self.device = binary, device
        self.by_reference = {}  # model: part of its work
        self.references = set()

    def call(self, command: str, model: Path, *options: str) -> str:
        line = [self.binary, command, str(model), "--device", self.device, *options]
        done = subprocess.run(line, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise RuntimeError(done.stdout + done.stderr)
        return done.stdout

    def run(self, model: Path, feeds: dict) -> dict:
        with tempfile.TemporaryDirectory() as scratch:
            inputs = []
            for k, (name, array) in enumerate(feeds.items()):
                path = Path(scratch, f"input_{k}.npy")
                np.save(path, array)
                inputs += ["--input", f"{name}={path}"]
            self.call("run", model, "--output-dir", scratch, *inputs)
            if model not in self.by_reference:
                self.weigh(model, json.loads(self.call("info", model, "--json", *inputs))["plan"]["steps"])
            made = [path for path in Path(scratch).glob("*.npy") if not path.stem.startswith("input_")]
            return {path.stem: np.load(path) for path in made}

    def weigh(self, model: Path, steps: list) -> None:
        """What references do of the plan, subgraphs included."""
        slow = [step for step in steps if step["kernel"].startswith("reference/")]
        work, all_work = (sum(step["flops"] + step["bytes"] for step in part) for part in (slow, steps))
        self.by_reference[model] = work / max(all_work, 1)
        self.references.update(step["kernel"] for step in slow)


def reference(model: Path):
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = 2
    return onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])


def difference(got: dict, want: dict) -> float:
    """The largest difference of any output, relative to that output's largest element."""
    worst = 0.0
    for name, array in want.items():
        found = got[name]
        if found.shape != array.shape:
            raise RuntimeError(f"output {name}: shape {found.shape}, expected {array.shape}")
        if array.size:
            scale = max(float(np.abs(array).max()), 1e-6)
            worst = max(worst, float(np.abs(found.astype(np.float64) - array).max()) / scale)
    return worst


def compare_once(moka: Moka, model: Path, feeds: dict) -> tuple:
    session = reference(model)
    names = [output.name for output in session.get_outputs()]
    want = dict(zip(names, session.run(names, feeds)))
    files = moka.run(model, feeds)
    got = {name: files[re.sub(r"[^A-Za-z0-9._-]", "_", name)] for name in names}  # as the command line names its files
    return difference(got, want), got, want


def picture(path: Path, height: int, width: int) -> np.ndarray:
    """[1, 3, height, width], mean 0.5 and deviation 0.5 taken off, as PP-OCR takes it."""
    image = Image.open(path).convert("RGB").resize((width, height), Image.BILINEAR)
    array = np.asarray(image, np.float32) / 255.0
    return ((array - 0.5) / 0.5).transpose(2, 0, 1)[None].copy()


def text_line(path: Path, height: int, width: int) -> np.ndarray:
    """A band out of the page, which holds a line or two of text."""
    page = Image.open(path).convert("RGB")
    band = page.crop((0, page.height // 4, page.width, page.height // 4 + 24)).resize((width, height), Image.BILINEAR)
    return ((np.asarray(band, np.float32) / 255.0 - 0.5) / 0.5).transpose(2, 0, 1)[None].copy()


def speech(path: Path) -> np.ndarray:
    with wave.open(str(path)) as file:
        assert file.getframerate() == 16000 and file.getsampwidth() == 2
        samples = np.frombuffer(file.readframes(file.getnframes()), np.int16)
    return samples.astype(np.float32) / 32768.0


def check_detection(moka: Moka, models: Path, data: Path) -> float:
    worst = 0.0
    for height, width in ((192, 384), (320, 320)):
        error, got, want = compare_once(
            moka, models / "rapidocr.PP-OCRv6_det_small.onnx", {"x": picture(data / "page.png", height, width)}
        )
        name = next(iter(want))
        if (want[name] > 0.3).sum() < 100:
            raise RuntimeError("the detector finds no text on a page of text: the input is wrong")
        if ((got[name] > 0.3) != (want[name] > 0.3)).mean() > 1e-3:
            raise RuntimeError("the detected areas differ")
        worst = max(worst, error)
    return worst


def check_recognition(moka: Moka, models: Path, data: Path) -> float:
    worst = 0.0
    for width in (320, 480):
        error, got, want = compare_once(
            moka, models / "rapidocr.PP-OCRv6_rec_small.onnx", {"x": text_line(data / "page.png", 48, width)}
        )
        name = next(iter(want))
        if (got[name].argmax(-1) != want[name].argmax(-1)).any():
            raise RuntimeError("the recognised characters differ")
        worst = max(worst, error)
    return worst


def check_orientation(moka: Moka, models: Path, data: Path) -> float:
    line = text_line(data / "page.png", 48, 192)
    feeds = {"x": np.concatenate([line, line[:, :, ::-1, ::-1]]).copy()}
    error, got, want = compare_once(moka, models / "rapidocr.ch_ppocr_mobile_v2.0_cls_mobile.onnx", feeds)
    name = next(iter(want))
    if (got[name].argmax(-1) != want[name].argmax(-1)).any():
        raise RuntimeError("the orientation differs")
    return error


def check_files(moka: Moka, models: Path, data: Path) -> float:
    """Magika: the first and the last 1,024 bytes, 256 stands for nothing."""
    rows = []
    for path in (Path(__file__), data / "page.png", Path("/bin/ls"), next(data.glob("*.wav"))):
        content = path.read_bytes().strip()
        row = np.full(2048, 256, np.int32)
        head, tail = content[:1024], content[-1024:]
        row[: len(head)] = np.frombuffer(head, np.uint8)
        row[2048 - len(tail) :] = np.frombuffer(tail, np.uint8)
        rows.append(row)
    error, got, want = compare_once(moka, models / "magika.model.onnx", {"bytes": np.stack(rows)})
    name = next(iter(want))
    if (got[name].argmax(-1) != want[name].argmax(-1)).any() or len(set(want[name].argmax(-1))) < 3:
        raise RuntimeError("the file types differ, or four different files have the same")
    return error


def check_notes(moka: Moka, models: Path, data: Path) -> float:
    """basic-pitch wants two seconds at 22,050 Hz."""
    samples = speech(sorted(data.glob("*sense*.wav"))[0])
    at = np.arange(43844) * (16000 / 22050)
    audio = np.interp(at, np.arange(samples.size), samples).astype(np.float32)
    feeds = {"serving_default_input_2:0": np.stack([audio, audio[::-1]])[..., None].copy()}
    return compare_once(moka, models / "basic_pitch.nmp.onnx", feeds)[0]


def check_voice(moka: Moka, models: Path, data: Path, name: str) -> float:
    """Frame by frame; each engine keeps its own state."""
    model = models / name
    session = reference(model)
    names = [output.name for output in session.get_outputs()]
    takes_rate = any(value.name == "sr" for value in session.get_inputs())
    samples = speech(sorted(data.glob("*sense*.wav"))[0])
    states = [np.zeros((2, 1, 128), np.float32)] * 2
    worst, chances = 0.0, []
    for frame in range(1, 12):
        window = samples[frame * 512 - 64 : frame * 512 + 512][None]
        rate = {"sr": np.array(16000, np.int64)} if takes_rate else {}
        want = dict(zip(names, session.run(names, {"input": window, "state": states[0], **rate})))
        got = moka.run(model, {"input": window, "state": states[1], **rate})
        worst = max(worst, difference(got, want))
        states = [want["stateN"], got["stateN"]]
        chances.append(float(want["output"].ravel()[0]))
    if max(chances) < 0.5:
        raise RuntimeError("no speech is found in speech: the input is wrong")
    return worst


def check_voice_sequence(moka: Moka, models: Path, data: Path) -> float:
    samples = speech(sorted(data.glob("*sense*.wav"))[0])
    windows = np.stack([samples[k * 512 - 64 : k * 512 + 512] for k in range(1, 40)])
    zeros = np.zeros((1, 1, 128), np.float32)
    feeds = {"input": windows, "h": zeros, "c": zeros}
    return compare_once(moka, models / "silero_vad.silero_vad_16k_sequence.onnx", feeds)[0]


CHECKS = {
    "text detection": check_detection,
    "text recognition": check_recognition,
    "text orientation": check_orientation,
    "file types": check_files,
    "notes in music": check_notes,
    "voice activity": lambda *rest: check_voice(*rest, "silero_vad.silero_vad.onnx"),
    "voice activity, 16 kHz": lambda *rest: check_voice(*rest, "silero_vad.silero_vad_16k_op15.onnx"),
    "voice activity, without If": lambda *rest: check_voice(*rest, "silero_vad.silero_vad_op18_ifless.onnx"),
    "voice activity, a sequence": check_voice_sequence,
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("moka")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--only", default="")
    arguments = parser.parse_args()
    if not (arguments.folder / ".complete").exists():
        print(f"{arguments.folder} has no models: run scripts/get_real_models.sh")
        return 77
    chosen = {name: check for name, check in CHECKS.items() if arguments.only in name}
    failures = 0
    for name, check in chosen.items():
        moka = Moka(arguments.moka, arguments.device)
        try:
            error = check(moka, arguments.folder / "models", arguments.folder / "data")
        except RuntimeError as problem:
            print(f"FAILED {name}: {str(problem).strip()}")
            failures += 1
            continue
        part, references = max(moka.by_reference.values()), ", ".join(sorted(moka.references)) or "nothing"
        failed = error > BOUND or part > MOST_BY_REFERENCE
        print(f"{'FAILED ' if failed else ''}{name}: {error:.1e} of the largest output, {part:.2%} by reference ({references})")
        failures += failed
    print(json.dumps({"models": len(chosen), "failed": failures}))
    return 1 if failures or not chosen else 0


if __name__ == "__main__":
    sys.exit(main())
