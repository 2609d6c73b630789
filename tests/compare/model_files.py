"""A file of every kind that holds a model, with weights from NumPy."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
import trained
from safetensors.numpy import save_file

__all__ = ["SHAPE", "write_files"]

#: Of a probe that the models take.
SHAPE = (2, 6, 3)
_DATA = Path(__file__).resolve().parent.parent / "cli" / "data"


def write_files() -> dict[str, tuple[str, ...]]:
    """Write the files here; by name, the options with which `inspect` opens each."""
    rng = np.random.default_rng(81)
    np.save("probe.npy", rng.normal(size=SHAPE).astype(np.float32))
    model = _model()
    trained.randomise(model, rng)
    model.save("model.keras")
    model.save("model.h5")
    model.save_weights("model.weights.h5")
    Path("model.json").write_text(model.to_json())
    model.export("saved", verbose=False)
    tf.train.Checkpoint(model=model).write("objects")
    trained.randomise(model, rng)
    model.save("later.keras")
    Path("row").mkdir()
    for step in (10, 20, 30):
        trained.randomise(model, rng)
        model.save(f"row/model-{step}.keras")
    _write_arrays(model, rng)
    _write_tf1(rng)
    _write_onnx(rng)
    shutil.copy(_DATA / "torch_state.pt", "state.pt")
    with_config = ("--config", "model.json")
    return {
        "model.keras": (),
        "later.keras": (),
        "model.h5": (),
        "model.weights.h5": with_config,
        "saved": (),
        "objects": with_config,
        "objects.index": (),
        "tf1.ckpt-600": ("--cell", "forget_bias=0.5"),
        "model.onnx": (),
        "state.pt": (),
        "state.safetensors": (),
        "lstm.npz": (),
        "named.npz": ("--cell", "activation=relu"),
    }


def _model() -> Any:
    layers = keras.layers
    model = keras.Sequential(
        [
            layers.InputLayer(SHAPE[1:]),
            layers.LSTM(5, return_sequences=True, name="memory"),
            layers.GRU(4, go_backwards=True, name="reader"),
            layers.Dense(2, name="head"),
        ]
    )
    model.compile("sgd", "mse")
    return model


def _write_arrays(model: Any, rng: np.random.Generator) -> None:
    arrays = model.layers[0].get_weights()
    np.savez("lstm.npz", *arrays)
    names = ("memory/kernel", "memory/recurrent_kernel", "memory/bias")
    np.savez("named.npz", **dict(zip(names, arrays, strict=True)))
    shapes = {
        "weight_ih_l0": (20, 3),
        "weight_hh_l0": (20, 5),
        "bias_ih_l0": (20,),
        "bias_hh_l0": (20,),
    }
    state = {f"rnn.{k}": rng.normal(0, 0.5, s).astype(np.float32) for k, s in shapes.items()}
    save_file(state, "state.safetensors")


def _write_tf1(rng: np.random.Generator) -> None:
    tf1 = tf.compat.v1
    with tf.Graph().as_default(), tf1.Session() as session:
        variables = {
            "rnn/basic_lstm_cell/kernel": rng.normal(0, 0.5, (8, 20)),
            "rnn/basic_lstm_cell/bias": rng.normal(0, 0.5, 20),
        }
        for name, value in variables.items():
            tf1.get_variable(name, initializer=value.astype(np.float32), use_resource=False)
        session.run(tf1.global_variables_initializer())
        tf1.train.Saver().save(session, "tf1.ckpt", global_step=600, write_meta_graph=False)


def _write_onnx(rng: np.random.Generator) -> None:
    """An LSTM in both directions, as torch's exporter writes it."""
    import onnx
    from onnx import helper, numpy_helper

    shapes = {"W": (2, 20, 3), "R": (2, 20, 5), "B": (2, 40)}
    constants = [
        numpy_helper.from_array(rng.normal(0, 0.5, shape).astype(np.float32), name)
        for name, shape in shapes.items()
    ]
    nodes = [
        helper.make_node("Transpose", ["x"], ["xt"], perm=[1, 0, 2]),
        helper.make_node(
            "LSTM", ["xt", "W", "R", "B"], ["y", "", ""], "encoder/LSTM",
            direction="bidirectional", hidden_size=5,
        ),
    ]  # fmt: skip
    x = helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, SHAPE)
    y = helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, (6, 2, 2, 5))
    graph = helper.make_graph(nodes, "model", [x], [y], constants)
    opsets = [helper.make_opsetid("", 14)]
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=8), "model.onnx")
