"""A file of every kind that holds a model, written by the framework it belongs to."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
from typer.testing import CliRunner

from lstm_probe.cli.app import app

DATA = Path(__file__).parent / "data"
SHAPE = (2, 6, 3)


def probe() -> np.ndarray:
    return np.random.default_rng(7).normal(size=SHAPE).astype(np.float32)


def run(*arguments: object) -> Any:
    """The command line, in this process."""
    return CliRunner().invoke(app, [str(each) for each in arguments], prog_name="lstm-probe")


def one_line(result: Any) -> str:
    """The one line on stderr that a bad input gets."""
    assert result.exit_code == 2, result.output
    assert result.stdout == ""
    assert result.stderr.startswith("lstm-probe: ")
    assert result.stderr.count("\n") == 1
    assert "should not happen" not in result.stderr, result.stderr
    return str(result.stderr)


def build(keras: Any, rng: np.random.Generator, steps: int = 3) -> Any:
    """A trained model of either Keras: an LSTM, a GRU that reads backwards, and a head."""
    layers = keras.layers
    model = keras.Sequential(
        [
            layers.InputLayer(SHAPE[1:]),
            layers.LSTM(5, return_sequences=True, name="memory"),
            layers.GRU(4, go_backwards=True, name="reader"),
            layers.Dense(2),
        ]
    )
    model.compile("adam", "mse")
    x, y = rng.normal(size=(8 * steps, *SHAPE[1:])), rng.normal(size=(8 * steps, 2))
    model.fit(x, y, batch_size=8, verbose=0)
    for variable in model.trainable_variables:
        variable.assign(rng.normal(0, 0.4, variable.shape))
    return model


def write_keras(directory: Path, keras: Any, rng: np.random.Generator) -> np.ndarray:
    """Every kind of file that a Keras writes; returns what the model makes of the probe."""
    import tensorflow as tf

    directory.mkdir()
    model = build(keras, rng)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Keras calls its .h5 files legacy
        model.save(directory / "model.keras")
        model.save(directory / "model.h5")
        if keras.__name__ == "tf_keras":
            model.save(directory / "saved", save_format="tf")
            model.save_weights(directory / "named" / "weights")
        else:
            model.export(directory / "saved", verbose=False)
        model.save_weights(directory / "model.weights.h5")
        (directory / "model.json").write_text(model.to_json())
        tf.train.Checkpoint(model=model).write(str(directory / "objects"))
        np.savez(directory / "lstm.npz", *model.layers[0].get_weights())
    reader = keras.Model(model.inputs[0], model.get_layer("reader").output)
    np.save(directory / "reader_output.npy", np.asarray(reader(probe())))
    memory = keras.Model(model.inputs[0], model.layers[0].output)
    return np.asarray(memory(probe()))


def write_onnx(path: Path, rng: np.random.Generator) -> None:
    """A bidirectional LSTM whose outputs are joined, and a GRU that reads them, as torch's
    exporter writes them."""
    import onnx
    from onnx import helper, numpy_helper

    units, shapes = 5, {"x": SHAPE, "y": (2, 6, 4)}
    arrays = {
        "W": (2, 20, 3), "R": (2, 20, units), "B": (2, 40),
        "W2": (1, 12, 10), "R2": (1, 12, 4), "B2": (1, 24),
    }  # fmt: skip
    constants = [
        numpy_helper.from_array(rng.normal(0, 0.5, shape).astype(np.float32), name)
        for name, shape in arrays.items()
    ]
    constants.append(numpy_helper.from_array(np.array([0, 0, -1]), "joined_shape"))
    constants.append(numpy_helper.from_array(np.array([1]), "one"))
    nodes = [
        helper.make_node("Transpose", ["x"], ["xt"], perm=[1, 0, 2]),
        helper.make_node(
            "LSTM", ["xt", "W", "R", "B"], ["h", "", ""], "encoder/LSTM",
            direction="bidirectional", hidden_size=units,
        ),
        helper.make_node("Transpose", ["h"], ["ht"], perm=[0, 2, 1, 3]),
        helper.make_node("Reshape", ["ht", "joined_shape"], ["joined"]),
        helper.make_node(
            "GRU", ["joined", "W2", "R2", "B2"], ["g"], "reader",
            linear_before_reset=1, hidden_size=4,
        ),
        helper.make_node("Squeeze", ["g", "one"], ["gs"]),
        helper.make_node("Transpose", ["gs"], ["y"], perm=[1, 0, 2]),
    ]  # fmt: skip
    infos = {
        name: helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, shape)
        for name, shape in shapes.items()
    }
    graph = helper.make_graph(nodes, "model", [infos["x"]], [infos["y"]], constants)
    opsets = [helper.make_opsetid("", 14)]
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=8), str(path))
