#!/usr/bin/env python3
"""usage: generate_cases.py FOLDER
Makes FOLDER/node/test_NAME/{model.onnx, test_data_set_0/*.pb} of every case in cases_*.py, with onnxruntime's results.
The numbers depend on the case's name only. Needs onnx, numpy and onnxruntime (scripts/get_onnxruntime.sh)."""
import dataclasses
import importlib
import pathlib
import sys
import zlib

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
import onnxruntime

from case import Operand

HERE = pathlib.Path(__file__).resolve().parent
VERSIONS = {"com.microsoft": 1, "ai.onnx.ml": 3}


def run(model, feeds):
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return session.run(None, feeds)


def build(case):
    """The model without types of its outputs, and what is fed."""
    random = np.random.default_rng(zlib.crc32(case.name.encode()))
    names, inputs, constants, feeds = [], [], [], {}
    for i, operand in enumerate(case.inputs):
        names.append("" if operand is None else f"x{i}")
        if operand is None:
            continue
        value = operand.make(random)
        if operand.constant:
            constants.append(numpy_helper.from_array(value, names[-1]))
        else:
            kind = helper.np_dtype_to_tensor_dtype(value.dtype) if value.dtype != object else TensorProto.STRING
            inputs.append(helper.make_tensor_value_info(names[-1], kind, value.shape))
            feeds[names[-1]] = value
    outputs = ["" if i in case.skipped_outputs else f"y{i}" for i in range(case.outputs)]
    node = helper.make_node(case.op, names, outputs, domain=case.domain, **case.attrs)
    results = [helper.make_empty_tensor_value_info(name) for name in outputs if name]
    graph = helper.make_graph([node], case.name, inputs, results, constants)
    opsets = [helper.make_opsetid("", case.opset)]
    if case.domain:
        opsets.append(helper.make_opsetid(case.domain, VERSIONS[case.domain]))
    return helper.make_model(graph, opset_imports=opsets, ir_version=10), feeds


def spelled_out(case, feeds):
    """The same node in the other form; all inputs are fed."""
    values = case.oracle([feeds.get(f"x{i}") for i in range(len(case.inputs))])
    given = [None if value is None else Operand(values=value, dtype=value.dtype) for value in values]
    return build(dataclasses.replace(case, inputs=given, oracle=None))


def write(folder, case):
    model, feeds = build(case)
    results = run(*(spelled_out(case, feeds) if case.oracle else (model, feeds)))
    for output, value in zip(model.graph.output, results):
        kind = TensorProto.STRING if value.dtype == object else helper.np_dtype_to_tensor_dtype(value.dtype)
        output.CopyFrom(helper.make_tensor_value_info(output.name, kind, value.shape))
    data = folder / "node" / f"test_{case.name}" / "test_data_set_0"
    data.mkdir(parents=True, exist_ok=True)
    (data.parent / "model.onnx").write_bytes(model.SerializeToString())
    for i, value in enumerate(feeds.values()):
        name = model.graph.input[i].name
        (data / f"input_{i}.pb").write_bytes(numpy_helper.from_array(value, name).SerializeToString())
    for i, value in enumerate(results):
        name = model.graph.output[i].name
        (data / f"output_{i}.pb").write_bytes(numpy_helper.from_array(value, name).SerializeToString())


def main():
    folder = pathlib.Path(sys.argv[1])
    sys.path.insert(0, str(HERE))
    failed, names = 0, set()
    for path in sorted(HERE.glob("cases_*.py")):
        for case in importlib.import_module(path.stem).CASES:
            if case.name in names:
                raise SystemExit(f"{path.name}: '{case.name}' is there twice")
            names.add(case.name)
            try:
                write(folder, case)
            except Exception as error:  # onnxruntime refuses a case: the table is wrong
                print(f"{case.name}: {error}", file=sys.stderr)
                failed += 1
    print(f"{len(names) - failed} cases, {failed} refused by onnxruntime {onnxruntime.__version__}")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
