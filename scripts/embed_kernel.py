#!/usr/bin/env python3
"""Turns one kernel of gpu/kernels/ into generated C++: SPIR-V words, OpenCL text, and what both declare.

usage: embed_kernel.py --kernel FILE --name NAME --micro-ops N --micro-loop 0|1 --tools GLSLANG OPT VAL --out FILE.cc

The text is flattened once (each include expanded in place, once) and both compilers get the same flattened text, so
what PoCL or a phone's driver compiles at run time is what glslang compiled here.
"""
import argparse
import pathlib
import re
import struct
import subprocess
import sys
import tempfile

INCLUDE = re.compile(r'^#include "([^"]+)"\n', re.M)
SPEC = re.compile(r"\bSPEC\((\d+), (\w+), (-?\d+)\)")
BUFFER = re.compile(r"\b(IN|OUT)_BUF(?:_SHARES)?\((\d+), (\w+), (\w+)\)")


def flatten(path, seen):
    def expand(match):
        target = path.parent / match.group(1)
        if target in seen:
            return ""
        seen.add(target)
        return flatten(target, seen)

    return INCLUDE.sub(expand, path.read_text())


def strip_defines(text):
    """The text without preprocessor lines, where SPEC and IN_BUF are uses, not definitions."""
    return re.sub(r"^[ \t]*#(?:.*\\\n)*.*\n", "", text, flags=re.M)


def strip_comments(text):
    return re.sub(r"[ \t]*//.*", "", text)


def run(command):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode != 0:
        sys.exit("%s\nfailed: %s" % (done.stdout, " ".join(command)))


def compile_spirv(text, args, folder):
    glslang, opt, val = args.tools
    source, raw, out = folder / "kernel.comp", folder / "raw.spv", folder / "out.spv"
    source.write_text(text)
    run([glslang, "-V", "--target-env", "vulkan1.1", "-S", "comp", "-o", str(raw), str(source)])
    # -O unrolls the loop over a program's words, which makes the module ten times larger and slower to create.
    passes = ["--eliminate-dead-functions", "--eliminate-dead-branches"] if args.micro_loop else ["-O"]
    run([opt, "--target-env=vulkan1.1", "--strip-debug", *passes, "-o", str(out), str(raw)])
    run([val, "--target-env", "vulkan1.1", str(out)])
    data = out.read_bytes()
    return struct.unpack("<%dI" % (len(data) // 4), data)


def declarations(text, kernel):
    body = strip_defines(text)
    specs = [(int(i), name) for i, name, _ in SPEC.findall(body)]
    buffers = [(int(b), way) for way, b, _, _ in BUFFER.findall(body)]
    for what, numbers in (("SPEC", [i for i, _ in specs]), ("buffer", [b for b, _ in buffers])):
        if sorted(numbers) != list(range(len(numbers))):
            sys.exit("%s: %s numbers are not 0 .. n-1: %s" % (kernel, what, numbers))
    written = sum(1 << b for b, way in buffers if way == "OUT")
    return [name for _, name in sorted(specs)], len(buffers), written


def literal(text):
    # Compilers must accept string literals of 64 KiB only; adjacent ones are one string.
    lines = text.splitlines(keepends=True)
    chunks = ["".join(lines[i : i + 100]) for i in range(0, len(lines), 100)]
    return "\n".join('R"kernel(%s)kernel"' % chunk for chunk in chunks)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kernel", type=pathlib.Path, required=True)
    parser.add_argument("--name", required=True)
    parser.add_argument("--micro-ops", type=int, required=True)
    parser.add_argument("--micro-loop", type=int, required=True)
    parser.add_argument("--tools", nargs=3, required=True)
    parser.add_argument("--out", type=pathlib.Path, required=True)
    args = parser.parse_args()

    text = strip_comments(flatten(args.kernel, set()))
    text = re.sub(r"\n{2,}", "\n", text)
    defines = "#define KERNEL_NAME %s\n#define MICRO_OPS %d\n" % (args.name, args.micro_ops)
    specs, buffers, written = declarations(text, args.kernel)
    with tempfile.TemporaryDirectory() as folder:
        words = compile_spirv("#version 450\n" + defines + text, args, pathlib.Path(folder))

    rows = [", ".join("0x%08x" % w for w in words[i : i + 10]) for i in range(0, len(words), 10)]
    out = [
        "// Generated from gpu/kernels/%s." % args.kernel.name,
        '#include "gpu/launch.h"',
        "namespace moka::gpu {",
        "namespace {",
        "constexpr uint32_t kSpirv[] = {\n%s};" % ",\n".join(rows),
        "constexpr const char* kSpecNames[] = {%s};" % ", ".join('"%s"' % s for s in specs),
        "constexpr char kOpenCL[] = %s;" % literal(defines + text),
        "}  // namespace",
        "extern const KernelSource kKernel_%s;" % args.name,
        'const KernelSource kKernel_%s = {"%s", %d, 0x%x, kSpecNames, kSpirv, kOpenCL};'
        % (args.name, args.name, buffers, written),
        "}  // namespace moka::gpu",
        "",
    ]
    args.out.parent.mkdir(parents=True, exist_ok=True)
    args.out.write_text("\n".join(out))


if __name__ == "__main__":
    main()
