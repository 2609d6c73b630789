"""Trainings that are ill, each illness with several causes, and what the advice makes of them."""

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


def chrono(units: int, longest: int) -> object:
    """Biases that keep for 2 steps up to `longest` (Tallec & Ollivier 2018)."""
    return np.log(np.linspace(2, longest, units))


def _lstm(units: int, forget: object, **options: Any) -> list[keras.layers.Layer]:
    return [L.LSTM(units, unit_forget_bias=False, bias_initializer=lstm_biases(units, forget),
                   **options)]  # fmt: skip


def _gru(units: int, keep: object, **options: Any) -> list[keras.layers.Layer]:
    return [L.GRU(units, bias_initializer=gru_biases(units, keep), **options)]


def _identity(units: int) -> list[keras.layers.Layer]:
    """A state that begins by keeping everything (Le, Jaitly & Hinton 2015)."""
    return [L.SimpleRNN(units, activation="relu", recurrent_initializer="identity",
                        kernel_initializer=Init.RandomNormal(stddev=0.1, seed=0))]  # fmt: skip


def _freeze(model: keras.Model) -> None:
    for layer in model.layers:
        if isinstance(layer, L.RNN):
            layer.trainable = False
    model.compile(model.optimizer, model.loss, metrics=["accuracy"])


