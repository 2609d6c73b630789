"""Labels, names and decoding as users give them to the callback and to the hook."""

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
from lstm_probe.logs.stored.labels import stored_labels
from lstm_probe.logs.stored.reader import find_runs

pytestmark = pytest.mark.filterwarnings("ignore:.tf.nn.rnn_cell:UserWarning")
TEXTS = ["a very good film", "dull"]
WORDS = [["a", "very", "good", "film"], ["dull", "", "", ""]]


def model_of(flavour: Any, *layers: Any, time: int | None = 4) -> Any:
    model = flavour.Sequential([flavour.layers.InputLayer((time,)), *layers])
    model.compile("sgd", "mse")
    return model


def labels_in(directory: Path, layer: str) -> Any:
    [run] = find_runs(directory).values()
    return stored_labels(run.capture(layer, run.steps(layer)[-1]))


@pytest.mark.parametrize("flavour", [keras, tf_keras], ids=["keras", "tf_keras"])
@pytest.mark.parametrize("kind", ["StringLookup", "inverted StringLookup", "TextVectorization"])
def test_the_model_s_own_vocabulary_makes_the_labels(
    flavour: Any, kind: str, tmp_path: Path
) -> None:
    layers = flavour.layers
    vocabulary = ["a", "very", "good", "film", "dull"]
    if kind == "TextVectorization":
        layer = layers.TextVectorization(output_sequence_length=4)
        layer.adapt(TEXTS)
        tokens = np.asarray(layer(tf.constant(TEXTS)))
    else:
        tokens = np.array([[2, 3, 4, 5], [6, 0, 0, 0]])
        layer = layers.StringLookup(vocabulary=vocabulary, mask_token="", invert=kind[0] == "i")
    model = model_of(
        flavour, layers.Embedding(9, 3, mask_zero=True), layers.LSTM(2, name="m"), layers.Dense(1)
    )
    probe = ProbeCallback(tokens, tmp_path, decode=layer, names=["praise", "blame"])
    model.fit(tokens, np.ones((2, 1)), verbose=0, callbacks=[probe])
    assert labels_in(tmp_path, "m") == (WORDS, ["praise", "blame"])
    assert probe.analyses["m"].trace.labels == tuple(map(tuple, WORDS))
    assert probe.get_config()["labels"] == WORDS
    assert "decode" not in probe.get_config()


@pytest.mark.parametrize("flavour", [keras, tf_keras], ids=["keras", "tf_keras"])
def test_each_sequence_has_its_own_words_in_both_directions(flavour: Any, tmp_path: Path) -> None:
    tokens = np.array([[2, 3, 4, 5], [0, 0, 0, 6]])  # padded in front
    layers = flavour.layers
    model = model_of(
        flavour,
        layers.Embedding(9, 3),
        layers.Bidirectional(layers.GRU(2, return_sequences=True, name="g"), name="both"),
        layers.Conv1D(2, 2, name="conv"),
        layers.LSTM(2, name="short"),
        layers.Dense(1),
    )
    probe = ProbeCallback(tokens, tmp_path, labels=[WORDS[0], ["dull"]])
    model.fit(tokens, np.ones((2, 1)), verbose=0, callbacks=[probe])
    words = (("a", "very", "good", "film"), ("", "", "", "dull"))
    found = {name: each.trace.labels for name, each in probe.analyses.items()}
    assert {name: labels for name, labels in found.items() if "g" in name} == {
        name: words for name in found if "g" in name
    }
    assert len(found) == 3
    assert found["short"] is None  # a convolution has made 3 steps of the 4


def test_a_configuration_holds_labels_and_names(tmp_path: Path) -> None:
    probe = ProbeCallback(np.ones((2, 4, 1)), tmp_path, labels=WORDS, names=["one", "two"])
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(probe))
    assert (again.get_config()["labels"], again.get_config()["names"]) == (WORDS, ["one", "two"])
    assert "names" not in ProbeCallback(np.ones((2, 4, 1)), tmp_path).get_config()


class Session:
    """A cell of two sequences of four tokens in a graph, and its hook."""

    def __init__(self, directory: Path, *, time_major: bool = False, **options: Any) -> None:
        self.tokens = np.array([[2, 3, 4, 5], [6, 0, 0, 0]], np.int32)
        fed = self.tokens.T if time_major else self.tokens
        ids = tf.compat.v1.placeholder(tf.int32, [None, None])
        table = tf.compat.v1.get_variable("table", [9, 3])
        x = tf.nn.embedding_lookup(table, ids)
        cell = session_graphs.cells.LSTMCell(2, name="cell")
        outputs, _ = tf.compat.v1.nn.dynamic_rnn(cell, x, dtype=tf.float32, time_major=time_major)
        self.hook = ProbeHook(
            cell, inputs=x, outputs=outputs, feed_dict={ids: fed}, log_dir=directory,
            time_major=time_major, **options,
        )  # fmt: skip
        self.session = tf.compat.v1.Session()
        self.session.run(tf.compat.v1.global_variables_initializer())

    def capture(self) -> ProbeHook:
        self.hook.after_step(self.session, 0)
        self.hook.end(self.session)
        return self.hook


@pytest.fixture
def graph() -> Any:
    with tf.Graph().as_default():
        yield


@pytest.mark.usefixtures("graph")
@pytest.mark.parametrize("time_major", [False, True])
@pytest.mark.parametrize(
    "options",
    [
        {"labels": [WORDS[0], ["dull"]]},
        {"decode": ["", "?", "a", "very", "good", "film", "dull"]},
    ],
)
def test_the_hook_takes_what_the_callback_takes(
    options: dict[str, Any], time_major: bool, tmp_path: Path
) -> None:
    hook = Session(tmp_path, time_major=time_major, names=["praise", "blame"], **options).capture()
    [layer] = hook.analyses
    assert labels_in(tmp_path, layer) == (WORDS, ["praise", "blame"])


@pytest.mark.usefixtures("graph")
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"labels": ["a", "b"]}, r"2 labels in one list.*2 sequences of 4 timesteps"),
        ({"labels": [["a"]]}, r"1 labels in a list for each.*2 sequences of 4 timesteps"),
        ({"labels": [list("abcde"), []]}, r"5, 0 labels.*2 sequences of 4 timesteps"),
        ({"names": ["a"]}, r"1 names.*2 sequences of 4 timesteps"),
        ({"labels": ["a", ["b"]]}, r"several kinds"),
        ({"decode": ["only"]}, r"not in the vocabulary"),
    ],
)
def test_the_hook_refuses_before_the_first_step_what_does_not_fit(
    options: dict[str, Any], message: str, tmp_path: Path
) -> None:
    with pytest.raises(LstmProbeError, match=message):
        Session(tmp_path, **options).capture()
    assert not list(tmp_path.rglob("*tfevents*"))
