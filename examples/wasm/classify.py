#!/usr/bin/env python3
"""Let node classify test images with the WebAssembly build; at least nine of ten must be right.

usage: classify.py CLASSIFY_WASM.js COUNT
"""

import gzip
import json
import pathlib
import subprocess
import sys
import tempfile

DATA = pathlib.Path("/usr/share/datasets/fashion-mnist")


def main() -> int:
    program, count = sys.argv[1], int(sys.argv[2])
    here = pathlib.Path(__file__).resolve().parent
    with tempfile.TemporaryDirectory() as folder:
        files = []
        for name in ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"):
            files.append(pathlib.Path(folder, name))
            files[-1].write_bytes(gzip.decompress((DATA / f"{name}.gz").read_bytes()))
        model = here.parents[1] / "models/fashion_mnist.onnx"
        # Node 18's own fetch makes emscripten 3.1.6 believe that it runs in a browser.
        command = ["node", "--no-experimental-fetch", here / "classify.js", program, model, *files, str(count)]
        run = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, timeout=600)
    report = json.loads(run.stdout)
    print(f"{report['right']} of {report['count']} right, {report['imagesPerSecond']:.0f} images/s in WebAssembly")
    return 0 if report["count"] == count and report["right"] >= 0.9 * count else 1


if __name__ == "__main__":
    sys.exit(main())
