#!/usr/bin/python3
"""Holds the folders of moka to their include directions (docs/ARCHITECTURE.md).

usage: check_includes.py [ROOT]
Prints FILE:LINE: reason for every include that points the wrong way and fails if there is one.
"""
import pathlib
import re
import sys

# Folder -> folders whose headers it may include, besides its own.
MAY_INCLUDE = {
    "include": set(),
    "base": {"include"},
    "ops": {"include", "base"},
    "graph": {"include", "base", "ops"},
    "formats": {"include", "base", "ops", "graph"},
    "api": {"include", "base", "ops", "graph", "formats"},
    "image": {"include", "base", "ops"},
    "cpu": {"include", "base", "ops"},
    "gpu": {"include", "base", "ops"},
    "vulkan": {"include", "base", "ops", "gpu"},
    "opencl": {"include", "base", "ops", "gpu"},
    "tools": {"include"},
    "examples": {"include"},
}
FREE = {"tests", "bench"}
SUFFIXES = {".h", ".cc", ".inc"}
STANDARD = re.compile(r"[a-z_]+")  # <vector>; what has a path or an ending belongs to something else
INCLUDE = re.compile(r'^\s*#\s*include\s+(?:"([^"]+)"|<([^>]+)>)')


def folder_of(target: str) -> str | None:
    """The folder of ours that an include names, or None for a system header."""
    first = target.split("/", 1)[0]
    if first == "moka":
        return "include"
    return first if "/" in target and (first in MAY_INCLUDE or first in FREE) else None


def problem(root: pathlib.Path, path: pathlib.Path, target: str, quoted: bool) -> str | None:
    folder = path.relative_to(root).parts[0]
    other = folder_of(target)
    if other is None:
        if folder == "include" and not STANDARD.fullmatch(target):
            return f"<{target}> is not of the C++ standard library"
        if quoted and (path.parent / target).exists():
            return f'"{target}" is named from its own folder; name it from the root of the repository'
        return None
    if not quoted and not (root / target).exists():
        return None  # a system header in a folder that is called like one of ours
    if folder == other or other in MAY_INCLUDE[folder]:
        return None
    allowed = ", ".join(sorted(MAY_INCLUDE[folder])) or "the standard library only"
    return f'{folder}/ must not include "{target}" (it may include: {allowed})'


def main() -> int:
    root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).resolve().parent.parent)
    problems, files = [], 0
    for folder in MAY_INCLUDE:
        for path in sorted((root / folder).rglob("*")):
            if path.suffix not in SUFFIXES:
                continue
            files += 1
            for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
                match = INCLUDE.match(line)
                if not match:
                    continue
                quoted = match.group(1) is not None
                reason = problem(root, path, match.group(1) or match.group(2), quoted)
                if reason:
                    problems.append(f"{path.relative_to(root)}:{number}: {reason}")
    print("\n".join(problems + [f"{files} files, {len(problems)} includes point the wrong way"]))
    return 1 if problems or files == 0 else 0


if __name__ == "__main__":
    sys.exit(main())
