"""Small programs in the style of public tutorials, attached by the line that the README shows.

Each is trained twice from the same seeds, with the probe and without: every recurrent part is shown
or named, and not a bit of the weights differs.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
import tf_keras

from lstm_probe import LstmProbeError
from lstm_probe.callbacks import ProbeCallback

Package = Any
Attach = Callable[..., ProbeCallback | None]
#: A program trains a model with the callbacks that `attach` gives for a probe, or without.
Program = Callable[[Package, np.random.Generator, Attach], Any]


def listed(probe: ProbeCallback | None) -> list[Any]:
    return [] if probe is None else [probe]


SENTENCES = ["a good film", "a bad film", "good", "not so bad a film", "no", "so good", "a", "bad"]


def text_classification(package: Package, rng: np.random.Generator, attach: Attach) -> Any:
    """The vocabulary is part of the model, and a sentence is the probe."""
    words = package.layers.TextVectorization(20, output_sequence_length=5)
    words.adapt(SENTENCES)
    model = package.Sequential(
        [
            package.Input((1,), dtype="string"),
            words,
            package.layers.Embedding(20, 4, mask_zero=True),
            package.layers.Bidirectional(package.layers.LSTM(3, name="reader"), name="both"),
            package.layers.Dropout(0.3),
            package.layers.Dense(1),
        ]
    )
    model.compile("adam", "mse")
    data = tf.data.Dataset.from_tensor_slices((SENTENCES, rng.normal(size=8))).shuffle(8)
    data = data.batch(2).map(lambda text, label: (text[:, None], label))
    probe = attach([["a good film"], ["bad"]])
    model.fit(data, epochs=2, shuffle=False, verbose=0, callbacks=listed(probe))
    return model


def addition(package: Package, rng: np.random.Generator, attach: Attach) -> Any:
    """Sequence to sequence: digits in, digits out."""
    model = package.Sequential(
        [
            package.Input((5, 12)),
            package.layers.LSTM(6, name="encoder"),
            package.layers.RepeatVector(3),
            package.layers.LSTM(6, return_sequences=True, name="decoder"),
            package.layers.TimeDistributed(package.layers.Dense(12, activation="softmax")),
        ]
    )
    model.compile("adam", "categorical_crossentropy")
    x = np.eye(12, dtype="float32")[rng.integers(0, 12, (16, 5))]
    y = np.eye(12, dtype="float32")[rng.integers(0, 12, (16, 3))]
    model.fit(x, y, batch_size=4, epochs=2, verbose=0, callbacks=listed(attach((x[:2], y[:2]))))
    return model


def text_generation(package: Package, rng: np.random.Generator, attach: Attach) -> Any:
    """A subclassed model that hands states in and out, and a training step of its own."""

    class Writer(package.Model):  # type: ignore[misc,name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.embedding = package.layers.Embedding(10, 4)
            self.gru = package.layers.GRU(
                5, return_sequences=True, return_state=True, name="writer"
            )
            self.dense = package.layers.Dense(10)

        def call(
            self, inputs: Any, states: Any = None, return_state: bool = False, training: Any = False
        ) -> Any:
            x = self.embedding(inputs)
            if states is None:
                states = [tf.zeros((inputs.shape[0], 5))]  # reads the size of the batch
            x, states = self.gru(x, initial_state=states, training=training)
            x = self.dense(x)
            return (x, states) if return_state else x

        @tf.function
        def train_step(self, inputs: Any) -> dict[str, Any]:
            inputs, labels = inputs
            with tf.GradientTape() as tape:
                predictions = self(inputs, training=True)
                loss = tf.reduce_mean((predictions - tf.one_hot(labels, 10)) ** 2)
            gradients = tape.gradient(loss, self.trainable_variables)
            self.optimizer.apply_gradients(zip(gradients, self.trainable_variables, strict=True))
            return {"loss": loss}

    text = rng.integers(0, 10, (16, 7))
    data = tf.data.Dataset.from_tensor_slices((text[:, :-1], text[:, 1:]))
    data = data.shuffle(16).batch(4, drop_remainder=True)
    model = Writer()
    model.compile(package.optimizers.Adam())
    model.fit(data, epochs=2, shuffle=False, verbose=0, callbacks=listed(attach(data)))
    return model


def gan(package: Package, rng: np.random.Generator, attach: Attach) -> Any:
    """Two networks in a model that has no call, each with an optimizer of its own."""

    def network(name: str, **options: Any) -> Any:
        memory = package.layers.LSTM(4, name=name, **options)
        return package.Sequential([package.Input((6, 2)), memory, package.layers.Dense(2)])

    class Gan(package.Model):  # type: ignore[misc,name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.generator = network("writes", return_sequences=True)
            self.discriminator = network("judges")
            self.built = True

        def compile(self, d_optimizer: Any, g_optimizer: Any) -> None:
            super().compile()
            self.d_optimizer, self.g_optimizer = d_optimizer, g_optimizer

        def train_step(self, data: Any) -> dict[str, Any]:
            noise = tf.random.normal(tf.shape(data))
            with tf.GradientTape(persistent=True) as tape:
                judged = self.discriminator(self.generator(noise))
                d_loss = tf.reduce_mean((self.discriminator(data) - 1) ** 2 + judged**2)
                g_loss = tf.reduce_mean((judged - 1) ** 2)
            for part, optimizer, loss in (
                (self.discriminator, self.d_optimizer, d_loss),
                (self.generator, self.g_optimizer, g_loss),
            ):
                variables = part.trainable_variables
                optimizer.apply_gradients(
                    zip(tape.gradient(loss, variables), variables, strict=True)
                )
            return {"d_loss": d_loss, "g_loss": g_loss}

    model = Gan()
    model.compile(package.optimizers.Adam(), package.optimizers.Adam())
    x = rng.normal(size=(16, 6, 2)).astype("float32")
    probe = attach(x[:2], forward=lambda model, probe: model.discriminator(model.generator(probe)))
    model.fit(x, batch_size=4, epochs=2, verbose=0, callbacks=listed(probe))
    return model


def drqn(package: Package, rng: np.random.Generator, attach: Attach) -> Any:
    """A loop of one's own, with a target network and an optimizer that no model knows."""

    def network() -> Any:
        return package.Sequential(
            [
                package.Input((None, 4)),
                package.layers.LSTM(5, name="memory"),
                package.layers.Dense(2),
            ]
        )

    model, target = network(), network()
    target.set_weights(model.get_weights())
    optimizer = package.optimizers.Adam(1e-2)

    @tf.function
    def learn(observations: Any, rewards: Any) -> None:
        goal = rewards + 0.9 * tf.reduce_max(target(observations), 1)
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean((tf.reduce_max(model(observations), 1) - goal) ** 2)
        variables = model.trainable_variables
        optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))

    replay = rng.normal(size=(20, 6, 4)).astype("float32")
    probe = attach(replay[:1])
    if probe is not None:
        probe.step(model)
    for step in range(8):
        chosen = rng.integers(0, 20, 4)
        learn(replay[chosen], tf.constant(rng.normal(size=4), tf.float32))
        if step % 3 == 2:
            target.set_weights(model.get_weights())
        if probe is not None:
            probe.step(model)
    if probe is not None:
        probe.close()
    return model


