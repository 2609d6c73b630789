"""A small training of either Keras, with weights from NumPy: the same at every run."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np

__all__ = ["compile_without_xla", "data", "digest", "model", "randomise"]


def model(keras: Any) -> Any:
    """Two recurrent layers behind an embedding with a mask, compiled."""
    layers = keras.layers
    inputs = keras.Input((9,), dtype="int32")
    x = layers.Embedding(12, 4, mask_zero=True, name="words")(inputs)
    x = layers.Bidirectional(layers.LSTM(6, return_sequences=True, name="lstm"), name="both")(x)
    x = layers.GRU(5, name="reader")(x)
    built = keras.Model(inputs, layers.Dense(2, name="head")(x))
    randomise(built, np.random.default_rng(61))
    compile_without_xla(keras, built, 0.1)
    return built


def compile_without_xla(keras: Any, built: Any, rate: float) -> None:
    """Compile a model for plain gradient descent; what XLA takes to compile it is not worth it."""
    options = {} if keras.__name__ == "tf_keras" else {"jit_compile": False}
    built.compile(keras.optimizers.SGD(rate), "mse", **options)


def randomise(built: Any, rng: np.random.Generator) -> None:
    """Random distinct weights everywhere."""
    for variable in built.trainable_variables:
        variable.assign(rng.normal(0, 0.5, tuple(variable.shape)))


def data() -> tuple[np.ndarray, np.ndarray]:
    """Sequences of words, padded at the end, and targets."""
    rng = np.random.default_rng(62)
    words = rng.integers(1, 12, (48, 9))
    words[np.arange(9) >= rng.integers(4, 10, (48, 1))] = 0
    return words, rng.normal(size=(48, 2))


def digest(built: Any) -> str:
    """What the training made of the weights, to the last bit."""
    joined = b"".join(np.ascontiguousarray(array).tobytes() for array in built.get_weights())
    return hashlib.sha256(joined).hexdigest()
