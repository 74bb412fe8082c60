"""LSTM, GRU and RNN with what ONNX's own cases leave out."""
import numpy as np

from case import Case, fed, given, weight

GATES = {"LSTM": 4, "GRU": 3, "RNN": 1}
STATES = {"LSTM": 2, "GRU": 1, "RNN": 1}


def case(name, op, attrs=None, steps=5, batch=3, size=4, hidden=7, bias=True, lengths=None, initial=True, peephole=False):
    attrs = dict(attrs or {})
    directions = 2 if attrs.get("direction") == "bidirectional" else 1
    rows = GATES[op] * hidden
    state = (directions, batch, hidden)
    inputs = [fed(steps, batch, size), weight(directions, rows, size), weight(directions, rows, hidden, low=-0.5, high=0.5),
              weight(directions, 2 * rows) if bias else None, given(lengths, np.int32) if lengths else None]
    inputs += [fed(*state) if initial else None for _ in range(STATES[op])]
    if peephole:
        inputs.append(weight(directions, 3 * hidden))
    while inputs[-1] is None:
        inputs.pop()
    return Case(f"{op.lower()}_{name}", op, inputs, {"hidden_size": hidden, **attrs}, outputs=1 + STATES[op], domain="")


CASES = [
    *[case(f"{name}", op, attrs) for op in GATES for name, attrs in [
        ("forward", {}), ("backward", {"direction": "reverse"}), ("both", {"direction": "bidirectional"}),
        ("clip", {"clip": 0.4})]],
    *[case(f"lengths_{direction}", op, {"direction": direction}, lengths=[5, 2, 3])
      for op in GATES for direction in ["forward", "reverse", "bidirectional"]],
    *[case("bare", op, bias=False, initial=False) for op in GATES],
    *[case("one_step", op, steps=1, batch=1, hidden=33) for op in GATES],
    *[case("many_rows", op, batch=40, hidden=16) for op in GATES],
    case("peephole", "LSTM", {"direction": "bidirectional"}, peephole=True),
    case("input_forget", "LSTM", {"input_forget": 1}),
    case("linear_before_reset", "GRU", {"linear_before_reset": 1, "direction": "bidirectional"}),
    case("linear_before_reset_lengths", "GRU", {"linear_before_reset": 1}, lengths=[1, 5, 4]),
    case("activations", "LSTM", {"activations": ["HardSigmoid", "Softsign", "LeakyRelu"],
                                 "activation_alpha": [0.3, 0.1], "activation_beta": [0.4]}),
    case("affine", "GRU", {"activations": ["Affine", "ScaledTanh"], "activation_alpha": [0.3, 0.8],
                           "activation_beta": [0.4, 0.7]}),
    *[case(name.lower(), "RNN", {"activations": [name]}) for name in ["Relu", "Sigmoid", "Elu", "Softplus"]],
    case("thresholdedrelu", "RNN", {"activations": ["ThresholdedRelu"], "activation_alpha": [0.3]}),
]
