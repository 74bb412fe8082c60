#!/usr/bin/env bash
# usage: get_swiftshader.sh FOLDER
# Puts SwiftShader, a Vulkan driver that runs on any CPU, into FOLDER (libvk_swiftshader.so, vk_swiftshader_icd.json) out
# of Debian's chromium packages, which are not installed; leaves with 3 and a message where apt cannot reach its archive.
# Does nothing when it is there already. To use it: VK_ICD_FILENAMES=FOLDER/vk_swiftshader_icd.json
set -euo pipefail
folder=${1:?usage: get_swiftshader.sh FOLDER}
[ ! -f "$folder/vk_swiftshader_icd.json" ] || exit 0

mkdir -p "$folder"
folder=$(cd "$folder" && pwd)
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
chmod 755 "$scratch"
cd "$scratch"
# Which of the two carries it has changed between releases.
library=
for package in chromium-common chromium; do
  if ! timeout 300 apt-get -q -o Acquire::Retries=1 -o Acquire::http::Timeout=20 -o APT::Sandbox::User=root \
    download "$package" >log 2>&1; then
    tail -n 3 log >&2
    echo "SwiftShader is left out: apt cannot download $package" >&2
    exit 3
  fi
  dpkg -x "$package"_*.deb files
  library=$(find files -name libvk_swiftshader.so -print -quit)
  [ -z "$library" ] || break
done
if [ -z "$library" ]; then
  echo "SwiftShader is left out: this chromium brings no libvk_swiftshader.so" >&2
  exit 3
fi
cp "$library" "$folder/libvk_swiftshader.so"
cat >"$folder/vk_swiftshader_icd.json.new" <<JSON
{"file_format_version": "1.0.0", "ICD": {"library_path": "$folder/libvk_swiftshader.so", "api_version": "1.1.0"}}
JSON
mv "$folder/vk_swiftshader_icd.json.new" "$folder/vk_swiftshader_icd.json"
