"""The recurrences against their floor; the LSTM's also against a naive one and the frameworks'."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from measuring import Row, Work, at_least, at_most, in_turn, ratio, reported, rounds_for

from lstm_probe import GruCell, LstmCell, SimpleRnnCell
from lstm_probe import weights as layouts
from lstm_probe.core.blas import on_one_blas_thread
from lstm_probe.weights import LstmWeights

#: (time, batch, input, units), and how many floors a recomputation in float32 may take.
SHAPES = {
    (28, 1, 28, 128): 1.9,
    (302, 1, 1, 30): 4.5,
    (302, 32, 1, 30): None,
    (100, 8, 64, 256): 1.25,
    (1000, 1, 64, 512): 1.25,
    (1, 1, 784, 128): None,
}
NAIVE_SHAPE, NAIVE_BOUND = (302, 1, 1, 30), 7
#: The shapes on which the other cells are set against their floor.
OTHERS = [(28, 1, 28, 128), (302, 1, 1, 30), (100, 8, 64, 256)]


def measure() -> Iterator[Row]:
    yield from lstm_rows()
    yield hard_sigmoid_row()
    yield from rows_of_other_cells()


def lstm_rows() -> Iterator[Row]:
    for shape, bound in SHAPES.items():
        weights, x = random_cell(*shape)
        cell, precise = LstmCell(), weights.astype(np.float64)
        peers: dict[str, Work] = {
            "floor": floor(*shape, np.float32),
            "ours": lambda x=x, w=weights, c=cell: c.run(x, w),
            "float64": lambda x=x, w=precise, c=cell: c.run(x, w),
            "naive": lambda x=x, w=weights: naive(x, w),
            "tf.function": tensorflow_layer(weights, x),
            **torch_lstm(weights, x),
            **onnx_lstm(weights, x),
        }
        works = list(peers.values())
        rows = on_one_blas_thread(in_turn)(works, rounds_for(peers["naive"], 1.0, 31))
        place = {name: index for index, name in enumerate(peers)}
        over_floor = ratio(rows, place["ours"], place["floor"])
        name = f"LSTM {shape}, float32 over the floor"
        yield at_most(name, bound, over_floor) if bound else reported(name, over_floor)
        yield reported(
            f"LSTM {shape}, float64 over float32", ratio(rows, place["float64"], place["ours"])
        )
        over_naive = ratio(rows, place["naive"], place["ours"])
        name = f"LSTM {shape}, naive per gate over ours"
        is_bound = shape == NAIVE_SHAPE
        yield at_least(name, NAIVE_BOUND, over_naive) if is_bound else reported(name, over_naive)
        yield at_least(
            f"LSTM {shape}, tf.function over ours",
            1,
            ratio(rows, place["tf.function"], place["ours"]),
        )
        for peer in ("torch", "onnxruntime"):
            if peer in peers:
                yield reported(
                    f"LSTM {shape}, {peer} over ours", ratio(rows, place[peer], place["ours"])
                )


def hard_sigmoid_row() -> Row:
    """The tutorials' own case: gates by Keras 2's `hard_sigmoid`, one sequence of 302 steps."""
    weights, x = random_cell(*NAIVE_SHAPE)
    cell = LstmCell(recurrent_activation="hard_sigmoid_keras2")
    works: list[Work] = [
        lambda: naive(x, weights, lambda a: np.clip(0.2 * a + 0.5, 0, 1)),
        lambda: cell.run(x, weights),
    ]
    rows = on_one_blas_thread(in_turn)(works, rounds_for(works[0], 1.0, 31))
    name = f"LSTM {NAIVE_SHAPE} with hard_sigmoid, naive per gate over ours"
    return at_least(name, NAIVE_BOUND, ratio(rows, 0, 1))


def rows_of_other_cells() -> Iterator[Row]:
    rng = np.random.default_rng(0)
    for cell, gates in ((GruCell(), 3), (SimpleRnnCell(), 1)):
        for time, batch, inputs, units in OTHERS:
            kernels = (
                rng.normal(0, 0.5 * size**-0.5, (size, gates * units)).astype(np.float32)
                for size in (inputs, units)
            )
            weights = layouts.from_keras(*kernels)
            x = rng.normal(size=(batch, time, inputs)).astype(np.float32)
            works = [
                lambda c=cell, x=x, w=weights: c.run(x, w),
                floor(time, batch, inputs, units, np.float32, gates=gates, shown=False),
            ]
            rows = on_one_blas_thread(in_turn)(works, rounds_for(works[0], 0.5, 31))
            name = f"{cell.name} {(time, batch, inputs, units)}, float32 over the floor"
            yield reported(name, ratio(rows, 0, 1))


def random_cell(time: int, batch: int, inputs: int, units: int) -> tuple[LstmWeights, np.ndarray]:
    rng = np.random.default_rng(0)
    weights = LstmWeights(
        rng.normal(0, 0.5 * inputs**-0.5, (inputs, 4, units)),
        rng.normal(0, 0.5 * units**-0.5, (units, 4, units)),  # not chaotic
        rng.normal(0, 0.3, (4, units)),
    ).astype(np.float32)
    return weights, rng.normal(size=(batch, time, inputs)).astype(np.float32)


def floor(
    time: int,
    batch: int,
    inputs: int,
    units: int,
    dtype: type,
    *,
    gates: int = 4,
    shown: bool = True,
) -> Work:
    """The matrix products and the transcendental functions that nobody can do without.

    Args:
        time: the number of steps.
        batch: the number of sequences.
        inputs: the number of features.
        units: the number of units.
        dtype: of all arrays.
        gates: how many gates the cell has.
        shown: whether the state is shown through an activation of its own, as an LSTM's is.
    """
    rng = np.random.default_rng(0)
    x = rng.normal(size=(time * batch, inputs)).astype(dtype)
    kernel = rng.normal(size=(inputs, gates * units)).astype(dtype)
    h = rng.normal(size=(batch, units)).astype(dtype)
    recurrent_kernel = rng.normal(size=(units, gates * units)).astype(dtype)
    sums, state = np.empty((batch, gates * units), dtype), np.empty((batch, units), dtype)

    def run() -> None:
        x @ kernel
        for _ in range(time):
            np.matmul(h, recurrent_kernel, out=sums)
            np.tanh(sums, out=sums)
            if shown:
                np.tanh(h, out=state)

    return run


def sigmoid(a: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-a))


def naive(
    x: np.ndarray, weights: LstmWeights, sigma: Callable[[np.ndarray], np.ndarray] = sigmoid
) -> list[np.ndarray]:
    """Gate by gate and step by step, as the tutorials have it."""
    gates = {letter: weights.gate(letter) for letter in "ifgo"}
    h = c = np.zeros((len(x), weights.units), x.dtype)
    states = []
    for t in range(x.shape[1]):
        a = {
            letter: np.dot(x[:, t], gate.kernel) + np.dot(h, gate.recurrent_kernel) + gate.bias
            for letter, gate in gates.items()
        }
        i, f, o, g = sigma(a["i"]), sigma(a["f"]), sigma(a["o"]), np.tanh(a["g"])
        c = f * c + i * g
        h = o * np.tanh(c)
        states.append(h)
    return states


def tensorflow_layer(weights: LstmWeights, x: np.ndarray) -> Work:
    import keras
    import tensorflow as tf

    layer = keras.layers.LSTM(weights.units, return_sequences=True)
    layer.build(x.shape)
    layer.set_weights(
        [
            weights.kernel.reshape(weights.input_size, -1),
            weights.recurrent_kernel.reshape(weights.units, -1),
            weights.bias.reshape(-1),
        ]
    )
    tensor = tf.constant(x)
    run = tf.function(lambda: layer(tensor))
    return lambda: run().numpy()


def torch_lstm(weights: LstmWeights, x: np.ndarray) -> dict[str, Work]:
    try:
        import torch
    except ImportError:
        return {}
    torch.set_num_threads(1)
    lstm, tensor = torch.nn.LSTM(weights.input_size, weights.units, batch_first=True), None
    tensor = torch.from_numpy(x)

    def run() -> object:
        with torch.no_grad():
            return lstm(tensor)[0].numpy()

    return {"torch": run}


def onnx_lstm(weights: LstmWeights, x: np.ndarray) -> dict[str, Work]:
    try:
        import onnxruntime
        from onnx import TensorProto, helper, numpy_helper
    except ImportError:
        return {}
    units = weights.units
    arrays = {
        "W": weights.kernel.reshape(-1, 4 * units).T[None],
        "R": weights.recurrent_kernel.reshape(-1, 4 * units).T[None],
    }
    graph = helper.make_graph(
        [helper.make_node("LSTM", ["X", "W", "R"], ["Y"], hidden_size=units)],
        "lstm",
        [helper.make_tensor_value_info("X", TensorProto.FLOAT, (x.shape[1], len(x), x.shape[2]))],
        [helper.make_tensor_value_info("Y", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(np.ascontiguousarray(v), k) for k, v in arrays.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 14)], ir_version=8)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    feed = {"X": np.ascontiguousarray(x.swapaxes(0, 1))}
    return {"onnxruntime": lambda: session.run(None, feed)}