ILL = [
    Training("LSTM on digits, learning rate 1", tasks.digits, lambda: [L.LSTM(32)], _adam(1.0),
             illness="saturated_gates", cure={"optimizer": _adam(0.005)}),
    Training("GRU on digits, learning rate 1", tasks.digits, lambda: [L.GRU(32)], _adam(1.0),
             illness="saturated_gates", cure={"optimizer": _adam(0.005)}),
    Training("LSTM on pixels of 0 to 25500", partial(tasks.digits, scale=25500),
             lambda: [L.LSTM(32)], illness="saturated_gates", cure={"task": tasks.digits}),
    Training("GRU on pixels of 0 to 25500", partial(tasks.digits, scale=25500),
             lambda: [L.GRU(32)], illness="saturated_gates", cure={"task": tasks.digits}),
    Training("LSTM with a kernel of standard deviation 30", tasks.digits,
             lambda: [L.LSTM(32, kernel_initializer=Init.RandomNormal(stddev=30.0, seed=0))],
             illness="saturated_gates", cure={"layers": lambda: [L.LSTM(32)]}),
    Training("LSTM with forget bias 0 over 200 steps", partial(tasks.latch, 200),
             lambda: [L.LSTM(24, unit_forget_bias=False)], illness="short_memory",
             cure={"layers": lambda: _lstm(24, chrono(24, 200))}),
    Training("LSTM with forget bias -3 over 100 steps", partial(tasks.latch, 100),
             lambda: _lstm(24, -3), illness="short_memory",
             cure={"layers": lambda: _lstm(24, chrono(24, 100))}),
    Training("default LSTM that must remember 300 steps", partial(tasks.latch, 300),
             lambda: [L.LSTM(24)], illness="short_memory",
             cure={"layers": lambda: _lstm(24, chrono(24, 300))}),
    Training("default GRU that must remember 300 steps", partial(tasks.latch, 300),
             lambda: [L.GRU(24)], illness="short_memory",
             cure={"layers": lambda: _gru(24, chrono(24, 300))}),
    Training("GRU with keep bias -3 over 100 steps", partial(tasks.latch, 100),
             lambda: _gru(24, -3), illness="short_memory",
             cure={"layers": lambda: _gru(24, chrono(24, 100))}),
    Training("default SimpleRNN that must remember 200 steps", partial(tasks.latch, 200),
             lambda: [L.SimpleRNN(24, recurrent_initializer="random_uniform")],
             illness="vanishing_gradient", cure={"layers": lambda: _identity(24)}),
    Training("SimpleRNN with a small recurrent kernel", partial(tasks.latch, 80),
             lambda: [L.SimpleRNN(24, recurrent_initializer=Init.Orthogonal(0.3, seed=0))],
             illness="vanishing_gradient", cure={"layers": lambda: _identity(24)}),
    Training("LSTM whose cells forget at once, 150 steps", partial(tasks.latch, 150),
             lambda: _lstm(24, -6), illness="vanishing_gradient",
             cure={"layers": lambda: _lstm(24, chrono(24, 150))}),
    Training("linear RNN that grows, 60 steps", partial(tasks.adding, 60),
             lambda: [L.SimpleRNN(24, activation="linear",
                                  recurrent_initializer=Init.Orthogonal(1.3, seed=0))],
             illness="exploding_gradient",
             cure={"layers": lambda: [L.SimpleRNN(24, activation="linear")],
                   "optimizer": _adam(0.005, clipnorm=1.0)}),
    Training("RNN of relu that grows, 40 steps", partial(tasks.adding, 40),
             lambda: [L.SimpleRNN(32, activation="relu",
                                  recurrent_initializer=Init.RandomNormal(stddev=0.4, seed=0))],
             illness="exploding_gradient",
             cure={"layers": lambda: [L.SimpleRNN(32, activation="relu")],
                   "optimizer": _adam(0.005, clipnorm=1.0)}),
    Training("RNN of tanh with a recurrent gain of 4", partial(tasks.adding, 40),
             lambda: [L.SimpleRNN(32, recurrent_initializer=Init.Orthogonal(4.0, seed=0))],
             illness="exploding_gradient",
             cure={"layers": lambda: [L.SimpleRNN(32)],
                   "optimizer": _adam(0.005, clipnorm=1.0)}),
    Training("RNN of relu with biases of -3", tasks.digits,
             lambda: [L.SimpleRNN(32, activation="relu", bias_initializer=Init.Constant(-3))],
             illness="dead_units", cure={"layers": lambda: [L.SimpleRNN(32)]}),
    Training("RNN of relu, learning rate 0.5", tasks.digits,
             lambda: [L.SimpleRNN(32, activation="relu")], _adam(0.5), illness="dead_units",
             cure={"layers": lambda: [L.SimpleRNN(32)], "optimizer": _adam(0.005)}),
    Training("LSTM of relu with a learning rate of 0.5", tasks.digits,
             lambda: [L.LSTM(32, activation="relu")], _adam(0.5), illness="dead_units",
             cure={"layers": lambda: [L.LSTM(32)], "optimizer": _adam(0.005)}),
    Training("RNN of relu whose values overflow", partial(tasks.sine, 100),
             lambda: [L.SimpleRNN(24, activation="relu",
                                  recurrent_initializer=Init.Orthogonal(3.0, seed=0))],
             _sgd(0.1), illness="not_finite",
             cure={"layers": lambda: [L.SimpleRNN(24)], "optimizer": _sgd(0.01, clipnorm=1.0)}),
    Training("LSTM of relu with a learning rate of 1e30", tasks.digits,
             lambda: [L.LSTM(32, activation="relu")], _sgd(1e30), illness="not_finite",
             cure={"layers": lambda: [L.LSTM(32)], "optimizer": _sgd(0.1, clipnorm=1.0)}),
    Training("a recurrent layer that is frozen", tasks.digits, lambda: [L.LSTM(8)],
             illness="unchanged_weights", prepared=_freeze, cure={"prepared": lambda model: None}),
    Training("a learning rate of 0", tasks.digits, lambda: [L.GRU(24)], _adam(0.0),
             illness="unchanged_weights", cure={"optimizer": _adam(0.005)}),
    Training("SGD that jumps", tasks.digits, lambda: [L.SimpleRNN(24)], _sgd(30.0),
             illness="update_ratio", cure={"optimizer": _sgd(0.1)}),
    Training("Adam that jumps, bounded inputs", tasks.digits, lambda: [L.LSTM(24)], _adam(0.4),
             steps=60, illness="update_ratio", cure={"optimizer": _adam(0.005), "steps": 300}),
]  # fmt: skip
