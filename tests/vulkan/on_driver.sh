#!/usr/bin/env bash
# usage: on_driver.sh ICD_FILE PROGRAM [ARGUMENT...]
# Runs a test program on one Vulkan driver alone. Leaves with 77 where the driver is not there.
set -euo pipefail
icd=$1
shift
if [ ! -f "$icd" ]; then
  echo "skipped: $icd is not there (scripts/get_swiftshader.sh)"
  exit 77
fi
export VK_ICD_FILENAMES="$icd" VK_DRIVER_FILES="$icd"
exec "$@"
