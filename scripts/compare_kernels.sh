#!/usr/bin/env bash
# usage: compare_kernels.sh [--avx2] [BENCHMARK_OPTION...]
# Times moka's products and convolutions beside oneDNN's and Eigen's on the same shapes, in alternation, on one thread
# ($MOKA_BENCH_THREADS: on more); about a minute. Table: build/kernels/results.md. --avx2: moka and oneDNN limited to AVX2
# (Eigen is compiled for the machine). --benchmark_filter=depthwise: some of them.
set -euo pipefail
cd "$(dirname "$0")/.."
source scripts/packages.sh
if [ "${1:-}" = --avx2 ]; then
  export MOKA_SIMD_TARGET=AVX2 ONEDNN_MAX_CPU_ISA=AVX2
  shift
fi
install_packages "${BUILD_PACKAGES[@]}" "${BENCH_PACKAGES[@]}"
build build -DCMAKE_BUILD_TYPE=Release -DMOKA_BENCH=ON -- bench_kernels
mkdir -p build/kernels
say "measuring"
build/bin/bench_kernels --benchmark_out=build/kernels/results.json --benchmark_out_format=json "$@" >/dev/null
python3 bench/kernel_table.py build/kernels/results.json | tee build/kernels/results.md
