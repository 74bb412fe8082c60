#!/usr/bin/env bash
# Installs what the tests need, builds, and runs every test through ctest. May be run again and again.
set -euo pipefail
cd "$(dirname "$0")/.."
source scripts/packages.sh

install_packages "${BUILD_PACKAGES[@]}" "${JOB_PACKAGES[@]}" "${TEST_PACKAGES[@]}"
say "making the inputs of the tests: networks, suites, a second Vulkan driver"
scripts/make_test_data.sh build
say "building in build/ (Release)"
build build -DCMAKE_BUILD_TYPE=Release -DMOKA_TESTS=ON -DMOKA_WERROR=ON
say "running the tests"
ctest --test-dir build --output-on-failure -j 2
