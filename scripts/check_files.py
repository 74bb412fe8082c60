#!/usr/bin/python3
"""Holds the files of moka to what CONTRIBUTING.md says about them.

usage: check_files.py [ROOT]
Prints FILE:LINE: reason for everything that breaks a rule and fails if there is something:
files of at most 500 lines, C++ functions of at most 80, operating system headers in base/platform.cc only, no notes about
work left to do, no paths of one machine.
"""
import pathlib
import re
import sys

MAX_FILE_LINES = 500
MAX_FUNCTION_LINES = 80
PLATFORM = "base/platform.cc"
CXX = {".h", ".cc"}
TEXT = CXX | {".inc", ".k", ".py", ".sh", ".cmake", ".md", ".txt", ".in", ".mjs"}
SKIPPED_FOLDERS = re.compile(r"build.*|out|\..*|__pycache__")

OS_HEADER = re.compile(
    r"\s*#\s*include\s*<((sys|arpa|net|netinet|linux|mach|emscripten)/.*|"
    r"(unistd|fcntl|dlfcn|pthread|sched|semaphore|poll|dirent|pwd|signal|spawn|termios|time|windows)\.h)>")
LEFT_TO_DO = re.compile(r"\b(" + "|".join(["TO" + "DO", "FIX" + "ME", "XX" + "X", "HA" + "CK"]) + r")\b")
MACHINE_PATH = re.compile(r"(?<![\w.~$}])/(" + "|".join(["work", "home", "root", "Users", "mnt"]) + r")/\w")

TOKEN = re.compile(
    r'//[^\n]*|/\*.*?\*/|R"(?P<tag>[^()\s]{0,16})\(.*?\)(?P=tag)"|"(?:\\.|[^"\\\n])*"'
    r"|(?<![0-9a-fA-F])'(?:\\.|[^'\\\n])+'", re.S)
DIRECTIVE = re.compile(r"^[ \t]*#(?:[^\n]*\\\n)*[^\n]*", re.M)
CONTROL = re.compile(r"\s*(?:}\s*)?(if|for|while|switch|catch|do|else|try)\b")
TYPE = re.compile(r"(template\s*<[^{]*>\s*)?(inline\s+)?(namespace|class|struct|enum|union|extern)\b")
DATA_ENDINGS = ("=", ",", "(", "return", "[", "{")


def blank(match: re.Match) -> str:
    """Comments and literals as nothing, their lines kept."""
    return "\n" * match.group(0).count("\n")


def functions(source: str):
    """Yields (first line, last line, head) of every function outside of others. A heuristic: braces are counted, and one
    that follows a parameter list opens a function."""
    text = DIRECTIVE.sub(blank, TOKEN.sub(blank, source))
    depth, head_start, open_function = 0, 0, None
    for i, c in enumerate(text):
        if c == "{":
            head = text[head_start:i].strip()
            is_function = (open_function is None and "(" in head and ")" in head and not head.endswith(DATA_ENDINGS)
                           and not CONTROL.match(head) and not TYPE.match(head))
            if is_function:
                start = head_start + len(text[head_start:i]) - len(text[head_start:i].lstrip())
                open_function = (depth, start, head)
            depth += 1
            head_start = i + 1
        elif c == "}":
            depth -= 1
            if open_function is not None and open_function[0] == depth:
                yield text.count("\n", 0, open_function[1]) + 1, text.count("\n", 0, i) + 1, open_function[2]
                open_function = None
            head_start = i + 1
        elif c == ";":
            head_start = i + 1


def problems(relative: str, suffix: str, source: str):
    lines = source.splitlines()
    is_code = suffix not in {".md", ".txt"}
    if is_code and len(lines) > MAX_FILE_LINES:
        yield len(lines), f"{len(lines)} lines, at most {MAX_FILE_LINES}"
    for number, line in enumerate(lines, 1):
        if LEFT_TO_DO.search(line):
            yield number, "a note about work left to do"
        if MACHINE_PATH.search(line):
            yield number, f"a path of one machine: {line.strip()}"
        if suffix in CXX and relative != PLATFORM and not relative.startswith("tests/") and OS_HEADER.match(line):
            yield number, f"{line.strip()} outside of {PLATFORM}"
    if suffix in CXX:
        for first, last, head in functions(source):
            if last - first + 1 > MAX_FUNCTION_LINES:
                name = " ".join(head.split("(")[0].split())
                yield first, f"{name}: {last - first + 1} lines, at most {MAX_FUNCTION_LINES}"


def main() -> int:
    root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).resolve().parent.parent)
    found, files = [], 0
    for path in sorted(root.rglob("*")):
        relative = path.relative_to(root)
        if path.suffix not in TEXT or not path.is_file() or any(SKIPPED_FOLDERS.fullmatch(p) for p in relative.parts):
            continue
        files += 1
        for number, reason in problems(relative.as_posix(), path.suffix, path.read_text(encoding="utf-8")):
            found.append(f"{relative}:{number}: {reason}")
    print("\n".join(found + [f"{files} files, {len(found)} broken rules"]))
    return 1 if found or files == 0 else 0


if __name__ == "__main__":
    sys.exit(main())
