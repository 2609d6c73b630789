"""What an ONNX node says of its cell: by ONNX's equations, and by ONNX Runtime where it is."""

from __future__ import annotations

import numpy as np
import pytest
from helpers_cells import largest, random_arrays, sigmoid

from lstm_probe.analysis.parity.error import TOLERANCES
from lstm_probe.cells import LstmCell, lstm
from lstm_probe.core.errors import LstmProbeError
from lstm_probe.core.masks import emitted
from lstm_probe.models.files.onnx_cells import cell_from_onnx, mask_from_onnx
from lstm_probe.weights import CoupledLstmWeights, from_onnx

BLOCKS = {"LSTM": 4, "GRU": 3, "RNN": 1}
BIDIRECTIONAL = {"direction": "bidirectional"}

# Operator, attributes, whether with sequence_lens, whether with peepholes.
NODES = {
    "lstm": ("LSTM", {}, False, False),
    "lstm lengths": ("LSTM", BIDIRECTIONAL, True, True),
    "gru lengths": ("GRU", BIDIRECTIONAL, True, False),
    "rnn lengths": ("RNN", {"direction": "reverse"}, True, False),
    "coupled": ("LSTM", {"input_forget": 1}, False, True),
    "coupled hard": (
        "LSTM",
        {"input_forget": 1, "activations": ["HardSigmoid", "Tanh", "Tanh"]},
        False,
        False,
    ),
    "gru clip": ("GRU", {"clip": 0.4, "linear_before_reset": 1}, False, False),
    "rnn clip": ("RNN", {"clip": 0.4}, False, False),
    "lstm wide clip": ("LSTM", {"clip": 9.0}, False, False),
    "lstm activations": (
        "LSTM",
        {"activations": ["HardSigmoid", *["Softsign"] * 2, "Sigmoid", *["Relu"] * 2]}
        | BIDIRECTIONAL,
        False,
        False,
    ),
    "gru activations": (
        "GRU",
        {
            "activations": ["HardSigmoid", "LeakyRelu", "Sigmoid", "Softplus"],
            "activation_alpha": [0.3, 0.2],
            "activation_beta": [0.4],
        }
        | BIDIRECTIONAL,
        False,
        False,
    ),
}
NODES |= {
    name: ("RNN", {"activations": [name], "activation_alpha": [0.3], **beta}, False, False)
    for name, beta in {
        "Affine": {"activation_beta": [0.1]},
        "Elu": {},
        "HardSigmoid": {"activation_beta": [0.6]},
        "LeakyRelu": {},
        "ScaledTanh": {"activation_beta": [0.6]},
        "ThresholdedRelu": {},
    }.items()
}


def of_runtime(onnx, runtime, op_type, attributes, arrays):
    """`(directions, batch, time, units)`."""
    names = ["X", "W", "R", "B", "lengths", "", "", "P"][: 8 if op_type == "LSTM" else 6]
    names = [name if name in arrays else "" for name in names]
    while not names[-1]:
        names.pop()
    units = arrays["R"].shape[2]
    node = onnx.helper.make_node(op_type, names, ["Y"], hidden_size=units, **attributes)
    kinds = {name: onnx.helper.np_dtype_to_tensor_dtype(a.dtype) for name, a in arrays.items()}
    info = onnx.helper.make_tensor_value_info
    graph = onnx.helper.make_graph(
        [node],
        "node",
        [info(name, kind, arrays[name].shape) for name, kind in kinds.items()],
        [info("Y", kinds["X"], None)],
    )
    opset = [onnx.helper.make_opsetid("", 14)]
    model = onnx.helper.make_model(graph, opset_imports=opset, ir_version=8)
    session = runtime.InferenceSession(model.SerializeToString())
    return session.run(None, arrays)[0].transpose(1, 2, 0, 3)


