# What moka needs from Debian 12, and how to get it. Sourced by the other scripts, run by nobody.

# The library, the command line, the examples.
BUILD_PACKAGES=(g++ cmake ninja-build ccache python3 libhwy-dev libprotozero-dev glslang-tools spirv-tools libvulkan-dev
  opencl-headers libcli11-dev libfmt-dev nlohmann-json3-dev libstb-dev zlib1g-dev)
# What the main job looks at and runs on: data, a font, and drivers that need no GPU.
JOB_PACKAGES=(dataset-fashion-mnist fonts-dejavu-core libvulkan1 mesa-vulkan-drivers ocl-icd-libopencl1 pocl-opencl-icd)
# Formats that ImageDecoder reads where a build finds them.
IMAGE_PACKAGES=(libjpeg-dev libopenjp2-7-dev libpng-dev libtiff-dev libwebp-dev)
TEST_PACKAGES=("${IMAGE_PACKAGES[@]}" libgtest-dev libonnx-testdata pkg-config python3-numpy python3-pil python3-torch python3-torchvision python3-venv
  valgrind vulkan-validationlayers oclgrind)
AARCH64_PACKAGES=(g++-aarch64-linux-gnu qemu-user libhwy-dev:arm64 libfmt-dev:arm64 libgtest-dev:arm64)
BENCH_PACKAGES=(libbenchmark-dev libdnnl-dev libeigen3-dev dataset-fashion-mnist python3-numpy python3-torch python3-torchvision python3-venv)
FUZZ_PACKAGES=(clang libclang-rt-14-dev libgtest-dev)
WASM_PACKAGES=(emscripten nodejs)

say() { printf '\n== %s\n' "$*"; }
die() {
  printf '%s: %s\n' "$(basename "$0")" "$*" >&2
  exit 1
}

# as_root COMMAND...: directly, or through sudo.
as_root() {
  if [ "$(id -u)" -eq 0 ]; then
    "$@"
  elif command -v sudo >/dev/null; then
    sudo "$@"
  else
    die "needs root or sudo to run: $*"
  fi
}

is_installed() {
  dpkg-query -W -f '${db:Status-Status}\n' "$1" 2>/dev/null | grep -qx installed
}

# install_packages PACKAGE...: installs what is missing; asks nothing, and gives up with a message when apt cannot reach
# its archive. A second run does nothing.
install_packages() {
  command -v apt-get >/dev/null || die "apt-get is missing: install by hand: $*"
  local missing=() package
  for package in "$@"; do
    is_installed "$package" || missing+=("$package")
  done
  [ ${#missing[@]} -gt 0 ] || return 0
  say "installing ${missing[*]}"
  local apt=(env DEBIAN_FRONTEND=noninteractive timeout 1500 apt-get -q -y -o Acquire::Retries=2 -o Acquire::http::Timeout=30
    -o DPkg::Lock::Timeout=300 -o Dpkg::Use-Pty=0)
  as_root "${apt[@]}" update >/dev/null || echo "apt-get update failed; trying with the lists that are there" >&2
  local log
  log=$(mktemp)
  if ! as_root "${apt[@]}" install --no-install-recommends "${missing[@]}" >"$log" 2>&1; then
    tail -n 20 "$log" >&2
    rm -f "$log"
    die "apt-get could not install: ${missing[*]} (no network? wrong release? see above)"
  fi
  rm -f "$log"
}

# build FOLDER [CMAKE_OPTION...] [-- TARGET...]: configures once, then builds; shows ninja's progress on a terminal only.
build() {
  local folder=$1 options=() targets=()
  shift
  while [ $# -gt 0 ] && [ "$1" != -- ]; do
    options+=("$1")
    shift
  done
  [ $# -eq 0 ] || { shift; targets=("$@"); }
  # What one checkout has compiled serves another.
  export CCACHE_BASEDIR=$PWD CCACHE_NOHASHDIR=1
  local log
  log=$(mktemp)
  if ! cmake -G Ninja -S . -B "$folder" "${options[@]}" >"$log" 2>&1; then
    cat "$log" >&2
    die "cmake failed in $folder"
  fi
  rm -f "$log"
  if [ -t 1 ] && [ -z "${CI:-}" ]; then
    ninja -C "$folder" "${targets[@]}" || die "the build failed in $folder"
  else
    ninja -C "$folder" --quiet "${targets[@]}" || die "the build failed in $folder"
  fi
}
