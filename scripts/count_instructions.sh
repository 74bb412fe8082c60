#!/usr/bin/env bash
# usage: count_instructions.sh [--update]
# Compares the instructions of one inference of small networks with tests/bench/instructions.json, as ctest's entry
# `instructions` does; --update records what the program takes now. Builds build/ (Release) as scripts/test.sh does.
set -euo pipefail
cd "$(dirname "$0")/.."
source scripts/packages.sh
install_packages "${BUILD_PACKAGES[@]}" "${TEST_PACKAGES[@]}"
if [ ! -f build/networks/mobilenet_v2/input_2.npy ]; then
  say "exporting MobileNetV2"
  /usr/bin/python3 tests/networks/export_networks.py build/networks mobilenet_v2 --small
fi
build build -DCMAKE_BUILD_TYPE=Release -- moka_cli
compiler=$(sed -n 's/^set(CMAKE_CXX_COMPILER_\(ID\|VERSION\) "\(.*\)")$/\2/p' build/CMakeFiles/*/CMakeCXXCompiler.cmake | xargs)
/usr/bin/python3 tests/bench/count_instructions.py build/bin/moka "$compiler" build/networks build/instructions "$@"
