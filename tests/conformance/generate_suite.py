#!/usr/bin/env python3
"""Write the backend test suite of the installed `onnx` package to a folder, one case a sub-folder.

usage: generate_suite.py OUTDIR

Each case becomes OUTDIR/KIND/NAME with model.onnx, test_data_set_N/{input,output}_K.pb, and data.json where its
tolerances are not the usual ones (rtol 1e-3, atol 1e-7). The package's own command line writes only a part of them.
"""

import json
import shutil
import sys
from pathlib import Path

import numpy as np
import onnx
from onnx import numpy_helper
from onnx.backend.test.case.model import collect_testcases
from onnx.backend.test.loader import DATA_DIR, load_model_tests
from onnx.backend.test.runner import Runner

USUAL_TOLERANCES = (1e-3, 1e-7)
PROTOBUF_VALUES = (onnx.TensorProto, onnx.SequenceProto, onnx.OptionalProto, onnx.MapProto)


def serialize(info: onnx.ValueInfoProto, value) -> bytes:
    """The bytes of one input or output, in the message that its declared type asks for."""
    if isinstance(value, PROTOBUF_VALUES):
        return value.SerializeToString()
    kind = info.type.WhichOneof("value")
    convert = {
        "map_type": numpy_helper.from_dict,
        "sequence_type": numpy_helper.from_list,
        "optional_type": numpy_helper.from_optional,
    }.get(kind, lambda array, name: numpy_helper.from_array(np.asarray(array), name))
    return convert(value, info.name).SerializeToString()


def write_tolerances(folder: Path, case) -> None:
    if (case.rtol, case.atol) != USUAL_TOLERANCES:
        (folder / "data.json").write_text(json.dumps({"rtol": case.rtol, "atol": case.atol}))


def write_case(folder: Path, case) -> None:
    """A case whose model and data are in memory."""
    folder.mkdir(parents=True)
    (folder / "model.onnx").write_bytes(case.model.SerializeToString())
    write_tolerances(folder, case)
    for number, (inputs, outputs) in enumerate(case.data_sets):
        data = folder / f"test_data_set_{number}"
        data.mkdir()
        for prefix, infos, values in (
            ("input", case.model.graph.input, inputs),
            ("output", case.model.graph.output, outputs),
        ):
            for k, value in enumerate(values):
                (data / f"{prefix}_{k}.pb").write_bytes(serialize(infos[k], value))


def write_real_case(folder: Path, case) -> None:
    """A light model of the package: it ships the expected output, the inputs are made as its runner makes them."""
    source = Path(onnx.__file__).parent.parent / case.url
    model = onnx.load(source)
    data = folder / "test_data_set_0"
    data.mkdir(parents=True)
    shutil.copy(source, folder / "model.onnx")
    write_tolerances(folder, case)
    initializers = {tensor.name for tensor in model.graph.initializer}
    fed = [info for info in model.graph.input if info.name not in initializers]
    for k, info in enumerate(fed):
        array = Runner.generate_dummy_data(info, seed=0, name=case.model_name, random=False)
        (data / f"input_{k}.pb").write_bytes(numpy_helper.from_array(array, info.name).SerializeToString())
    shutil.copy(str(source).replace(".onnx", "_output_0.pb"), data / "output_0.pb")


def main() -> None:
    out = Path(sys.argv[1])
    shutil.rmtree(out, ignore_errors=True)
    simple = [case for case in collect_testcases() if case.kind == "simple"]
    for case in [*load_model_tests(kind="node"), *simple]:
        write_case(out / case.kind / case.name, case)
    for case in load_model_tests(kind="real"):
        write_real_case(out / "real" / case.name, case)
    for kind in ("pytorch-converted", "pytorch-operator", "simple"):
        for folder in sorted(Path(DATA_DIR, kind).iterdir()):
            if folder.is_dir() and not (out / kind / folder.name).exists():
                shutil.copytree(folder, out / kind / folder.name, ignore=shutil.ignore_patterns("__pycache__", "*.py"))
    print(f"{len(list(out.glob('*/*/model.onnx')))} cases of onnx {onnx.__version__} in {out}")


if __name__ == "__main__":
    main()
