#!/usr/bin/env bash
# usage: test_sanitizers.sh [address|thread]   (default: both)
# The tests under AddressSanitizer and UndefinedBehaviorSanitizer, then those with threads under ThreadSanitizer.
set -euo pipefail
cd "$(dirname "$0")/.."
source scripts/packages.sh

install_packages "${BUILD_PACKAGES[@]}" "${JOB_PACKAGES[@]}" "${TEST_PACKAGES[@]}"
# An allocation that no machine grants is a null pointer here, too: it must end in a Status.
export ASAN_OPTIONS=allocator_may_return_null=1 TSAN_OPTIONS=allocator_may_return_null=1
common=(-DCMAKE_BUILD_TYPE=Release -DMOKA_EXAMPLES=OFF -DMOKA_TOOLS=OFF)
if [ "${1:-address}" = address ]; then
  say "building in build-asan/ (AddressSanitizer, UndefinedBehaviorSanitizer)"
  build build-asan "${common[@]}" -DMOKA_SANITIZE=address,undefined
  say "running the tests in build-asan/"
  ctest --test-dir build-asan --output-on-failure -j 2 \
    -R '^(base|ops|graph|formats|cpu_.*|api|fuzz_.*|gpu|vulkan|opencl)$'
fi
if [ "${1:-thread}" = thread ]; then
  say "building in build-tsan/ (ThreadSanitizer)"
  build build-tsan "${common[@]}" -DMOKA_SANITIZE=thread -DMOKA_VULKAN=OFF -DMOKA_OPENCL=OFF -- \
    test_base test_cpu test_api
  say "running the tests in build-tsan/"
  # What runs on one thread has no races.
  GTEST_FILTER='-CpuReferences.*:*VectorMath.*' ctest --test-dir build-tsan --output-on-failure --timeout 2400 -j 2 -R '^(base|cpu_.*|api)$'
fi
