#!/usr/bin/env python3
"""Follow docs/ADD_AN_OP.md in a copy of the sources, and count the files touched.

usage: add_an_op_test.py BUILD_FOLDER

The blocks of each recipe are applied, but for those that the sources have word for word; the changed files are compiled and linked in front of the library that BUILD_FOLDER has,
so nothing else is rebuilt. Then `moka run` must compute what numpy does.
"""

import json
import pathlib
import re
import shlex
import shutil
import subprocess
import sys
import tempfile

import numpy as np

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "networks"))
from onnx_wire import attribute, one_node_model  # noqa: E402

BLOCK = re.compile(r"^(In|The new file) `([^`]+)`(?:, (after|before) `([^`]+)`)?[^\n]*:\n\n```cpp\n(.*?)```", re.M | re.S)
COPIED = ("include", "base", "ops")


def words(text: str) -> str:
    return " ".join(text.split())


def apply(recipe: str, root: pathlib.Path) -> set:
    """Make the changes of one recipe; returns the paths touched."""
    touched = set()
    for kind, path, where, anchor, text in BLOCK.findall(recipe):
        touched.add(path)
        target = root / path
        if kind == "The new file":
            target.write_text(text)
            continue
        if words(text) in words(target.read_text()):
            continue
        lines = target.read_text().splitlines(keepends=True)
        [at] = [i for i, line in enumerate(lines) if anchor in line and not line.lstrip().startswith("//")]
        lines.insert(at + (where == "after"), text)
        target.write_text("".join(lines))
    return touched


def compile_command(build: pathlib.Path, source: str) -> list:
    """How the build compiles a file of ops/, without its output."""
    entries = json.loads((build / "compile_commands.json").read_text())
    [entry] = [e for e in entries if e["file"] == str(ROOT / source)]
    words = shlex.split(entry["command"])
    for option in ("-o", "-c"):
        at = words.index(option)
        del words[at : at + 2]
    return words


def link_command(build: pathlib.Path) -> list:
    """How the build links the command line."""
    ask = ["ninja", "-C", build, "-t", "commands", "-s", "bin/moka"]
    line = subprocess.run(ask, stdout=subprocess.PIPE, text=True, check=True).stdout.strip()
    return shlex.split(line.removeprefix(": && ").removesuffix(" && :"))


def check(moka: pathlib.Path, folder: pathlib.Path, operator: str, attributes: bytes, x, want) -> None:
    """Runs a model of one node on x."""
    (folder / "model.onnx").write_bytes(one_node_model(operator, [attributes], x.shape))
    np.save(folder / "x.npy", x)
    command = [moka, "run", folder / "model.onnx", "--input", f"x={folder}/x.npy", "--output-dir", folder]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    np.testing.assert_allclose(np.load(folder / "y.npy"), want, rtol=1e-5, atol=1e-6)
    print(f"{operator}: right")


def main() -> int:
    build = pathlib.Path(sys.argv[1]).resolve()
    sections = (ROOT / "docs/ADD_AN_OP.md").read_text().split("\n## ")[1:]
    recipes = [section for section in sections if BLOCK.search(section)]
    with tempfile.TemporaryDirectory() as folder:
        copy = pathlib.Path(folder)
        for name in COPIED:
            shutil.copytree(ROOT / name, copy / name)
        touched = set()
        for recipe in recipes:
            files = apply(recipe, copy)
            promised = int(re.search(r": (\d+) file", recipe.splitlines()[0]).group(1))
            assert len(files) == promised, f"{recipe.splitlines()[0]}: touched {sorted(files)}"
            touched |= files
        # Files that include what changed: the table of operators.
        sources = sorted({p for p in touched if p.endswith(".cc")} | {"ops/op.cc"})
        objects = []
        command = [w.replace(str(ROOT), folder) for w in compile_command(build, "ops/op.cc")]
        for source in sources:
            objects.append(copy / (pathlib.Path(source).stem + ".o"))
            subprocess.run([*command, "-c", copy / source, "-o", objects[-1]], check=True)
        moka = copy / "moka"
        link = link_command(build)
        link[link.index("bin/moka")] = str(moka)
        first_library = next(i for i, word in enumerate(link) if word.endswith("libmoka.a"))
        link[first_library:first_library] = map(str, objects)
        subprocess.run(link, check=True, cwd=build)
        x = np.random.default_rng(1).normal(size=(3, 37)).astype(np.float32)
        check(moka, copy, "Softcap", attribute("cap", 2.0), x, 2 * np.tanh(x / 2))
        check(moka, copy, "Demean", attribute("axis", 0), x, x - x.mean(0))
    print(f"{len(touched)} files touched for two operators: {', '.join(sorted(touched))}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