def feedback(package: Package, rng: np.random.Generator, attach: Attach) -> Any:
    """An autoregressive forecast: a layer warms the cell up, which is then called by hand."""

    class FeedBack(package.Model):  # type: ignore[misc,name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.lstm_cell = package.layers.LSTMCell(5, name="cell")
            self.lstm_rnn = package.layers.RNN(self.lstm_cell, return_state=True, name="warmup")
            self.dense = package.layers.Dense(2)

        def call(self, inputs: Any, training: Any = None) -> Any:
            x, *state = self.lstm_rnn(inputs)
            prediction = self.dense(x)
            predictions = [prediction]
            for _ in range(1, 3):
                x, state = self.lstm_cell(prediction, states=state, training=training)
                prediction = self.dense(x)
                predictions.append(prediction)
            return tf.transpose(tf.stack(predictions), [1, 0, 2])

    model = FeedBack()
    model.compile("adam", "mse")
    x = rng.normal(size=(16, 6, 2)).astype("float32")
    y = rng.normal(size=(16, 3, 2)).astype("float32")
    model.fit(x, y, batch_size=4, epochs=2, verbose=0, callbacks=listed(attach(x[:1])))
    return model


def graph_convolution(package: Package, rng: np.random.Generator, attach: Attach) -> Any:
    """Traffic on the nodes of a graph: a convolution over the graph, then an LSTM."""

    class LstmOnGraph(package.layers.Layer):  # type: ignore[misc,name-defined]
        def __init__(self, edges: Any) -> None:
            super().__init__()
            self.edges = edges
            self.mix = package.layers.Dense(3)
            self.lstm = package.layers.LSTM(4, name="traffic")
            self.dense = package.layers.Dense(2)

        def call(self, inputs: Any) -> Any:  # (batch, time, nodes, features)
            mixed = self.mix(tf.einsum("nm,btmf->btnf", self.edges, inputs))
            shape = tf.shape(mixed)
            nodes_first = tf.transpose(mixed, [0, 2, 1, 3])
            by_node = tf.reshape(nodes_first, (shape[0] * shape[2], shape[1], 3))
            return tf.reshape(self.dense(self.lstm(by_node)), (shape[0], shape[2], 2))

    inputs = package.Input((5, 3, 1))
    edges = tf.constant(rng.normal(size=(3, 3)), tf.float32)
    model = package.Model(inputs, LstmOnGraph(edges)(inputs))
    model.compile("rmsprop", "mse")
    x = rng.normal(size=(12, 5, 3, 1)).astype("float32")
    y = rng.normal(size=(12, 3, 2)).astype("float32")
    data = tf.data.Dataset.from_tensor_slices((x, y)).batch(4)
    model.fit(data, epochs=2, shuffle=False, verbose=0, callbacks=listed(attach(data)))
    return model


