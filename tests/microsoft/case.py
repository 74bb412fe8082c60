"""One case of one operator whose oracle is onnxruntime, as data. Tables of cases are in cases_*.py beside this file:
each has a list CASES. generate_cases.py makes a folder of each case, as the suites of ONNX have them."""
import dataclasses

import numpy as np


@dataclasses.dataclass
class Operand:
    """Uniform numbers in [low, high), or `values` as they are; a dictionary is a map. A constant is an initializer of the
    model."""
    shape: tuple = ()
    low: float = -1
    high: float = 1
    dtype: type = np.float32
    values: object = None
    constant: bool = False

    def make(self, random):
        if isinstance(self.values, dict):
            return self.values
        if self.values is not None:
            return np.array(self.values, dtype=self.dtype)
        if np.issubdtype(self.dtype, np.floating):
            return random.uniform(self.low, self.high, self.shape).astype(self.dtype)
        return random.integers(int(self.low), int(self.high), self.shape).astype(self.dtype)


def fed(*shape, low=-1.0, high=1.0, dtype=np.float32):
    return Operand(shape, low, high, dtype)


def weight(*shape, low=-1.0, high=1.0, dtype=np.float32):
    return Operand(shape, low, high, dtype, constant=True)


def integers(*shape, low=0, high=2, dtype=np.int32, constant=False):
    return Operand(shape, low, high, dtype, constant=constant)


def given(values, dtype=np.float32, constant=False):
    return Operand(values=values, dtype=dtype, constant=constant)


@dataclasses.dataclass
class Case:
    name: str  # "fused_conv_relu": unique
    op: str
    inputs: list  # of Operand; None: an absent optional
    attrs: dict = dataclasses.field(default_factory=dict)
    outputs: int = 1
    skipped_outputs: tuple = ()  # numbers of outputs that the node does not name
    domain: str = "com.microsoft"
    opset: int = 20
    oracle: object = None  # a function from the inputs to those of the form that onnxruntime has on the CPU
