"""Reads the few fields of an ONNX file that the exporters need, and writes models of one node, without the onnx package."""

import math
import pathlib
import struct

import numpy

MODEL_GRAPH = 7
GRAPH_NODE, GRAPH_INITIALIZER = 1, 5
NODE_OPERATOR = 4
TENSOR_DIMS, TENSOR_TYPE, TENSOR_NAME, TENSOR_RAW = 1, 2, 8, 9
TYPE_FLOAT = 1


def read_varint(data, position):
    """The varint at `position` and the position after it."""
    value = shift = 0
    while True:
        byte = data[position]
        position += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return value, position


def fields(data):
    """Yields (number, value) of one message: an int for a varint, a memoryview for the rest."""
    position = 0
    while position < len(data):
        key, position = read_varint(data, position)
        wire_type = key & 7
        if wire_type == 0:
            value, position = read_varint(data, position)
        else:
            if wire_type == 2:
                size, position = read_varint(data, position)
            else:
                size = {1: 8, 5: 4}[wire_type]
            value = data[position : position + size]
            position += size
        yield key >> 3, value


def graph_fields(path, number):
    """Yields every field `number` of the main graph of the model at `path`."""
    model = memoryview(pathlib.Path(path).read_bytes())
    graph = next(value for key, value in fields(model) if key == MODEL_GRAPH)
    return (value for key, value in fields(graph) if key == number)


def operators(path):
    """How often the main graph uses each operator, sorted by name."""
    counts = {}
    for node in graph_fields(path, GRAPH_NODE):
        name = next(bytes(value).decode() for key, value in fields(node) if key == NODE_OPERATOR)
        counts[name] = counts.get(name, 0) + 1
    return dict(sorted(counts.items()))


def float_initializers(path):
    """The f32 initializers stored as raw data, by name."""
    arrays = {}
    for tensor in graph_fields(path, GRAPH_INITIALIZER):
        pairs = list(fields(tensor))
        single = dict(pairs)
        if single[TENSOR_TYPE] != TYPE_FLOAT:
            continue
        shape = [value for key, value in pairs if key == TENSOR_DIMS]
        array = numpy.frombuffer(single[TENSOR_RAW], "<f4", math.prod(shape))
        arrays[bytes(single[TENSOR_NAME]).decode()] = array.reshape(shape)
    return arrays


def varint(value):
    out = b""
    while value >= 0x80:
        out += bytes([value & 0x7F | 0x80])
        value >>= 7
    return out + bytes([value])


def message(*parts):
    """A protobuf message of (field, value): bytes, text, a whole number, or a float."""
    out = b""
    for field, value in parts:
        if isinstance(value, int):
            out += varint(field << 3) + varint(value)
        elif isinstance(value, float):
            out += varint(field << 3 | 5) + struct.pack("<f", value)
        else:
            data = value.encode() if isinstance(value, str) else value
            out += varint(field << 3 | 2) + varint(len(data)) + data
    return out


def attribute(name, value):
    """An AttributeProto of a float or a whole number."""
    is_float = isinstance(value, float)
    return message((1, name), (2 if is_float else 3, value), (20, 1 if is_float else 2))


def one_node_model(operator, attributes, shape, domain="", output_type=TYPE_FLOAT):
    """A model y = operator(x) on a float tensor."""
    dims = message(*[(1, message((1, size))) for size in shape])
    x = message((1, "x"), (2, message((1, message((1, TYPE_FLOAT), (2, dims))))))
    y = message((1, "y"), (2, message((1, message((1, output_type))))))
    node = message((1, "x"), (2, "y"), (4, operator), *[(5, a) for a in attributes], (7, domain))
    graph = message((1, node), (11, x), (12, y))
    imports = [(8, message((2, 17)))] + ([(8, message((1, domain), (2, 1)))] if domain else [])
    return message((1, 8), (7, graph), *imports)
