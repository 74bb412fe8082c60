#!/usr/bin/env python3
"""moka as a product gets it: installed and found by CMake or pkg-config, or in a folder of the product's own.

usage: install_test.py BUILD_DIR
"""

import json
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

BUILD = pathlib.Path(sys.argv.pop(1))
ROOT = pathlib.Path(__file__).resolve().parents[2]
MODEL = ROOT / "models/fashion_mnist.onnx"
PRODUCT = """cmake_minimum_required(VERSION 3.22)
project(product LANGUAGES CXX)
set(CMAKE_CXX_STANDARD 17)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
{}
add_executable(product product.cc)
target_link_libraries(product PRIVATE moka::moka)
"""


def call(*command):
    run = subprocess.run(list(map(str, command)), capture_output=True, text=True)
    if run.returncode != 0:
        raise AssertionError(f"{' '.join(map(str, command))}\n{run.stdout}{run.stderr}")
    return run.stdout


class Install(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.folder.cleanup)
        first = pathlib.Path(cls.folder.name) / "first"
        call("cmake", "--install", BUILD, "--prefix", first)
        # What is installed may be moved.
        cls.prefix = first.rename(first.with_name("moved"))

    def product(self, name, how):
        folder = pathlib.Path(self.folder.name) / name
        folder.mkdir()
        (folder / "CMakeLists.txt").write_text(PRODUCT.format(how))
        shutil.copy(ROOT / "examples/ten_lines.cc", folder / "product.cc")
        return folder

    def works(self, program):
        lines = call(program, MODEL).splitlines()
        self.assertEqual(len(lines), 10)
        self.assertAlmostEqual(sum(float(line.split(": ")[1]) for line in lines), 1, places=3)

    def test_cmake_finds_the_package(self):
        folder = self.product("found", "find_package(moka 0.1 REQUIRED)")
        call("cmake", "-G", "Ninja", "-S", folder, "-B", folder / "build", f"-DCMAKE_PREFIX_PATH={self.prefix}")
        call("cmake", "--build", folder / "build")
        self.works(folder / "build/product")

    def test_pkg_config_finds_it(self):
        if shutil.which("pkg-config") is None:
            self.skipTest("no pkg-config")
        folder = next(self.prefix.glob("**/pkgconfig"))
        flags = call("env", f"PKG_CONFIG_PATH={folder}", "pkg-config", "--cflags", "--libs", "moka").split()
        program = self.prefix / "product"
        call("c++", "-std=c++17", "-Wall", "-Wextra", "-Werror", ROOT / "examples/ten_lines.cc", "-o", program, *flags)
        self.works(program)

    def test_a_folder_of_the_product(self):
        folder = self.product("inside", f"add_subdirectory({ROOT} moka)")
        call("cmake", "-G", "Ninja", "-S", folder, "-B", folder / "build", "-DMOKA_VULKAN=OFF", "-DMOKA_OPENCL=OFF")
        commands = json.loads((folder / "build/compile_commands.json").read_text())
        own = next(entry["command"] for entry in commands if entry["file"].endswith("product.cc"))
        self.assertIn(f"-I{ROOT}/include", own)
        for flag in ("-Wall", "-ffp-contract", "-DMOKA", f"-I{ROOT} "):
            self.assertNotIn(flag, own, "how moka is compiled is its own affair")
        self.assertFalse([entry for entry in commands if "/tests/" in entry["file"] or "/tools/" in entry["file"]])

    def test_the_command_line_is_there(self):
        self.assertRegex(call(self.prefix / "bin/moka", "--version"), r"^moka \d+\.\d+\.\d+\n$")


if __name__ == "__main__":
    unittest.main()
