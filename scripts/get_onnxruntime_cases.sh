#!/usr/bin/env bash
# usage: get_onnxruntime_cases.sh FOLDER
# Generates the cases of tests/microsoft/ into FOLDER/suite, with the results of PyPI's onnxruntime (pinned); leaves with
# 3 and a message where the packages cannot be had. Does nothing when the cases are there already.
set -euo pipefail
ONNXRUNTIME=1.31.1
ONNX=1.23.2
folder=${1:?usage: get_onnxruntime_cases.sh FOLDER}
here=$(cd "$(dirname "$0")/.." && pwd)
tables=$(cat "$here"/tests/microsoft/*.py | sha256sum | cut -c1-16)
complete="$folder/suite/.complete-$ONNXRUNTIME-$ONNX-$tables"
[ ! -f "$complete" ] || exit 0

mkdir -p "$folder"
if [ ! -x "$folder/venv/bin/python" ]; then
  /usr/bin/python3 -m venv "$folder/venv"
fi
if ! timeout 600 "$folder/venv/bin/pip" install --quiet --disable-pip-version-check --retries 1 --timeout 20 \
  "onnxruntime==$ONNXRUNTIME" "onnx==$ONNX" >"$folder/pip.log" 2>&1; then
  tail -n 3 "$folder/pip.log" >&2
  echo "onnxruntime's cases are left out: PyPI's onnxruntime $ONNXRUNTIME cannot be installed" >&2
  exit 3
fi
rm -rf "$folder/suite"
"$folder/venv/bin/python" -W ignore "$here/tests/microsoft/generate_cases.py" "$folder/suite"
touch "$complete"
