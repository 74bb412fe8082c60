#!/usr/bin/env bash
# usage: run.sh MOKA FOLDER [option...]
# Runs compare_real_models.py with the Python that scripts/get_real_models.sh made; 77 where that is missing.
set -euo pipefail
moka=$1 folder=$2
shift 2
if [ ! -f "$folder/.complete" ]; then
  echo "$folder has no models: run scripts/get_real_models.sh"
  exit 77
fi
exec "$folder/venv/bin/python" "$(dirname "$0")/compare_real_models.py" "$moka" "$folder" "$@"