def captcha(package: Package, rng: np.random.Generator, attach: Attach) -> Any:
    """Reading letters in a picture: the labels are an input, and the loss is a layer."""

    class CtcLayer(package.layers.Layer):  # type: ignore[misc,name-defined]
        def call(self, labels: Any, logits: Any) -> Any:
            batch = tf.shape(logits)[0]
            loss = tf.nn.ctc_loss(
                tf.cast(labels, tf.int32),
                tf.transpose(logits, [1, 0, 2]),
                tf.fill([batch], 2),
                tf.fill([batch], 8),
                blank_index=0,
            )
            self.add_loss(tf.reduce_mean(loss))
            return logits

    layers = package.layers
    image = package.Input((16, 8, 1), name="image")
    label = package.Input((2,), name="label")
    x = layers.MaxPooling2D(2)(layers.Conv2D(2, 3, padding="same", activation="relu")(image))
    x = layers.Dropout(0.2)(layers.Dense(6)(layers.Reshape((8, 8))(x)))
    for name in ("first", "second"):
        x = layers.Bidirectional(layers.LSTM(3, return_sequences=True, dropout=0.25), name=name)(x)
    model = package.Model([image, label], CtcLayer()(label, layers.Dense(5)(x)))
    model.compile("adam")
    batch = {
        "image": rng.normal(size=(8, 16, 8, 1)).astype("float32"),
        "label": rng.integers(1, 5, (8, 2)).astype("float32"),
    }
    probe = attach({name: each[:1] for name, each in reversed(batch.items())})
    data = tf.data.Dataset.from_tensor_slices(batch).batch(4)
    model.fit(data, epochs=2, shuffle=False, verbose=0, callbacks=listed(probe))
    return model


def texts_of_any_length(package: Package, rng: np.random.Generator, attach: Attach) -> Any:
    """Lists of word numbers as a data set holds them: an array of lists. Keras 2 trains on them as
    they are, Keras 3 on padded ones."""
    texts = np.empty(8, object)
    texts[:] = [rng.integers(1, 20, length).tolist() for length in (2, 5, 3, 7, 1, 4, 6, 2)]
    is_ragged = package is tf_keras
    options = {"ragged": True} if is_ragged else {}
    model = package.Sequential(
        [
            package.Input((None,), dtype="int64", **options),
            package.layers.Embedding(20, 4, mask_zero=not is_ragged),
            package.layers.GRU(3, name="reader"),
            package.layers.Dense(1),
        ]
    )
    model.compile("adam", "mse")
    x = package.utils.pad_sequences(texts, padding="post")
    x = tf.ragged.constant(list(texts), dtype="int64") if is_ragged else x
    y = rng.normal(size=8)
    model.fit(x, y, batch_size=4, epochs=2, verbose=0, callbacks=listed(attach(texts[:3])))
    return model


def forecast(package: Package, rng: np.random.Generator, attach: Attach) -> Any:
    """Windows of a time series out of a dataset, which is the probe as well."""
    series = rng.normal(size=(60, 2)).astype("float32")
    data = package.utils.timeseries_dataset_from_array(
        series, series[6:], sequence_length=6, shuffle=True, batch_size=8
    )
    model = package.Sequential(
        [
            package.Input((6, 2)),
            package.layers.LSTM(4, return_sequences=True, name="short"),
            package.layers.LSTM(3, name="long"),
            package.layers.Dense(2),
        ]
    )
    model.compile("adam", "mae")
    model.fit(data, epochs=2, shuffle=False, verbose=0, callbacks=listed(attach(data)))
    return model


