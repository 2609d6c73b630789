"""The probe's own data in logs: what the callbacks log of it, and what stays out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import session_graphs
import tensorflow as tf
import tf_keras

from lstm_probe import LstmProbeError
from lstm_probe.callbacks import ProbeCallback, ProbeHook
from lstm_probe.logs.stored.reader import RunReader, find_runs

pytestmark = pytest.mark.filterwarnings("ignore:.tf.nn.rnn_cell:UserWarning")
KERASES = pytest.mark.parametrize("package", [keras, tf_keras], ids=["keras", "tf_keras"])


def classifier(package: Any, seed: int = 3) -> Any:
    package.utils.set_random_seed(seed)
    layers = package.layers
    model = package.Sequential(
        [
            package.Input((6, 3)),
            # Keras 2 draws the masks of several dropouts in no fixed order.
            layers.LSTM(4, name="memory", recurrent_dropout=0.2 if package is keras else 0.0),
            layers.Dropout(0.3),
            layers.Dense(3, activation="softmax"),
        ]
    )
    model.compile("adam", "sparse_categorical_crossentropy")
    return model


@pytest.fixture
def data(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    return rng.normal(size=(16, 6, 3)).astype("float32"), rng.integers(0, 3, 16)


def run_in(directory: Path) -> RunReader:
    [run] = find_runs(directory).values()
    return run


def fit(model: Any, data: Any, probe: Any = None) -> Any:
    callbacks = [] if probe is None else [probe]
    return model.fit(*data, batch_size=8, epochs=2, shuffle=False, verbose=0, callbacks=callbacks)


@KERASES
@pytest.mark.parametrize("form", ["pair", "option", "dataset"])
@pytest.mark.daily(1)
def test_inputs_targets_and_outputs_are_logged(
    package: Any, form: str, data: Any, tmp_path: Path
) -> None:
    x, y = data
    given: dict[str, Any] = {
        "pair": {"probe": (x[:5], y[:5])},
        "option": {"probe": x[:5], "targets": y[:5]},
        "dataset": {"probe": tf.data.Dataset.from_tensor_slices((x, y)).batch(5)},
    }[form]
    model = classifier(package)
    fit(model, data, ProbeCallback(log_dir=tmp_path, every=1, max_overhead=None, **given))
    run = run_in(tmp_path)
    stored = run.probe()
    assert stored is not None
    np.testing.assert_array_equal(stored.arrays["inputs/0"], x[:5])
    assert stored.arrays["targets/0"].ravel().tolist() == y[:5].tolist()
    assert run.steps("memory") == [0, 1, 2, 3, 4]
    first, last = (run.capture("memory", step).arrays["output/0"] for step in (0, 4))
    np.testing.assert_allclose(last, model.predict(x[:5], verbose=0), atol=1e-6)
    assert np.abs(first - last).max() > 1e-4


@KERASES
@pytest.mark.daily(1)
def test_not_a_bit_of_the_training_changes(package: Any, data: Any, tmp_path: Path) -> None:
    trained = []
    for probe in (None, ProbeCallback(data, tmp_path, every=1, max_overhead=None)):
        model = classifier(package)
        history = fit(model, data, probe)
        trained.append([history.history["loss"], *(np.asarray(each) for each in model.variables)])
    for without, with_probe in zip(*trained, strict=True):
        np.testing.assert_array_equal(without, with_probe)


def test_several_inputs_and_outputs_have_their_names(data: Any, tmp_path: Path) -> None:
    x, y = data
    inputs = {"a": keras.Input((6, 3), name="a"), "b": keras.Input((6, 3), name="b")}
    h = keras.layers.LSTM(4, name="memory", return_sequences=True)(inputs["a"] + inputs["b"])
    steps = keras.layers.Dense(2, name="steps")(h)
    model = keras.Model(inputs, {"steps": steps, "whole": keras.layers.Dense(1)(h[:, -1])})
    model.compile("sgd", {"steps": "mse", "whole": "mse"})
    targets = {"steps": np.ones((16, 6, 2)), "whole": y.astype("float32")}
    probe = ProbeCallback(({"a": x, "b": x}, targets), tmp_path)
    model.fit({"a": x, "b": x}, targets, verbose=0, callbacks=[probe])
    run = run_in(tmp_path)
    stored, capture = run.probe(), run.capture("memory", 0)
    assert stored is not None
    assert [each["name"] for each in stored.meta["inputs"]] == ["a", "b"]
    assert [each["name"] for each in stored.meta["targets"]] == ["steps", "whole"]
    assert capture.meta["outputs"] == [
        {"name": "steps", "shape": [6, 2]},
        {"name": "whole", "shape": [1]},
    ]


def test_a_second_input_is_no_target(data: Any, tmp_path: Path) -> None:
    x, _ = data
    a, b = keras.Input((6, 3)), keras.Input((6, 3))
    model = keras.Model([a, b], keras.layers.LSTM(2, name="memory")(a + b))
    model.compile("sgd", "mse")
    model.fit(
        [x, x], np.ones((16, 2)), verbose=0, callbacks=[ProbeCallback((x[:2], x[:2]), tmp_path)]
    )
    stored = run_in(tmp_path).probe()
    assert stored is not None
    assert (len(stored.meta["inputs"]), stored.meta["targets"]) == (2, [])


def needles(x: np.ndarray) -> list[bytes]:
    """The bytes of each timestep, in every dtype in which they could be stored."""
    rows = x.reshape(-1, x.shape[-1])
    return [row.astype(kind).tobytes() for row in rows for kind in ("f2", "f4", "f8")]


@KERASES
@pytest.mark.parametrize("log_data", [True, False])
def test_nothing_of_the_data_is_in_the_bytes_of_a_log_that_shall_not_have_it(
    package: Any, log_data: bool, data: Any, tmp_path: Path
) -> None:
    x, y = data
    values = np.where(y == 1, 0.4375, 0.8125)  # as bytes nowhere else
    model = classifier(package)
    options = {"log_data": log_data, "detail": "full", "max_overhead": None, "every": 1}
    fit(model, data, ProbeCallback((x[:5], values[:5]), tmp_path, **options))
    files = list(tmp_path.rglob("*tfevents*"))
    content = b"".join(path.read_bytes() for path in files)
    sought = [*needles(x[:5]), *needles(values[None, :5])]
    assert any(each in content for each in sought) == log_data
    run = run_in(tmp_path)
    assert (run.probe() is not None) == log_data
    assert any("output/" in name for name in run.capture("memory", 4).arrays) == log_data
    assert run.steps("memory") == [0, 1, 2, 3, 4]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"probe": (np.ones((3, 6, 3)), np.ones(2))}, "targets with 2 of them.*its 3 sequences"),
        ({"probe": np.ones((3, 6, 3)), "targets": [1]}, "targets with 1 of them.*its 3 sequences"),
        (
            {"probe": (np.ones((3, 6, 3)), np.ones(3)), "targets": np.ones(3)},
            "two sources of targets",
        ),
        (
            {"probe": np.ones((3, 6), int), "log_data": False, "decode": ["a", "b"]},
            "words of the probe would be in the log",
        ),
        ({"probe": np.ones((3, 6, 3)), "log_data": "no"}, "log_data='no'.*Expected: True"),
    ],
)
def test_what_does_not_fit_is_refused_before_the_first_step(
    options: dict[str, Any], said: str, data: Any, tmp_path: Path
) -> None:
    model = classifier(keras)
    before = [np.asarray(each) for each in model.variables]
    with pytest.raises(LstmProbeError, match=said):
        fit(model, data, ProbeCallback(log_dir=tmp_path, **options))
    for now, then in zip(model.variables, before, strict=True):
        np.testing.assert_array_equal(np.asarray(now), then)
    assert not list(tmp_path.rglob("*tfevents*"))


@pytest.mark.parametrize("form", ["pair", "dictionary"])
def test_a_configuration_holds_the_targets(form: str, data: Any, tmp_path: Path) -> None:
    x, y = data
    probe = {"pair": (x[:2], y[:2]), "dictionary": ({"a": x[:2]}, y[:2])}[form]
    made = ProbeCallback(probe, tmp_path, log_data=False)
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(made))
    one, other = made.get_config(), again.get_config()
    assert one.keys() == other.keys()
    assert other["log_data"] is False
    if form == "pair":
        np.testing.assert_array_equal(other["probe"][1], y[:2])
    else:
        np.testing.assert_array_equal(other["targets"][""], y[:2])
    usual = ProbeCallback(x[:2], tmp_path).get_config()
    assert not {"targets", "log_data"} & usual.keys()


def test_an_output_that_is_too_large_is_left_out(tmp_path: Path) -> None:
    tokens = np.ones((2, 4), int)
    model = keras.Sequential(
        [
            keras.Input((4,)),
            keras.layers.Embedding(5, 2),
            keras.layers.GRU(2, name="memory", return_sequences=True),
            keras.layers.Dense(5000),
        ]
    )
    model.compile("sgd", "mse")
    model.fit(tokens, np.ones((2, 4, 5000)), verbose=0, callbacks=[ProbeCallback(tokens, tmp_path)])
    assert "outputs" not in run_in(tmp_path).capture("memory", 0).meta


@pytest.mark.parametrize("time_major", [False, True])
def test_the_hook_logs_what_is_fed(
    time_major: bool, rng: np.random.Generator, tmp_path: Path
) -> None:
    x = rng.normal(size=(3, 5, 2)).astype("float32")
    fed = x.swapaxes(0, 1) if time_major else x
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        place = tf.compat.v1.placeholder(tf.float32, fed.shape, name="words")
        keep = tf.compat.v1.placeholder(tf.float32, [], name="keep")
        cell = session_graphs.cells.LSTMCell(2, name="cell")
        read = place * keep
        outputs, _ = tf.compat.v1.nn.dynamic_rnn(
            cell, read, dtype=tf.float32, time_major=time_major
        )
        hook = ProbeHook(
            cell, inputs=read, outputs=outputs, feed_dict={place: fed, keep: 1.0},
            log_dir=tmp_path, time_major=time_major, targets=[0, 1, 2],
        )  # fmt: skip
        session.run(tf.compat.v1.global_variables_initializer())
        hook.after_step(session, 0)
        hook.end(session)
    stored = run_in(tmp_path).probe()
    assert stored is not None
    assert stored.meta["inputs"] == [{"name": "words", "shape": [3, 5, 2]}]
    np.testing.assert_array_equal(stored.arrays["inputs/0"], x)
    assert stored.arrays["targets/0"].ravel().tolist() == [0, 1, 2]
