#!/usr/bin/env python3
"""Hold the shipped model's accuracy on every device to the training framework's figure, within one image in 10,000.

usage: check_accuracy.py FASHION_MNIST_PROGRAM REPORT.json [DEVICE...]

Also checks the transfers of a run: none on the CPU, one upload and one download elsewhere. Every DEVICE named must be there.
"""

import json
import pathlib
import subprocess
import sys


def main() -> int:
    program, report_path, *needed = sys.argv[1:]
    models = pathlib.Path(__file__).resolve().parents[2] / "models"
    command = [program, "--json", report_path, "--model", models / "fashion_mnist.onnx"]
    command += ["--labels", models / "fashion_mnist.labels.txt"]
    subprocess.run([*command, *(f"--device={device}" for device in needed)], check=True)
    expected = json.loads((models / "fashion_mnist.json").read_text())["correct"]
    rows = {row["device"]: row for row in json.loads(pathlib.Path(report_path).read_text())["devices"]}
    wrong = [f"{device} does not answer" for device in needed if device not in rows]
    for device, row in rows.items():
        correct = round(row["accuracy"] * row["images"])
        if row["images"] != 10000 or abs(correct - expected) > 1:
            wrong.append(f"{device}: {correct} of {row['images']} right, the training framework has {expected}")
        transfers = 0 if device == "cpu" else 1
        if (row["uploads"], row["downloads"]) != (transfers, transfers):
            wrong.append(f"{device}: {row['uploads']} uploads and {row['downloads']} downloads a run")
    print("\n".join(wrong) or f"{len(rows)} devices agree with the training framework")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