def translation(package: Package, rng: np.random.Generator, attach: Attach) -> Any:
    """An encoder and a decoder in a model that has a training step, and no call."""

    class Encoder(package.Model):  # type: ignore[misc,name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.embedding = package.layers.Embedding(12, 4)
            self.gru = package.layers.GRU(
                5, return_sequences=True, return_state=True, name="encodes"
            )

        def call(self, x: Any) -> Any:
            return self.gru(self.embedding(x))

    class Decoder(package.Model):  # type: ignore[misc,name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.embedding = package.layers.Embedding(12, 4)
            self.gru = package.layers.GRU(5, return_sequences=True, name="decodes")
            self.dense = package.layers.Dense(12)

        def call(self, x: Any, hidden: Any) -> Any:
            return self.dense(self.gru(self.embedding(x), initial_state=hidden))

    class Translator(package.Model):  # type: ignore[misc,name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.encoder, self.decoder = Encoder(), Decoder()

        def translate(self, source: Any, target: Any) -> Any:
            _, hidden = self.encoder(source)
            return self.decoder(target, hidden)

        def train_step(self, data: Any) -> dict[str, Any]:
            source, target = data
            with tf.GradientTape() as tape:
                found = self.translate(source, target[:, :-1])
                loss = tf.reduce_mean((found - tf.one_hot(target[:, 1:], 12)) ** 2)
            variables = self.trainable_variables
            self.optimizer.apply_gradients(
                zip(tape.gradient(loss, variables), variables, strict=True)
            )
            return {"loss": loss}

    model = Translator()
    model.compile("adam")
    source, target = rng.integers(0, 12, (12, 5)), rng.integers(0, 12, (12, 4))
    model.translate(source[:1], target[:1])  # builds it
    model.built = True
    probe = attach([source[:2], target[:2]], forward=lambda model, probe: model.translate(*probe))
    model.fit(source, target, batch_size=4, epochs=2, verbose=0, callbacks=listed(probe))
    return model


def several_inputs(package: Package, rng: np.random.Generator, attach: Attach) -> Any:
    """Tickets: a title and a body as word numbers, and tags, by their names."""
    title = package.Input((None,), name="title", dtype="int32")
    body = package.Input((None,), name="body", dtype="int32")
    tags = package.Input((3,), name="tags")
    embed, lstm = package.layers.Embedding, package.layers.LSTM
    read = [
        lstm(4, name="titles")(embed(15, 3)(title)),
        lstm(3, name="bodies")(embed(15, 3)(body)),
        tags,
    ]
    model = package.Model(
        {"title": title, "body": body, "tags": tags},
        package.layers.Dense(1)(package.layers.Concatenate()(read)),
    )
    model.compile("adam", "mse")
    x = {
        "title": rng.integers(0, 15, (12, 4)),
        "body": rng.integers(0, 15, (12, 9)),
        "tags": rng.normal(size=(12, 3)).astype("float32"),
    }
    probe = attach({name: each[:1] for name, each in reversed(x.items())})
    model.fit(x, rng.normal(size=12), batch_size=4, epochs=2, verbose=0, callbacks=listed(probe))
    return model


def next_frame(package: Package, rng: np.random.Generator, attach: Attach) -> Any:
    """Stacked convolutional LSTMs on films of any length."""
    layers = package.layers
    film = package.Input((None, 6, 6, 1))
    options = {"padding": "same", "return_sequences": True, "activation": "relu"}
    x = layers.ConvLSTM2D(2, 3, name="coarse", **options)(film)
    x = layers.BatchNormalization()(x)
    x = layers.ConvLSTM2D(2, 1, name="fine", **options)(x)
    model = package.Model(film, layers.Conv3D(1, 3, activation="sigmoid", padding="same")(x))
    model.compile("adam", "binary_crossentropy")
    films = rng.random((8, 5, 6, 6, 1)).astype("float32")
    x, y = films[:, :-1], films[:, 1:]
    model.fit(x, y, batch_size=2, epochs=2, verbose=0, callbacks=listed(attach(x[:1])))
    return model


