#!/usr/bin/env bash
# usage: get_onnx_suite.sh FOLDER
# Generates the newest ONNX backend suite (PyPI's onnx, pinned) into FOLDER/suite; leaves with 3 and a message where the
# package cannot be had. Does nothing when the suite is there already.
set -euo pipefail
VERSION=1.23.2
folder=${1:?usage: get_onnx_suite.sh FOLDER}
here=$(cd "$(dirname "$0")/.." && pwd)
[ ! -f "$folder/suite/.complete-$VERSION" ] || exit 0

mkdir -p "$folder"
if [ ! -x "$folder/venv/bin/python" ]; then
  /usr/bin/python3 -m venv "$folder/venv"
fi
if ! timeout 300 "$folder/venv/bin/pip" install --quiet --disable-pip-version-check --retries 1 --timeout 20 \
  "onnx==$VERSION" >"$folder/pip.log" 2>&1; then
  tail -n 3 "$folder/pip.log" >&2
  echo "the newest ONNX suite is left out: PyPI's onnx $VERSION cannot be installed" >&2
  exit 3
fi
"$folder/venv/bin/python" -W ignore "$here/tests/conformance/generate_suite.py" "$folder/suite"
touch "$folder/suite/.complete-$VERSION"
