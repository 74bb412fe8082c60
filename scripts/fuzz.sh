#!/usr/bin/env bash
# usage: fuzz.sh SECONDS [model|graph|chain|cache]
# Builds the fuzzers with clang, libFuzzer, AddressSanitizer and UBSan, runs each for so long from its kept corpus, and
# leaves the corpus minimised. Fails on a crash, a leak, a hang (10 s) or more than 2 GiB.
set -euo pipefail
cd "$(dirname "$0")/.."
source scripts/packages.sh
seconds=${1:?usage: fuzz.sh SECONDS [model|graph|chain|cache]}
install_packages "${BUILD_PACKAGES[@]}" "${FUZZ_PACKAGES[@]}"
build build-fuzz -DCMAKE_CXX_COMPILER=clang++ -DCMAKE_BUILD_TYPE=Release -DMOKA_FUZZ=ON -DMOKA_TESTS=ON -DMOKA_TOOLS=OFF \
  -DMOKA_EXAMPLES=OFF -DMOKA_VULKAN=OFF -DMOKA_OPENCL=OFF
export ASAN_OPTIONS=allocator_may_return_null=1  # what no machine grants must end in a Status
for fuzzer in ${2:-model graph chain cache}; do
  corpus=tests/fuzz/corpus_$fuzzer.bin found=build-fuzz/found_$fuzzer minimised=build-fuzz/minimised
  mkdir -p "$found"
  [ ! -f "$corpus" ] || python3 scripts/fuzz_corpus.py unpack "$corpus" "$found"
  max_bytes=256  # choices
  if [ "$fuzzer" = model ]; then
    max_bytes=4096  # of a file
    build-fuzz/bin/make_seeds "$found" 300
  fi
  say "fuzzing $fuzzer for $seconds s"
  # An input has tens of thousands of features: entropic schedules and shorter inputs for known ones cost more than runs.
  build-fuzz/bin/fuzz_"$fuzzer" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -max_len="$max_bytes" \
    -len_control=0 -entropic=0 -reduce_inputs=0 -print_funcs=0 -print_final_stats=1 \
    -artifact_prefix="build-fuzz/$fuzzer-" "$found"
  say "minimising the corpus of $fuzzer"
  # Inputs that only take a loop another number of times are not kept.
  rm -rf "$minimised"
  mkdir "$minimised"
  build-fuzz/bin/fuzz_"$fuzzer" -merge=1 -use_counters=0 -print_funcs=0 "$minimised" "$found"
  python3 scripts/fuzz_corpus.py pack "$minimised" "$corpus"
done