@pytest.mark.parametrize("name", NODES)
def test_hidden_states_are_those_of_the_runtime_when_it_is_installed(name):
    onnx, runtime = pytest.importorskip("onnx"), pytest.importorskip("onnxruntime")
    op_type, attributes, has_lengths, has_peepholes = NODES[name]
    directions = 2 if attributes.get("direction") == "bidirectional" else 1
    rows, rng = BLOCKS[op_type] * 5, np.random.default_rng(7)
    shapes = (directions, rows, 3), (directions, rows, 5), (directions, 2 * rows), (directions, 15)
    w, r, b, p = random_arrays(rng, *shapes, dtype="float32")
    (x,) = random_arrays(rng, (3, 9, 3), scale=1.2, dtype="float32")
    arrays = {"X": np.ascontiguousarray(x.swapaxes(0, 1)), "W": w, "R": r, "B": b}
    arrays |= {"P": p} if has_peepholes else {}
    arrays |= {"lengths": np.array([9, 4, 1], np.int32)} if has_lengths else {}
    theirs = of_runtime(onnx, runtime, op_type, attributes, arrays)
    options = {"linear_before_reset": bool(attributes.get("linear_before_reset"))}
    options |= {"input_forget": bool(attributes.get("input_forget"))}
    for direction in range(directions):
        weights = from_onnx(w, r, b=b, p=arrays.get("P"), direction=direction, **options)
        cell = cell_from_onnx(op_type, attributes, direction=direction)
        mask = mask_from_onnx(arrays.get("lengths", [9] * 3), 9)
        order = -1 if direction == 1 or attributes.get("direction") == "reverse" else 1
        trace = cell.run(x[:, ::order], weights, mask=mask[:, ::order])
        ours = emitted(trace.h, mask[:, ::order], zero_output_for_mask=True)[:, ::order]
        assert largest(ours, theirs[direction]) < TOLERANCES["float32"]


def test_the_forget_gate_is_what_the_input_gate_leaves_when_they_are_coupled():
    rng = np.random.default_rng(1)
    w, r, b, p, x = random_arrays(rng, (1, 20, 3), (1, 20, 5), (1, 40), (1, 15), (2, 9, 3))
    weights = from_onnx(w, r, b=b, p=p, input_forget=True)
    assert isinstance(weights, CoupledLstmWeights)
    trace = lstm(x, weights)
    h = c = np.zeros((2, 5))
    for t in range(9):
        gates = x[:, t] @ w[0].T + h @ r[0].T + b[0, :20] + b[0, 20:]
        i, o, _, g = np.split(gates, 4, axis=1)
        i = sigmoid(i + p[0, :5] * c)
        c = (1 - i) * c + i * np.tanh(g)
        h = sigmoid(o + p[0, 5:10] * c) * np.tanh(c)
        assert largest(trace.i[:, t], i) < TOLERANCES["float64"]
        assert largest(trace.h[:, t], h) < TOLERANCES["float64"]


def test_what_goes_into_the_activations_is_bounded_when_the_node_has_a_clip():
    rng = np.random.default_rng(2)
    w, r, b, x = random_arrays(rng, (1, 20, 3), (1, 20, 5), (1, 40), (2, 9, 3), scale=1.0)
    trace = cell_from_onnx("LSTM", {"clip": 0.4}).run(x, from_onnx(w, r, b=b))
    h = c = np.zeros((2, 5))
    for t in range(9):
        gates = x[:, t] @ w[0].T + h @ r[0].T + b[0, :20] + b[0, 20:]
        i, o, f, g = np.split(np.clip(gates, -0.4, 0.4), 4, axis=1)
        c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
        h = sigmoid(o) * np.tanh(np.clip(c, -0.4, 0.4))
        assert largest(trace.h[:, t], h) < TOLERANCES["float64"]
    assert cell_from_onnx("LSTM", {"clip": 0.0}) == LstmCell()


def test_each_direction_has_its_own_activations():
    names = ["HardSigmoid", "Softsign", "Softsign", b"Sigmoid", b"Relu", b"Relu"]
    cells = [cell_from_onnx("LSTM", {"activations": names}, direction=d) for d in (0, 1)]
    assert cells == [LstmCell("softsign", "hard_sigmoid_keras2"), LstmCell("relu", "sigmoid")]
    mixed = cell_from_onnx("LSTM", {"activations": ["Sigmoid", "Tanh", "Relu"]})
    assert mixed == LstmCell(state_activation="relu")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: cell_from_onnx("Conv"), r"'Conv'. Expected one of LSTM, GRU, RNN"),
        (lambda: cell_from_onnx("RNN", {"activations": ["Gelu"]}), r"'Gelu'.*scaledtanh"),
        (lambda: cell_from_onnx("GRU", {"activations": ["Tanh"]}), r"Expected: 2 for each"),
        (lambda: cell_from_onnx("RNN", {"activations": ["Tanh"]}, direction=1), "direction 1"),
        (lambda: mask_from_onnx([2, 4], 3), "whole numbers from 0 to 3"),
        (lambda: mask_from_onnx([0.5], 3), "whole numbers"),
        (
            lambda: from_onnx(np.ones((1, 15, 3)), np.ones((1, 15, 5)), input_forget=True),
            "Only an LSTM couples its gates",
        ),
    ],
)
def test_the_error_says_what_was_expected(make, message):
    with pytest.raises(LstmProbeError, match=message):
        make()