def stateful_cosine(package: Package, rng: np.random.Generator, attach: Attach) -> Any:
    """Batches of a fixed size that go on where the batch before ended."""
    model = package.Sequential(
        [
            package.Input(batch_shape=(4, 3, 1)),
            package.layers.LSTM(4, return_sequences=True, stateful=True, name="first"),
            package.layers.LSTM(3, stateful=True, name="second"),
            package.layers.Dense(1),
        ]
    )
    model.compile("rmsprop", "mse")
    wave = np.cos(np.arange(8)[:, None, None] + 0.3 * np.arange(3)[:, None]).astype("float32")
    x, y = np.repeat(wave, 4, axis=0), rng.normal(size=(32, 1))
    probe = attach(x[:4])
    model.fit(x, y, batch_size=4, epochs=2, shuffle=False, verbose=0, callbacks=listed(probe))
    return model


#: The recurrent parts of each program.
PROGRAMS: dict[str, tuple[Program, Sequence[str]]] = {
    "text classification": (text_classification, ("forward_reader", "backward_reader")),
    "addition": (addition, ("encoder", "decoder")),
    "text generation": (text_generation, ("writer",)),
    "GAN": (gan, ("writes", "judges")),
    "DRQN": (drqn, ("memory",)),
    "FeedBack": (feedback, ("warmup",)),
    "GCN and LSTM": (graph_convolution, ("traffic",)),
    "captcha": (captcha, ("first/forward", "first/backward", "second/forward", "second/backward")),
    "texts of any length": (texts_of_any_length, ("reader",)),
    "forecast": (forecast, ("short", "long")),
    "translation": (translation, ("encodes", "decodes")),
    "next frame": (next_frame, ("coarse", "fine")),
    "stateful cosine": (stateful_cosine, ("first", "second")),
    "several inputs": (several_inputs, ("titles", "bodies")),
}


def both_and_every_day_one() -> Iterator[Any]:
    """Each program with both Kerases; every day with one of them, in turn."""
    for index, name in enumerate(PROGRAMS):
        for package in (keras, tf_keras):
            is_for_long = (index % 2 == 0) == (package is tf_keras)
            marks = [pytest.mark.long] if is_for_long else []
            yield pytest.param(name, package, marks=marks, id=f"{name}-{package.__name__}")


def trained(program: Program, package: Package, attach: Attach) -> list[np.ndarray]:
    package.utils.set_random_seed(5)
    model = program(package, np.random.default_rng(5), attach)
    optimizers = [
        getattr(model, name, None) for name in ("optimizer", "d_optimizer", "g_optimizer")
    ]
    states = [each.variables for each in optimizers if each is not None]
    states = [each() if callable(each) else each for each in states]
    return [
        variable.numpy()
        for variables in (model.variables, *states)
        for variable in variables
        if not hasattr(variable, "get_tensors")  # a vocabulary
    ]


# Keras says so of a subclassed model that is built by a pass without a method `build`.
@pytest.mark.filterwarnings("ignore:`build\\(\\)` was called on layer:UserWarning")
@pytest.mark.parametrize(("name", "package"), list(both_and_every_day_one()))
def test_a_public_program_is_probed_and_not_changed(
    name: str, package: Package, tmp_path: Path
) -> None:
    program, parts = PROGRAMS[name]
    probes: list[ProbeCallback] = []

    def attach(probe: Any, **options: Any) -> ProbeCallback:
        options = {"every": 2, "max_overhead": None, "detail": "explorer", **options}
        probes.append(ProbeCallback(probe, tmp_path, **options))
        return probes[-1]

    without = trained(program, package, lambda *_, **__: None)
    probed = trained(program, package, attach)
    assert len(without) == len(probed)
    for a, b in zip(without, probed, strict=True):
        np.testing.assert_array_equal(a, b)
    (report,) = (each.report for each in probes)
    assert report.captured >= 3
    assert report.failed == 0
    for part in parts:
        assert re.search(part, " ".join(report.layers)), report
    assert {each.verdict for each in report.layers.values()} == {"match"}, report


@pytest.mark.parametrize("package", [keras, tf_keras], ids=["keras", "tf_keras"])
@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("GAN", r"forward=lambda model, probe: model\.(generator|discriminator)\(probe\)"),
        ("translation", r"forward=lambda model, probe: model\.(encoder|decoder)\(probe\)"),
    ],
)
def test_the_error_names_the_option_that_a_program_needs(
    name: str, line: str, package: Package, tmp_path: Path
) -> None:
    def attach(probe: Any, **_: Any) -> ProbeCallback:
        return ProbeCallback(probe, tmp_path)

    with pytest.raises(LstmProbeError, match=line):
        trained(PROGRAMS[name][0], package, attach)
