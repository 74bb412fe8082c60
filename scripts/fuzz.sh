#!/usr/bin/env bash
# usage: fuzz.sh SECONDS [model|graph]
# Builds the fuzzers with clang, libFuzzer, AddressSanitizer and UBSan, runs each for so long from its kept corpus, and
# leaves the corpus minimised. Fails on a crash, a leak, a hang (10 s) or more than 2 GiB.
set -euo pipefail
cd "$(dirname "$0")/.."
source scripts/packages.sh
seconds=${1:?usage: fuzz.sh SECONDS [model|graph]}
install_packages "${BUILD_PACKAGES[@]}" "${FUZZ_PACKAGES[@]}"
build build-fuzz -DCMAKE_CXX_COMPILER=clang++ -DCMAKE_BUILD_TYPE=Release -DMOKA_FUZZ=ON -DMOKA_TESTS=ON -DMOKA_TOOLS=OFF \
  -DMOKA_EXAMPLES=OFF -DMOKA_VULKAN=OFF -DMOKA_OPENCL=OFF
for fuzzer in ${2:-model graph}; do
  corpus=tests/fuzz/corpus_$fuzzer found=build-fuzz/found_$fuzzer
  mkdir -p "$corpus" "$found"
  [ "$fuzzer" != model ] || build-fuzz/bin/make_seeds "$found" 500
  say "fuzzing $fuzzer for $seconds s"
  build-fuzz/bin/fuzz_"$fuzzer" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 \
    -artifact_prefix="build-fuzz/$fuzzer-" "$found" "$corpus"
  say "minimising the corpus of $fuzzer"
  rm -rf build-fuzz/minimised
  mkdir build-fuzz/minimised
  build-fuzz/bin/fuzz_"$fuzzer" -merge=1 build-fuzz/minimised "$found" "$corpus"
  rm -rf "$corpus"
  mv build-fuzz/minimised "$corpus"
done
