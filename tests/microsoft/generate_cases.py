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


def element_type(array):
    return TensorProto.STRING if array.dtype == object else helper.np_dtype_to_tensor_dtype(array.dtype)


def map_type(value):
    """Of a dictionary from integers or strings to floats, as onnxruntime takes and gives them."""
    keys = TensorProto.STRING if isinstance(next(iter(value)), str) else TensorProto.INT64
    return helper.make_map_type_proto(keys, helper.make_tensor_type_proto(TensorProto.FLOAT, []))


def value_info(name, value):
    if isinstance(value, dict):
        return helper.make_value_info(name, map_type(value))
    if isinstance(value, list):
        return helper.make_value_info(name, helper.make_sequence_type_proto(map_type(value[0])))
    return helper.make_tensor_value_info(name, element_type(value), value.shape)


def map_proto(name, value):
    """numpy_helper.from_dict takes keys that are texts for names of types."""
    proto = onnx.MapProto(name=name, values=numpy_helper.from_list([np.float32(x) for x in value.values()]))
    if map_type(value).map_type.key_type == TensorProto.STRING:
        proto.key_type = TensorProto.STRING
        proto.string_keys.extend(key.encode() for key in value)
    else:
        proto.key_type = TensorProto.INT64
        proto.keys.extend(value)
    return proto


def serialize(name, value):
    if isinstance(value, dict):
        return map_proto(name, value).SerializeToString()
    if isinstance(value, list):
        maps = [map_proto("", mapping) for mapping in value]
        proto = onnx.SequenceProto(name=name, elem_type=onnx.SequenceProto.MAP, map_values=maps)
        return proto.SerializeToString()
    return numpy_helper.from_array(value, name).SerializeToString()


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
            inputs.append(value_info(names[-1], value))
            feeds[names[-1]] = value
    outputs = ["" if i in case.skipped_outputs else f"y{i}" for i in range(case.outputs)]
    node = helper.make_node(case.op, names, outputs, domain=case.domain, **case.attrs)
    results = [onnx.ValueInfoProto(name=name) for name in outputs if name]
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
        output.CopyFrom(value_info(output.name, value))
    data = folder / "node" / f"test_{case.name}" / "test_data_set_0"
    data.mkdir(parents=True, exist_ok=True)
    (data.parent / "model.onnx").write_bytes(model.SerializeToString())
    for i, value in enumerate(feeds.values()):
        name = model.graph.input[i].name
        (data / f"input_{i}.pb").write_bytes(serialize(name, value))
    for i, value in enumerate(results):
        name = model.graph.output[i].name
        (data / f"output_{i}.pb").write_bytes(serialize(name, value))


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
