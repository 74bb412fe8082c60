#!/usr/bin/env bash
# usage: get_quantized_networks.sh NETWORKS_FOLDER FOLDER
# Quantizes exported networks with onnxruntime (PyPI, pinned) into FOLDER/networks; leaves with 3 and a message where
# the packages cannot be had. Does nothing when they are there already.
set -euo pipefail
cd "$(dirname "$0")/.."
networks=${1:?usage: get_quantized_networks.sh NETWORKS_FOLDER FOLDER}
folder=${2:?usage: get_quantized_networks.sh NETWORKS_FOLDER FOLDER}
[ -f "$folder/.complete" ] && exit 0
mkdir -p "$folder"
if [ ! -x "$folder/venv/bin/python" ]; then
  /usr/bin/python3 -m venv "$folder/venv"
fi
if ! timeout 600 "$folder/venv/bin/pip" install --quiet --disable-pip-version-check --retries 1 --timeout 20 \
  onnx==1.23.2 onnxruntime==1.31.1 >"$folder/pip.log" 2>&1; then
  tail -n 3 "$folder/pip.log" >&2
  echo "quantized networks are left out: PyPI's onnx 1.23.2 and onnxruntime 1.31.1 cannot be installed" >&2
  exit 3
fi
for activations in int8 uint8; do
  "$folder/venv/bin/python" tests/networks/quantize_networks.py "$networks" "$folder/networks/$activations" \
    resnet18 mobilenet_v2 squeezenet1_1 shufflenet_v2_x1_0 --activations "$activations"
done
touch "$folder/.complete"
