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

from lstm_probe import LstmProbeError, Probes
from lstm_probe.callbacks import ProbeCallback, ProbeHook
from lstm_probe.logs.stored.course import answers_at
from lstm_probe.logs.stored.reader import RunReader, find_runs
from lstm_probe.models.session.feeds import joined_feeds

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
        {"name": "steps", "shape": [6, 2], "range": capture.meta["outputs"][0]["range"]},
        {"name": "whole", "shape": [1], "range": capture.meta["outputs"][1]["range"]},
    ]
    for number, each in enumerate(capture.meta["outputs"]):
        given = capture.arrays[f"output/{number}"]
        assert each["range"] == pytest.approx([given.min(), given.max()])


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


def named(x: np.ndarray, y: np.ndarray) -> Probes:
    return Probes({"train": (x[:3], y[:3]), "not seen": (x[3:5], y[3:5])})


@KERASES
def test_named_probes_are_one_batch_and_are_told_apart(
    package: Any, data: Any, tmp_path: Path
) -> None:
    x, y = data
    model = classifier(package)
    probe = ProbeCallback(named(x, y), tmp_path, every=1, max_overhead=None)
    fit(model, data, probe)
    run = run_in(tmp_path)
    stored, capture = run.probe(), run.capture("memory", 4)
    assert stored is not None
    np.testing.assert_array_equal(stored.arrays["inputs/0"], x[:5])
    assert stored.arrays["targets/0"].ravel().tolist() == y[:5].tolist()
    groups = [["train", 3], ["not seen", 2]]
    assert stored.meta["groups"] == capture.meta["groups"] == groups
    assert capture.meta["sequence_names"] == ["train 0", "train 1", "train 2", *(
        f"not seen {k}" for k in range(2)
    )]  # fmt: skip
    right = model.predict(x[:5], verbose=0).argmax(axis=1) == y[:5]
    said = f"{right[:3].sum()} of 3 of train {'is' if right[:3].sum() == 1 else 'are'} right and "
    wanted = f"Of the probe's sequences, {said}{right[3:].sum()} of 2 of not seen."
    assert wanted in str(probe.report)
    assert wanted in [str(each) for each in answers_at(run.course, "memory", 4)]


def test_an_output_that_has_left_0_to_1_once_is_a_logit_from_then_on(tmp_path: Path) -> None:
    x, y = np.full((4, 3, 1), 0.5, "float32"), np.array([1, 1, 0, 0])
    model = keras.Sequential(
        [keras.Input((3, 1)), keras.layers.LSTM(2, name="memory"), keras.layers.Dense(1)]
    )
    probe = ProbeCallback(Probes(a=(x[:2], y[:2]), b=(x[2:], y[2:])), tmp_path, max_overhead=None)
    said = []
    for step, bias in enumerate((0.3, -0.2, 0.3)):
        model.layers[-1].set_weights([np.zeros((2, 1)), np.array([bias])])
        probe.step(model, step * 100)
        said.append(run_in(tmp_path).course[-1].outcomes)
    probe.close()
    rights = [[each["right"] for each in outcomes] for outcomes in said]
    assert rights == [[0, 2], [0, 2], [2, 0]]  # 0.3 is below 0.5, and above 0


@KERASES
def test_log_data_false_keeps_the_names_of_probes_alone(
    package: Any, data: Any, tmp_path: Path
) -> None:
    x, y = data
    values = np.where(y == 1, 0.4375, 0.8125)
    options = {"log_data": False, "detail": "full", "max_overhead": None, "every": 1}
    fit(classifier(package), data, ProbeCallback(named(x, values), tmp_path, **options))
    content = b"".join(path.read_bytes() for path in tmp_path.rglob("*tfevents*"))
    assert not any(each in content for each in [*needles(x[:5]), *needles(values[None, :5])])
    run = run_in(tmp_path)
    assert run.probe() is None
    assert run.capture("memory", 4).meta["groups"] == [["train", 3], ["not seen", 2]]
    assert all(not point.outcomes for point in run.course)


SENTENCES = ["a good film, of a kind", "one unloved zebra", "so so"]


@KERASES
@pytest.mark.parametrize("log_data", [True, False])
def test_the_words_of_texts_stand_on_the_time_axis_unless_the_data_stays_out(
    package: Any, log_data: bool, tmp_path: Path
) -> None:
    layers = package.layers
    words = layers.TextVectorization(20, output_sequence_length=7)
    words.adapt(SENTENCES)
    model = package.Sequential(
        [
            package.Input((1,), dtype="string"),
            words,
            layers.Embedding(20, 3, mask_zero=True),
            layers.LSTM(2, name="memory"),
        ]
    )
    model.compile("sgd", "mse")
    probes = Probes(one=[[SENTENCES[0]]], other=[[each] for each in SENTENCES[1:]])
    probe = ProbeCallback(probes, tmp_path, log_data=log_data, detail="full")
    probe.step(model)
    probe.close()
    content = b"".join(path.read_bytes() for path in tmp_path.rglob("*tfevents*"))
    for word in (b"unloved", b"zebra"):
        assert (word in content) == log_data
    meta = run_in(tmp_path).capture("memory", 0).meta
    if log_data:
        rows = [each.split() for each in SENTENCES]
        assert meta["sequence_labels"] == [row + [""] * (7 - len(row)) for row in rows]
        assert meta["sequence_names"] == SENTENCES
    else:
        assert meta.get("labels") is meta.get("sequence_labels") is None
        assert meta["sequence_names"] == ["one 0", "other 0", "other 1"]


