#!/usr/bin/env python3
"""usage: fuzz_corpus.py unpack FILE FOLDER | pack FOLDER FILE

A kept corpus is one file: for each input its length (4 bytes, little-endian), then its bytes. tests/fuzz/replay.cc runs it.
"""
import pathlib
import struct
import sys


def unpack(file, folder):
    data, at = pathlib.Path(file).read_bytes(), 0
    for number in range(len(data)):
        if at >= len(data):
            break
        (length,) = struct.unpack_from("<I", data, at)
        (pathlib.Path(folder) / f"kept_{number}").write_bytes(data[at + 4 : at + 4 + length])
        at += 4 + length


def pack(folder, file):
    inputs = sorted((path.read_bytes() for path in pathlib.Path(folder).iterdir()), key=lambda data: (len(data), data))
    pathlib.Path(file).write_bytes(b"".join(struct.pack("<I", len(data)) + data for data in inputs))


if __name__ == "__main__":
    if len(sys.argv) != 4 or sys.argv[1] not in ("unpack", "pack"):
        sys.exit(__doc__)
    (unpack if sys.argv[1] == "unpack" else pack)(*sys.argv[2:])
