"""Keras models with LSTM layers in many places, with random distinct weights, and their probes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from keras import layers

MODELS: dict[str, Callable[[np.random.Generator], tuple[keras.Model, Any, list[str]]]] = {}


def model(
    build: Callable[[np.random.Generator], tuple[keras.Model, Any, list[str]]],
) -> Callable[[np.random.Generator], tuple[keras.Model, Any, list[str]]]:
    """Registers a function that returns a model, a probe, and the names its layers have in logs."""
    MODELS[build.__name__] = build
    return build


def randomise(built: keras.Model, rng: np.random.Generator) -> keras.Model:
    """Distinct random weights everywhere: constant ones would hide swapped gates."""
    for variable in built.trainable_variables:
        variable.assign(rng.normal(0, 0.4, variable.shape))
    return built


@model
def first_layer(rng: np.random.Generator) -> tuple[keras.Model, Any, list[str]]:
    built = keras.Sequential([keras.Input((9, 4)), layers.LSTM(7, name="memory")])
    return built, rng.normal(size=(3, 9, 4)), ["memory"]


@model
def sequences_without_bias(rng: np.random.Generator) -> tuple[keras.Model, Any, list[str]]:
    inputs = keras.Input((None, 1))
    x = layers.LSTM(30, return_sequences=True, use_bias=False, name="test_layer")(inputs)
    return keras.Model(inputs, layers.Dense(1)(x)), rng.normal(size=(1, 302, 1)), ["test_layer"]


@model
def stacked_with_states(rng: np.random.Generator) -> tuple[keras.Model, Any, list[str]]:
    inputs = keras.Input((6, 3))
    x, h, c = layers.LSTM(5, return_sequences=True, return_state=True, name="encoder")(inputs)
    x = layers.LSTM(5, name="decoder", return_state=True)(x, initial_state=[h, c])[0]
    return keras.Model(inputs, x), rng.normal(size=(2, 6, 3)), ["encoder", "decoder"]


@model
def behind_embedding(rng: np.random.Generator) -> tuple[keras.Model, Any, list[str]]:
    built = keras.Sequential(
        [
            keras.Input((8,), dtype="int32"),
            layers.Embedding(20, 6, mask_zero=True),
            layers.LSTM(7, return_sequences=True, name="lower"),
            layers.LSTM(4, name="upper"),
        ]
    )
    tokens = rng.integers(1, 20, (3, 8))
    tokens[0, 5:] = tokens[1, :2] = tokens[2] = 0
    return built, tokens, ["lower", "upper"]


@model
def behind_masking_and_convolution(
    rng: np.random.Generator,
) -> tuple[keras.Model, Any, list[str]]:
    inputs = keras.Input((12, 3))
    masked = layers.LSTM(6, name="masked")(layers.Masking()(inputs))
    convolved = layers.LSTM(5, name="convolved")(layers.Conv1D(4, 3, activation="relu")(inputs))
    x = rng.normal(size=(2, 12, 3))
    x[0, 3:6] = x[1, 9:] = 0
    built = keras.Model(inputs, layers.Concatenate()([masked, convolved]))
    return built, x, ["masked", "convolved"]


@model
def bidirectional(rng: np.random.Generator) -> tuple[keras.Model, Any, list[str]]:
    inputs = keras.Input((7, 3))
    both = layers.Bidirectional(layers.LSTM(5, name="lstm"), name="both")
    built = keras.Model(inputs, both(layers.Masking()(inputs)))
    x = rng.normal(size=(2, 7, 3))
    x[0, 4:] = 0
    return built, x, ["both/forward_lstm", "both/backward_lstm"]


@model
def nested(rng: np.random.Generator) -> tuple[keras.Model, Any, list[str]]:
    inner = keras.Sequential(
        [keras.Input((5, 4)), layers.LSTM(6, return_sequences=True, name="lstm")], name="inner"
    )
    inputs = keras.Input((5, 4))
    built = keras.Model(inputs, layers.LSTM(3, name="outer")(inner(inputs)))
    return built, rng.normal(size=(2, 5, 4)), ["inner/lstm", "outer"]


class Tagger(keras.Model):
    """A subclassed model whose call takes no training argument."""

    def __init__(self) -> None:
        super().__init__(name="tagger")
        self.embed = layers.Embedding(11, 5)
        self.blocks = [
            layers.LSTM(4, return_sequences=True, dropout=0.3, recurrent_dropout=0.2, name=name)
            for name in ("low", "high")
        ]

    def call(self, tokens: Any) -> Any:
        x = self.embed(tokens)
        for block in self.blocks:
            x = block(x)
        return x


@model
def subclassed(rng: np.random.Generator) -> tuple[keras.Model, Any, list[str]]:
    built, tokens = Tagger(), rng.integers(0, 11, (2, 6))
    built(tokens)
    return built, tokens, ["low", "high"]


@model
def several_inputs(rng: np.random.Generator) -> tuple[keras.Model, Any, list[str]]:
    left, right = keras.Input((5, 2), name="left"), keras.Input((3,), name="right")
    x = layers.LSTM(4, name="lstm")(left)
    built = keras.Model({"left": left, "right": right}, layers.Concatenate()([x, right]))
    probe = {"left": rng.normal(size=(2, 5, 2)), "right": rng.normal(size=(2, 3))}
    return built, probe, ["lstm"]


@model
def stateful(rng: np.random.Generator) -> tuple[keras.Model, Any, list[str]]:
    inputs = keras.Input(batch_shape=(2, 5, 3))
    lstm = layers.LSTM(4, stateful=True, name="lstm")
    built = keras.Model(inputs, lstm(inputs))
    for state in lstm.states:
        state.assign(rng.normal(size=(2, 4)))
    return built, rng.normal(size=(2, 5, 3)), ["lstm"]


@model
def called_twice(rng: np.random.Generator) -> tuple[keras.Model, Any, list[str]]:
    first, second = keras.Input((5, 2)), keras.Input((5, 2))
    shared = layers.LSTM(4, name="shared")
    built = keras.Model([first, second], layers.Add()([shared(first), shared(second)]))
    return built, [rng.normal(size=(2, 5, 2)) for _ in "ab"], ["shared", "shared/call_2"]


@model
def backwards_and_unrolled(rng: np.random.Generator) -> tuple[keras.Model, Any, list[str]]:
    inputs = keras.Input((6, 2))
    x = layers.LSTM(4, go_backwards=True, return_sequences=True, name="back")(inputs)
    built = keras.Model(inputs, layers.LSTM(3, unroll=True, implementation=1, name="flat")(x))
    return built, rng.normal(size=(2, 6, 2)), ["back", "flat"]


@model
def unusual_activations(rng: np.random.Generator) -> tuple[keras.Model, Any, list[str]]:
    def half_sine(x: Any) -> Any:
        return keras.ops.sin(x) / 2

    inputs = keras.Input((6, 2))
    x = layers.LSTM(
        4,
        activation="softsign",
        recurrent_activation="hard_sigmoid",
        return_sequences=True,
        name="a",
    )(inputs)
    built = keras.Model(inputs, layers.LSTM(3, activation=half_sine, name="b")(x))
    return built, rng.normal(size=(2, 6, 2)), ["a", "b"]
