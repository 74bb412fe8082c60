#!/usr/bin/env bash
# usage: get_onnx_suite.sh FOLDER
# Generates the newest ONNX backend suite (PyPI's onnx, pinned) into FOLDER/suite; leaves with 3 and a message where the
# package cannot be had. Does nothing when the suite is there already.
# numpy computes what the cases expect, so it is pinned as well, to 1.26: there it transforms (DFT) in double, as it did
# for Debian's suite. From 2.0 on it transforms complex64 in f32 and leaves 1.9e-7 where the exact result is 0, twice the
# tolerance, in test_dft_inverse, of which Debian's suite expects the 0.
set -euo pipefail
VERSION=1.23.2
NUMPY=1.26.4
folder=${1:?usage: get_onnx_suite.sh FOLDER}
here=$(cd "$(dirname "$0")/.." && pwd)
[ ! -f "$folder/suite/.complete-$VERSION-numpy-$NUMPY" ] || exit 0

mkdir -p "$folder"
if [ ! -x "$folder/venv/bin/python" ]; then
  /usr/bin/python3 -m venv "$folder/venv"
fi
if ! timeout 300 "$folder/venv/bin/pip" install --quiet --disable-pip-version-check --retries 1 --timeout 20 \
  "onnx==$VERSION" "numpy==$NUMPY" >"$folder/pip.log" 2>&1; then
  tail -n 3 "$folder/pip.log" >&2
  echo "the newest ONNX suite is left out: PyPI's onnx $VERSION and numpy $NUMPY cannot be installed" >&2
  exit 3
fi
"$folder/venv/bin/python" -W ignore "$here/tests/conformance/generate_suite.py" "$folder/suite"
touch "$folder/suite/.complete-$VERSION-numpy-$NUMPY"
