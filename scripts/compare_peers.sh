#!/usr/bin/env bash
# usage: compare_peers.sh [--core] [--networks DIR] [NAME...] [--isa avx2] [--threads 1 2] [--rounds N]   (in this order)
# Times moka beside the released onnxruntime, OpenVINO, ncnn and MNN on the networks of bench/peers/networks.py: builds the
# program and a Python environment with the peers, exports and converts the networks, measures everything in alternation.
# Tables: build/peers/results.{json,md}, figure: build/peers/figure.svg. --core: six networks, about ten minutes.
# --networks DIR: where exported networks are, or shall be (build/peers/networks): the large ones take an hour.
# --isa avx2: engines limited to AVX2, where they can be; tables and figure are then build/peers/results_avx2.* and so on.
set -euo pipefail
cd "$(dirname "$0")/.."
source scripts/packages.sh
folder=build/peers networks=build/peers/networks suffix=
choice=() options=()
while [ $# -gt 0 ]; do
  case $1 in
    --networks)
      networks=${2:?--networks takes a folder}
      shift
      ;;
    --core | [!-]*) choice+=("$1") ;;
    *)
      options=("$@")
      break
      ;;
  esac
  shift
done
for option in "${options[@]}"; do
  case $option in --core | --networks) die "$option stands before --isa, --threads and --rounds" ;; esac
done
case "${options[*]:-}" in *--isa\ avx2* | *--isa=avx2*) suffix=_avx2 ;; esac
install_packages "${BUILD_PACKAGES[@]}" "${BENCH_PACKAGES[@]}"
build build -DCMAKE_BUILD_TYPE=Release -DMOKA_BENCH=ON -- moka_cli machine_probe
mkdir -p $folder "$networks"
say "installing the peers"
[ -x $folder/venv/bin/python ] || /usr/bin/python3 -m venv $folder/venv
$folder/venv/bin/pip install -q --disable-pip-version-check --no-deps -r bench/peers/requirements.txt
say "exporting the networks"
/usr/bin/python3 -W ignore bench/peers/export_networks.py "$networks" "${choice[@]}"
say "converting them"
mapfile -t names < <(/usr/bin/python3 -W ignore bench/peers/networks.py "${choice[@]}")
$folder/venv/bin/python bench/peers/convert.py "${names[@]/#/$networks/}"
say "measuring"
/usr/bin/python3 -W ignore bench/peers/compare.py build/bin/moka build/bin/machine_probe $folder/venv/bin/python "$networks" \
  $folder/results$suffix.json "${choice[@]}" "${options[@]}"
/usr/bin/python3 -W ignore bench/peers/table.py $folder/results$suffix.json $folder/figure$suffix.svg | tee $folder/results$suffix.md
