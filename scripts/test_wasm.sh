#!/usr/bin/env bash
# WebAssembly: builds the shipped model's classifier with emscripten and lets node classify 100 test images.
set -euo pipefail
cd "$(dirname "$0")/.."
source scripts/packages.sh

install_packages "${BUILD_PACKAGES[@]}" dataset-fashion-mnist "${WASM_PACKAGES[@]}"
say "building in build-wasm/"
# Emscripten must not see the headers of the host's C library: only those of the two libraries.
mkdir -p build-wasm/include
ln -sfn /usr/include/hwy build-wasm/include/hwy
ln -sfn /usr/include/protozero build-wasm/include/protozero
export NODE_PATH=/usr/share/nodejs:/usr/lib/nodejs
build build-wasm -DCMAKE_TOOLCHAIN_FILE=/usr/share/emscripten/cmake/Modules/Platform/Emscripten.cmake \
  -DCMAKE_BUILD_TYPE=Release -DMOKA_VULKAN=OFF -DMOKA_OPENCL=OFF -DMOKA_TOOLS=OFF -DMOKA_TESTS=OFF \
  -DMOKA_LIBRARY_INCLUDE="$PWD/build-wasm/include" -- classify_wasm
say "classifying 100 images with node"
python3 examples/wasm/classify.py build-wasm/bin/classify_wasm.js 100
