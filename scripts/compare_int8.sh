#!/usr/bin/env bash
# usage: compare_int8.sh [--threads N] [--rounds N]
# Times quantized ResNet-50 and MobileNetV2 in moka, OpenVINO and onnxruntime beside their float originals (bench/int8.py):
# builds the program and a Python environment with the peers, exports the networks and quantizes them with onnxruntime's
# static quantizer. What is in build/int8 already is not made again; the first time takes about ten minutes.
set -euo pipefail
cd "$(dirname "$0")/.."
source scripts/packages.sh
install_packages "${BUILD_PACKAGES[@]}" "${BENCH_PACKAGES[@]}"
build build -DCMAKE_BUILD_TYPE=Release -- moka_cli
folder=build/int8
mkdir -p $folder
say "installing the peers"
[ -x $folder/venv/bin/python ] || /usr/bin/python3 -m venv $folder/venv
$folder/venv/bin/pip install -q --disable-pip-version-check onnx==1.23.2 onnxruntime==1.31.1 openvino==2026.4.1
for name in resnet50 mobilenet_v2; do
  [ -f $folder/quantized/$name/output.npy ] && continue
  say "exporting and quantizing $name"
  /usr/bin/python3 tests/networks/export_networks.py $folder/networks $name
  $folder/venv/bin/python tests/networks/quantize_networks.py $folder/networks $folder/quantized $name
done
say "measuring"
$folder/venv/bin/python bench/int8.py build/bin/moka $folder/quantized "$@"
