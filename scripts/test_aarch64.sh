#!/usr/bin/env bash
# The CPU device in NEON: cross build, unit and conformance tests under qemu.
set -euo pipefail
cd "$(dirname "$0")/.."
source scripts/packages.sh

if ! dpkg --print-foreign-architectures | grep -qx arm64; then
  as_root dpkg --add-architecture arm64
fi
install_packages "${BUILD_PACKAGES[@]}" libonnx-testdata "${AARCH64_PACKAGES[@]}"
say "building in build-aarch64/"
build build-aarch64 -DCMAKE_TOOLCHAIN_FILE=cmake/aarch64.cmake -DCMAKE_BUILD_TYPE=Release -DMOKA_VULKAN=OFF \
  -DMOKA_OPENCL=OFF -DMOKA_EXAMPLES=OFF
say "running the CPU's tests under qemu"
ctest --test-dir build-aarch64 --output-on-failure -j 2 -R '^(base|ops|graph|cpu_.*|suite_debian_cpu)$'