@pytest.mark.parametrize("enabled", [True, False])
def test_a_configuration_holds_named_probes(enabled: bool, data: Any, tmp_path: Path) -> None:
    made = ProbeCallback(named(*data), tmp_path, enabled=enabled)
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(made))
    assert isinstance(again._named, Probes)
    x, y = data
    for name, part in (("train", slice(0, 3)), ("not seen", slice(3, 5))):
        inputs, targets = again._named[name]
        np.testing.assert_array_equal(inputs, x[part])
        np.testing.assert_array_equal(targets, y[part])
    if enabled:
        assert again._groups == made._groups == (("train", 3), ("not seen", 2))
        assert again._targets[""].tolist() == made._targets[""].tolist() == y[:5].tolist()


def test_a_model_of_several_inputs_takes_named_probes(data: Any, tmp_path: Path) -> None:
    x, _y = data
    a, b = keras.Input((6, 3)), keras.Input((6, 3))
    model = keras.Model([a, b], keras.layers.LSTM(2, name="memory")(a + b))
    model.compile("sgd", "mse")
    probes = Probes(one=([x[:1], x[:1]], None), other=([x[1:4], x[1:4]], None))
    fit(model, ([x, x], np.ones((16, 2))), ProbeCallback(probes, tmp_path))
    assert run_in(tmp_path).capture("memory", 0).meta["groups"] == [["one", 1], ["other", 3]]


def test_arrays_without_a_batch_are_no_named_probe(data: Any, tmp_path: Path) -> None:
    x, _ = data
    probes = Probes(one=[x[0], x[1]], other=[x[2], x[3]])  # a list of sequences, not of inputs
    with pytest.raises(LstmProbeError, match=r"Received: shape \(2, 12, 3\)"):
        fit(classifier(keras), data, ProbeCallback(probes, tmp_path))


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


@pytest.mark.parametrize("named_probes", [False, True])
@pytest.mark.parametrize("time_major", [False, True])
def test_the_hook_logs_what_is_fed(
    time_major: bool, named_probes: bool, rng: np.random.Generator, tmp_path: Path
) -> None:
    x = rng.normal(size=(3, 5, 2)).astype("float32")
    fed: Any = x.swapaxes(0, 1) if time_major else x
    shape, options = fed.shape, {"targets": [0, 1, 2]}
    if named_probes:
        one, other = (fed[:, :1], fed[:, 1:]) if time_major else (fed[:1], fed[1:])
        fed, options = Probes(one=(one, [0]), other=(other, [1, 2])), {}
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        place = tf.compat.v1.placeholder(tf.float32, shape, name="words")
        keep = tf.compat.v1.placeholder(tf.float32, [], name="keep")
        cell = session_graphs.cells.LSTMCell(2, name="cell")
        read = place * keep
        outputs, _ = tf.compat.v1.nn.dynamic_rnn(
            cell, read, dtype=tf.float32, time_major=time_major
        )
        hook = ProbeHook(
            cell, inputs=read, outputs=outputs, feed_dict={place: fed, keep: 1.0},
            log_dir=tmp_path, time_major=time_major, **options,
        )  # fmt: skip
        session.run(tf.compat.v1.global_variables_initializer())
        hook.after_step(session, 0)
        hook.end(session)
    stored = run_in(tmp_path).probe()
    assert stored is not None
    assert stored.meta["inputs"] == [{"name": "words", "shape": [3, 5, 2]}]
    np.testing.assert_array_equal(stored.arrays["inputs/0"], x)
    assert stored.arrays["targets/0"].ravel().tolist() == [0, 1, 2]
    [layer] = run_in(tmp_path).layers
    groups = run_in(tmp_path).capture(layer, 0).meta.get("groups")
    assert groups == ([["one", 1], ["other", 2]] if named_probes else None)


def test_what_is_fed_by_sequence_has_the_same_probes(tmp_path: Path) -> None:
    feeds = {"x": Probes(a=np.ones((1, 5, 2)), b=np.ones((2, 5, 2))), "keep": 1.0}
    assert joined_feeds(feeds, time_major=False).groups == (("a", 1), ("b", 2))
    with pytest.raises(LstmProbeError, match="same names, with as many sequences"):
        joined_feeds({**feeds, "n": Probes(a=[5, 5], b=[5])}, time_major=False)
    both = {name: Probes(a=(np.ones(1), [0])) for name in ("x", "n")}
    with pytest.raises(LstmProbeError, match="two sources of targets"):
        joined_feeds(both, time_major=False)
