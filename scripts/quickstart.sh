#!/usr/bin/env bash
# Installs what moka needs, builds it, and does its main job: 10,000 real pictures through the shipped model on every
# device that answers. Ends with build/quickstart.json and build/contact_sheet.png. May be run again and again.
set -euo pipefail
cd "$(dirname "$0")/.."
source scripts/packages.sh

install_packages "${BUILD_PACKAGES[@]}" "${JOB_PACKAGES[@]}"
say "building in build/ (Release)"
build build -DCMAKE_BUILD_TYPE=Release -DMOKA_TESTS=OFF -- moka_cli fashion_mnist
say "classifying the 10,000 test images of Fashion-MNIST"
build/bin/fashion_mnist --json build/quickstart.json --sheet build/contact_sheet.png
