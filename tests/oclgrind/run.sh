#!/usr/bin/env bash
# usage: run.sh PROGRAM [ARGUMENT...]
# Runs a test program on oclgrind, which interprets every work-item of every OpenCL kernel, and fails on any report: reads
# and writes outside buffers, data races, wrong API calls. Kernels are built unoptimised: races that an optimiser hides
# are still races. (Its check for uninitialised values is left off: it does not know parameters passed by value.)
# Leaves with 77 where oclgrind is not installed.
set -uo pipefail
driver=/usr/lib/oclgrind/liboclgrind-rt-icd.so
if [ ! -f "$driver" ]; then
  echo "skipped: oclgrind is not installed"
  exit 77
fi
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
echo "$driver" >"$scratch/oclgrind.icd"
export OCL_ICD_VENDORS="$scratch" MOKA_CACHE_DIR="$scratch/cache"
export OCLGRIND_DATA_RACES=1 OCLGRIND_CHECK_API=1 OCLGRIND_BUILD_OPTIONS=-cl-opt-disable OCLGRIND_MAX_ERRORS=20
export OCLGRIND_LOG="$scratch/log"
"$@" >"$scratch/out" 2>&1
code=$?
tail -n 40 "$scratch/out"
if [ -s "$scratch/log" ] || grep -q "^Oclgrind" "$scratch/out"; then
  echo "oclgrind reports:"
  grep -A 3 "^Oclgrind" "$scratch/out" | head -n 40
  head -c 20000 "$scratch/log" 2>/dev/null
  exit 1
fi
if ! grep -q -E "\[  PASSED  \] [1-9]|^[1-9][0-9]* passed" "$scratch/out"; then
  echo "nothing ran"
  exit 1
fi
exit "$code"
