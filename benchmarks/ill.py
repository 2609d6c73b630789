"""Trainings that are ill, each illness with several causes."""

from __future__ import annotations

from functools import partial
from typing import Any

import keras
import numpy as np
import tasks
from trainings import Training

L, Init = keras.layers, keras.initializers


def _adam(rate: float, **options: Any) -> partial[keras.optimizers.Optimizer]:
    return partial(keras.optimizers.Adam, rate, **options)


def _sgd(rate: float, **options: Any) -> partial[keras.optimizers.Optimizer]:
    return partial(keras.optimizers.SGD, rate, **options)


def lstm_biases(units: int, forget: object) -> keras.initializers.Initializer:
    """Biases of the gates i, f, c, o: zero, but for those of f."""
    bias = np.zeros(4 * units, np.float32)
    bias[units : 2 * units] = forget
    return lambda shape, dtype=None: keras.ops.convert_to_tensor(bias)


def gru_biases(units: int, keep: object) -> keras.initializers.Initializer:
    """Biases of the gates z, r, h, for both products: zero, but for the first of z."""
    bias = np.zeros((2, 3 * units), np.float32)
    bias[0, :units] = keep
    return lambda shape, dtype=None: keras.ops.convert_to_tensor(bias)


def _lstm(units: int, forget: object, **options: Any) -> list[keras.layers.Layer]:
    return [L.LSTM(units, unit_forget_bias=False, bias_initializer=lstm_biases(units, forget),
                   **options)]  # fmt: skip


def _gru(units: int, keep: object, **options: Any) -> list[keras.layers.Layer]:
    return [L.GRU(units, bias_initializer=gru_biases(units, keep), **options)]


def _freeze(model: keras.Model) -> None:
    for layer in model.layers:
        if isinstance(layer, L.RNN):
            layer.trainable = False
    model.compile(model.optimizer, model.loss, metrics=["accuracy"])


ILL = [
    Training("LSTM on digits, learning rate 1", tasks.digits, lambda: [L.LSTM(32)], _adam(1.0),
             illness="saturated_gates"),
    Training("GRU on digits, learning rate 1", tasks.digits, lambda: [L.GRU(32)], _adam(1.0),
             illness="saturated_gates"),
    Training("LSTM on pixels of 0 to 25500", partial(tasks.digits, scale=25500),
             lambda: [L.LSTM(32)], illness="saturated_gates"),
    Training("GRU on pixels of 0 to 25500", partial(tasks.digits, scale=25500),
             lambda: [L.GRU(32)], illness="saturated_gates"),
    Training("LSTM with a kernel of standard deviation 30", tasks.digits,
             lambda: [L.LSTM(32, kernel_initializer=Init.RandomNormal(stddev=30.0, seed=0))],
             illness="saturated_gates"),
    Training("LSTM with forget bias 0 over 200 steps", partial(tasks.latch, 200),
             lambda: [L.LSTM(24, unit_forget_bias=False)], illness="short_memory", seeds=3),
    Training("LSTM with forget bias -3 over 100 steps", partial(tasks.latch, 100),
             lambda: _lstm(24, -3), illness="short_memory", seeds=3),
    Training("default LSTM that must remember 300 steps", partial(tasks.latch, 300),
             lambda: [L.LSTM(24)], illness="short_memory", seeds=3),
    Training("default GRU that must remember 300 steps", partial(tasks.latch, 300),
             lambda: [L.GRU(24)], illness="short_memory", seeds=3),
    Training("GRU with keep bias -3 over 100 steps", partial(tasks.latch, 100),
             lambda: _gru(24, -3), illness="short_memory", seeds=3),
    Training("default SimpleRNN that must remember 200 steps", partial(tasks.latch, 200),
             lambda: [L.SimpleRNN(24, recurrent_initializer="random_uniform")],
             illness="vanishing_gradient", seeds=3),
    Training("SimpleRNN with a small recurrent kernel", partial(tasks.latch, 80),
             lambda: [L.SimpleRNN(24, recurrent_initializer=Init.Orthogonal(0.3, seed=0))],
             illness="vanishing_gradient", seeds=3),
    Training("LSTM whose cells forget at once, 150 steps", partial(tasks.latch, 150),
             lambda: _lstm(24, -6), illness="vanishing_gradient", seeds=3),
    Training("linear RNN that grows, 60 steps", partial(tasks.adding, 60),
             lambda: [L.SimpleRNN(24, activation="linear",
                                  recurrent_initializer=Init.Orthogonal(1.3, seed=0))],
             illness="exploding_gradient"),
    Training("RNN of relu that grows, 40 steps", partial(tasks.adding, 40),
             lambda: [L.SimpleRNN(32, activation="relu",
                                  recurrent_initializer=Init.RandomNormal(stddev=0.4, seed=0))],
             illness="exploding_gradient"),
    Training("RNN of tanh with a recurrent gain of 4", partial(tasks.adding, 40),
             lambda: [L.SimpleRNN(32, recurrent_initializer=Init.Orthogonal(4.0, seed=0))],
             illness="exploding_gradient"),
    Training("RNN of relu with biases of -3", tasks.digits,
             lambda: [L.SimpleRNN(32, activation="relu", bias_initializer=Init.Constant(-3))],
             illness="dead_units"),
    Training("RNN of relu, learning rate 0.5", tasks.digits,
             lambda: [L.SimpleRNN(32, activation="relu")], _adam(0.5), illness="dead_units"),
    Training("LSTM of relu with a learning rate of 0.5", tasks.digits,
             lambda: [L.LSTM(32, activation="relu")], _adam(0.5), illness="dead_units"),
    Training("RNN of relu whose values overflow", partial(tasks.sine, 100),
             lambda: [L.SimpleRNN(24, activation="relu",
                                  recurrent_initializer=Init.Orthogonal(3.0, seed=0))],
             _sgd(0.1), illness="not_finite"),
    Training("LSTM of relu with a learning rate of 1e30", tasks.digits,
             lambda: [L.LSTM(32, activation="relu")], _sgd(1e30), illness="not_finite"),
    Training("a recurrent layer that is frozen", tasks.digits, lambda: [L.LSTM(8)],
             illness="unchanged_weights", prepared=_freeze),
    Training("a learning rate of 0", tasks.digits, lambda: [L.GRU(24)], _adam(0.0),
             illness="unchanged_weights"),
    Training("SGD that jumps", tasks.digits, lambda: [L.SimpleRNN(24)], _sgd(30.0),
             illness="update_ratio"),
    Training("Adam that jumps, bounded inputs", tasks.digits, lambda: [L.LSTM(24)], _adam(0.4),
             steps=60, illness="update_ratio"),
]  # fmt: skip
