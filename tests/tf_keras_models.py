"""Models of tf_keras with recurrent layers in many places, and their probes.

They are those of `keras_models`, built by the same functions out of Keras 2's layers, and some
that only Keras 2 has.
"""

from __future__ import annotations

import types
from collections.abc import Callable
from typing import Any

import keras_models
import numpy as np
import tensorflow as tf
import tf_keras
from tf_keras import layers
from tf_keras.src.layers.rnn import gru_v1, lstm_v1

__all__ = ["MODELS", "randomise"]

Built = tuple[tf_keras.Model, Any, list[str]]
MODELS: dict[str, Callable[[np.random.Generator], Built]] = {}
randomise = keras_models.randomise


def _with_keras_2(function: Callable[..., Built]) -> Callable[..., Built]:
    names = {**function.__globals__, "keras": tf_keras, "layers": layers}
    return types.FunctionType(function.__code__, names)


# A class derived from Keras 3's, and a function made of its operations, have twins below.
for _name in keras_models.MODELS.keys() - {"subclassed", "unusual_activations"}:
    MODELS[_name] = _with_keras_2(keras_models.MODELS[_name])


def model(function: Callable[[np.random.Generator], Built]) -> Callable[..., Built]:
    MODELS[function.__name__] = function
    return function


class Block(layers.Layer):
    """A layer of a user's own, which looks at its input before it decides."""

    def __init__(self, units: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.recurrent = layers.LSTM(units, return_sequences=True, dropout=0.3, name="lstm")

    def call(self, x: Any) -> Any:
        if tf.reduce_sum(x) > 1e6:  # AutoGraph makes a branch of it
            x = x / 2
        return self.recurrent(x)


class Tagger(tf_keras.Model):
    """A subclassed model whose call takes no training argument."""

    def __init__(self) -> None:
        super().__init__(name="tagger")
        self.embed = layers.Embedding(11, 5)
        self.blocks = [Block(4, name=name) for name in ("low", "high")]

    def call(self, tokens: Any) -> Any:
        x = self.embed(tokens)
        for block in self.blocks:
            x = block(x)
        return x


@model
def subclassed(rng: np.random.Generator) -> Built:
    built, tokens = Tagger(), rng.integers(0, 11, (2, 6))
    built(tokens)
    return built, tokens, ["low/lstm", "high/lstm"]


@model
def nested_twins(rng: np.random.Generator) -> Built:
    def inner(name: str) -> tf_keras.Model:
        inputs = tf_keras.Input((5, 3))
        x = layers.GRU(3, return_sequences=True, name="gru")(inputs)
        return tf_keras.Model(inputs, x, name=name)

    inputs = tf_keras.Input((5, 3))
    built = tf_keras.Model(inputs, inner("second")(inner("first")(inputs)))
    return built, rng.normal(size=(2, 5, 3)), ["first/gru", "second/gru"]


@model
def unusual_activations(rng: np.random.Generator) -> Built:
    def half_sine(x: Any) -> Any:
        return tf.sin(x) / 2

    inputs = x = tf_keras.Input((6, 2))
    options = [
        {"activation": "softsign", "recurrent_activation": "hard_sigmoid"},
        {"activation": half_sine},
        {"activation": layers.LeakyReLU(0.3), "recurrent_activation": tf.nn.sigmoid},
        {"activation": "softplus", "recurrent_activation": "softmax"},
    ]
    for index, each in enumerate(options):
        x = layers.LSTM(4, return_sequences=True, name=f"lstm_{index}", **each)(x)
    names = [f"lstm_{index}" for index in range(len(options))]
    return tf_keras.Model(inputs, x), rng.normal(size=(2, 6, 2)), names


class OwnLstm(layers.LSTM):
    """A subclass that looks at its input, and hands it on to its parent."""

    def call(self, inputs: Any, *args: Any, **kwargs: Any) -> Any:
        if tf.reduce_sum(inputs) > 1e6:
            inputs = inputs / 2
        return super().call(inputs, *args, **kwargs)


@model
def subclassed_layer(rng: np.random.Generator) -> Built:
    inputs = tf_keras.Input((6, 3))
    x = OwnLstm(4, name="own")(layers.Masking()(inputs))
    x_probe = rng.normal(size=(2, 6, 3))
    x_probe[0, 4:] = 0
    return tf_keras.Model(inputs, x), x_probe, ["own"]


@model
def first_version(rng: np.random.Generator) -> Built:
    inputs = tf_keras.Input((6, 3))
    x = lstm_v1.LSTM(5, return_sequences=True, name="lstm")(inputs)
    built = tf_keras.Model(inputs, gru_v1.GRU(4, name="gru")(x))
    return built, rng.normal(size=(2, 6, 3)), ["lstm", "gru"]


@model
def volumes(rng: np.random.Generator) -> Built:
    inputs = tf_keras.Input((3, 4, 3, 5, 2))
    x = layers.ConvLSTM3D(2, 2, padding="same", recurrent_activation="sigmoid", name="conv")(inputs)
    return tf_keras.Model(inputs, x), rng.normal(size=(2, 3, 4, 3, 5, 2)), ["conv"]


@model
def stateful_with_given_state(rng: np.random.Generator) -> Built:
    """Keras 2 takes the state that it was given only while its own is still zero."""
    inputs, h = tf_keras.Input(batch_shape=(2, 5, 3)), tf_keras.Input(batch_shape=(2, 4))
    kept = layers.GRU(4, stateful=True, return_sequences=True, name="kept")
    fresh = layers.GRU(4, stateful=True, name="fresh")
    x = fresh(kept(inputs, initial_state=h), initial_state=h)
    kept.states[0].assign(rng.normal(size=(2, 4)))
    probe = [rng.normal(size=(2, 5, 3)), rng.normal(size=(2, 4))]
    return tf_keras.Model([inputs, h], x), probe, ["kept", "fresh"]


@model
def stack_in_reverse_order(rng: np.random.Generator) -> Built:
    """An option of old, which turns the sizes of the states round but not the states."""
    inputs, a, b = tf_keras.Input((5, 3)), tf_keras.Input((4,)), tf_keras.Input((4,))
    cells = [layers.GRUCell(4), layers.SimpleRNNCell(4)]
    stack = layers.StackedRNNCells(cells, reverse_state_order=True)
    x = layers.RNN(stack, name="stack")(inputs, initial_state=[a, b])
    probe = [rng.normal(size=shape) for shape in ((2, 5, 3), (2, 4), (2, 4))]
    return tf_keras.Model([inputs, a, b], x), probe, ["stack/cell_1", "stack/cell_2"]


@model
def nested_in_time_distributed(rng: np.random.Generator) -> Built:
    inner = tf_keras.Sequential([layers.LSTM(4, name="words"), layers.Dense(3)], name="inner")
    inputs = tf_keras.Input((3, 6, 2))
    x = layers.TimeDistributed(inner, name="each")(inputs)
    return tf_keras.Model(inputs, x), rng.normal(size=(2, 3, 6, 2)), ["each/inner/words"]
