"""Quantized operators of com.microsoft. Scales are such that no result lies in the middle of two bytes: where one does,
onnxruntime rounds after it has added the zero point, the standard before."""
import numpy as np

from case import Case, Operand, fed, given, weight

U8, I8, I32, F32 = np.uint8, np.int8, np.int32, np.float32


def byte(*shape, dtype=U8, constant=False):
    low, high = (0, 256) if dtype == U8 else (-128, 128)
    return Operand(shape, low, high, dtype, constant=constant)


def scale(value):
    return given(value, F32, constant=True)


def zero(value, dtype=U8):
    return given(value, dtype, constant=True)


def scales(count, first=0.01, step=0.002):
    return given([first + step * (i % 5) for i in range(count)], F32, constant=True)


def quantized(*shape, dtype=U8, by=0.0203, at=None):
    """A tensor, its scale and its zero point."""
    return [byte(*shape, dtype=dtype), scale(by), zero((110 if dtype == U8 else -9) if at is None else at, dtype)]


def result(dtype=U8, by=0.0307):
    return [scale(by), zero(120 if dtype == U8 else 4, dtype)]


POOL = {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1, 1, 1, 1]}
NAMES = {U8: "u8", I8: "i8"}

CASES = [
    *[Case(f"qlinear_{op.lower()}_{NAMES[t]}_{name}", f"QLinear{op}", [*quantized(*a, dtype=t), *quantized(*b, dtype=t, by=0.0517), *result(t, 0.0613)])
      for op in ("Add", "Mul") for t in (U8, I8)
      for name, a, b in (("same", (2, 5, 19), (2, 5, 19)), ("row", (3, 70), (70,)), ("scalar", (3, 70), (1,)))],
    *[Case(f"qlinear_{op.lower()}_{NAMES[t]}", f"QLinear{op}", [*quantized(3, 80, dtype=t, by=0.0411), *result(t, 0.008)], attrs)
      for op, attrs in (("Sigmoid", {}), ("LeakyRelu", {"alpha": 0.2})) for t in (U8, I8)],
    *[Case(f"qlinear_concat_{NAMES[t]}", "QLinearConcat", [*result(t), *quantized(2, 3, 4, dtype=t), *quantized(2, 5, 4, dtype=t, by=0.03)], {"axis": 1})
      for t in (U8, I8)],
    *[Case(f"qlinear_average_pool_{name}_{NAMES[t]}", "QLinearAveragePool", [*quantized(1, 6, 8, 7, dtype=t), *result(t)], {**POOL, **attrs})
      for t in (U8, I8) for name, attrs in (("plain", {}), ("padded", {"count_include_pad": 1}))],
    *[Case(f"qlinear_global_average_pool_{NAMES[t]}", "QLinearGlobalAveragePool", [*quantized(2, 21, 7, 7, dtype=t), *result(t)]) for t in (U8, I8)],
    Case("qlinear_global_average_pool_last", "QLinearGlobalAveragePool", [*quantized(2, 7, 7, 21), *result()], {"channels_last": 1}),
    *[Case(f"qlinear_softmax_{NAMES[t]}", "QLinearSoftmax", [*quantized(3, 40, dtype=t, by=0.0517), scale(1 / 256), zero(0 if t == U8 else -128, t)],
           {"axis": -1, "opset": 13}) for t in (U8, I8)],
    *[Case(f"nhwc_max_pool_{NAMES[t]}", "NhwcMaxPool", [byte(1, 8, 7, 21, dtype=t)], POOL) for t in (U8, I8)],
    *[Case(f"qgemm_{name}", "QGemm",
           [*quantized(5, 22), byte(*((35, 22) if trans else (22, 35)), dtype=I8, constant=True), scales(35), given([0] * 35, I8, constant=True),
            given(list(range(-1700, 1800, 100)), I32, constant=True), *more], {"transB": int(trans)})
      for name, trans, more in (("u8", True, result(U8, 0.4)), ("plain", False, result(U8, 0.4)), ("f32", True, []))],
    *[Case(f"matmul_integer_to_float_{NAMES[t]}", "MatMulIntegerToFloat",
           [byte(5, 22), byte(22, 35, dtype=t, constant=True), scale(0.02), scales(35), zero(99), zero(3, t), weight(35)]) for t in (U8, I8)],
    *[Case(f"dynamic_quantize_matmul_{NAMES[t]}", "DynamicQuantizeMatMul",
           [fed(5, 22, low=-1, high=2), byte(22, 35, dtype=t, constant=True), scale(0.02), zero(7, t), weight(35)]) for t in (U8, I8)],
    *[Case(f"matmul_nbits_{bits}_{k}_{'zeros' if zeros else 'plain'}", "MatMulNBits",
           [fed(3, k), byte(9, -(-k // 32), 4 * bits, constant=True), weight(9 * -(-k // 32), low=0.01, high=0.1),
            byte(9 * ((-(-k // 32) * bits + 7) // 8), constant=True) if zeros else None],
           {"K": k, "N": 9, "bits": bits, "block_size": 32})
      for bits in (4, 8) for k in (32, 96, 80) for zeros in (False, True)],
    *[Case(f"quantize_linear_{NAMES[t]}", "QuantizeLinear", [fed(4, 33, low=-3, high=3), scale(0.02), zero(7, t)]) for t in (U8, I8)],
    *[Case(f"dequantize_linear_{NAMES[t]}", "DequantizeLinear", [byte(4, 33, dtype=t), scale(0.02), zero(7, t)]) for t in (U8, I8)],
]
