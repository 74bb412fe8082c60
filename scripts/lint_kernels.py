#!/usr/bin/env python3
"""Keeps gpu/kernels/ inside the dialect that GLSL and OpenCL C both accept, and mean alike.

usage: lint_kernels.py [FILE ...]     (default: every *.k and *.h of gpu/kernels/)
       lint_kernels.py --self-test    each rule must find its own example

A rule is a name, a pattern and an example that breaks it. Only the branches of prelude.h may know an API, so it is
checked for nothing.
"""
import pathlib
import re
import sys

KEYWORDS = "buffer filter half image1D input kernel local output packed sample sampler shared private precise resource"
RULES = [
    ("a C cast: GLSL has none; use to_int, to_float", r"\((?:int|uint|float|float4)\)\s*[\w(]", "x = (int)y;"),
    ("a constructor cast: OpenCL C has none; use to_int, make4", r"\b(?:int|uint|float|float4|vec4)\((?!\))", "x = int(y);"),
    ("a double literal: write 1.0f", r"(?<![\w.])\d+\.\d*(?:[eE][-+]?\d+)?(?![\w.])", "x = 1.0;"),
    ("a pointer or an address", r"\b(?:int|uint|float4?)\s*\*\s*\w+\s*[=;,)]|[=(,]\s*&\w", "float *p = q;"),
    ("an early return: barriers must meet every item", r"^\s*(?:if\s*\(.*\)\s*)?return\s*;", "  if (done) return;"),
    ("a number as a condition: compare it", r"\bif\s*\(\s*!?\s*[\w.]+\s*\)|(?<![=!<>])!\s*\w", "if (n) x = 1;"),
    ("a swizzle of several components", r"\.(?:[xyzw]{2,4}|s\d+|lo|hi)\b(?!\s*\()", "v = a.xy;"),
    ("a component by index: use LOAD1 or .x", r"\b(?:sum|value|v|x|y)\d?\[\w+\]\[\w+\]", "y = v[i][2];"),
    ("a scalar times a vector: write the vector first", r"\b\d+\.\d+f\s*\*\s*splat4", "y = 2.0f * splat4(x);"),
    ("abs and fabs: one language lacks each", r"\bf?abs\s*\(", "y = fabs(x);"),
    ("a function that one language lacks", r"\b(?:erf|rsqrt|isnan|isinf|native_\w+|convert_\w+|inversesqrt)\s*\(", "y = erf(x);"),
    ("min or max of floats: their NaN is undefined; use min_nan, max_nan",
     r"\b(?:min|max)\s*\([^()]*(?:\d\.\d*f|splat4|\bsum|\bmost|\bbest)", "y = max(x, 0.0f);"),
    ("INFINITY and NAN: use bits_float", r"\b(?:INFINITY|NAN)\b", "y = INFINITY;"),
    ("unsigned and long: GLSL has neither; use uint", r"\b(?:unsigned|long|short|char|double|size_t)\b", "long n = 0;"),
    ("a reserved word as a name", r"\b(?:int|uint|float|float4)\s+(?:%s)\b" % "|".join(KEYWORDS.split()), "int input = 0;"),
    ("a struct: parameters are macros in params.h", r"\bstruct\b|\btypedef\b", "struct P { int n; };"),
    ("__VA_ARGS__: GLSL has none", r"__VA_ARGS__", "#define F(...) g(__VA_ARGS__)"),
    ("an API by name: only prelude.h knows them", r"\b(?:gl_\w+|get_global_id|__global|__local|VULKAN)\b", "x = gl_GlobalInvocationID;"),
    ("do ... while or goto", r"\bdo\s*\{|\bgoto\b", "do { n--; } while (n > 0);"),
    ("a line of more than 120 characters", r"^.{121,}$", "x" * 121),
]
PRELUDE = "prelude.h"


def strip(line):
    return re.sub(r"//.*", "", line)


def findings(text, name):
    for number, raw in enumerate(text.splitlines(), 1):
        line = strip(raw)
        for what, pattern, _ in RULES:
            # Preprocessor conditions are not the kernel's text.
            if line.startswith("#if") or line.startswith("#include"):
                continue
            if re.search(pattern, raw if "120" in what else line):
                yield "%s:%d: %s\n    %s" % (name, number, what, raw.strip())


def structure(text, name):
    """Whole-file rules of kernels."""
    for word in ("KERNEL(", "BEGIN", "END", "PARAMS("):
        if text.count("\n" + word) != 1:
            yield "%s: needs exactly one %s at the start of a line" % (name, word.rstrip("("))
    if not text.startswith("// "):
        yield "%s: does not say what it computes" % name


def self_test():
    missed = [what for what, pattern, example in RULES if not re.search(pattern, example, re.M)]
    for what in missed:
        print("rule finds not its own example: " + what)
    return 1 if missed else 0


def main():
    if "--self-test" in sys.argv:
        return self_test()
    folder = pathlib.Path(__file__).resolve().parent.parent / "gpu" / "kernels"
    paths = [pathlib.Path(p) for p in sys.argv[1:]] or sorted([*folder.glob("*.k"), *folder.glob("*.h")])
    found = []
    for path in paths:
        if path.name == PRELUDE:
            continue
        text = path.read_text()
        found += findings(text, path.name)
        if path.suffix == ".k":
            found += structure(text, path.name)
    print("\n".join(found) if found else "%d files, inside the dialect" % len(paths))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
