#!/usr/bin/env bash
# usage: compare_peers.sh [--core] [NAME...] [--threads 1 2] [--rounds N]
# Times moka beside the released onnxruntime, OpenVINO, ncnn and MNN on the networks of bench/peers/networks.py: builds the
# program and a Python environment with the peers, exports and converts the networks, measures everything in alternation.
# Tables: build/peers/results.{json,md}, figure: build/peers/figure.svg. --core: six networks, about ten minutes.
set -euo pipefail
cd "$(dirname "$0")/.."
source scripts/packages.sh
install_packages "${BUILD_PACKAGES[@]}" "${BENCH_PACKAGES[@]}"
build build -DCMAKE_BUILD_TYPE=Release -DMOKA_BENCH=ON -- moka_cli machine_probe
folder=build/peers
mkdir -p $folder/networks
say "installing the peers"
[ -x $folder/venv/bin/python ] || /usr/bin/python3 -m venv $folder/venv
$folder/venv/bin/pip install -q --disable-pip-version-check --no-deps -r bench/peers/requirements.txt
choice=()
for word in "$@"; do
  case $word in
    --core | [!-]*) choice+=("$word") ;;
    *) break ;;
  esac
done
say "exporting the networks"
/usr/bin/python3 -W ignore bench/peers/export_networks.py $folder/networks "${choice[@]}"
say "converting them"
$folder/venv/bin/python bench/peers/convert.py $folder/networks/*
say "measuring"
/usr/bin/python3 bench/peers/compare.py build/bin/moka build/bin/machine_probe $folder/venv/bin/python $folder/networks \
  $folder/results.json "$@"
/usr/bin/python3 bench/peers/table.py $folder/results.json $folder/figure.svg | tee $folder/results.md
