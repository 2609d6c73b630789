"""Trainings that are well: default layers of every cell, 6 to 500 steps, on every kind of task.

An alert that stands in one of them is a false alarm.
"""

from __future__ import annotations

from functools import partial

import keras
import tasks
from trainings import Training

L = keras.layers


def _adam(rate: float) -> partial[keras.optimizers.Optimizer]:
    return partial(keras.optimizers.Adam, rate)


def _words(layer: keras.layers.Layer, *, mask: bool, size: int = 20) -> list[keras.layers.Layer]:
    return [L.Embedding(size, 16, mask_zero=mask), layer]


HEALTHY = [
    # Images read row by row.
    Training("digits by rows, LSTM", tasks.digits, lambda: [L.LSTM(32)], good=0.8),
    Training("digits by rows, GRU", tasks.digits, lambda: [L.GRU(32)], good=0.8),
    Training("digits by rows, SimpleRNN", tasks.digits, lambda: [L.SimpleRNN(32)], good=0.8),
    Training("digits by rows, Bidirectional LSTM", tasks.digits,
             lambda: [L.Bidirectional(L.LSTM(16))], good=0.8),
    Training("digits by rows, two LSTMs", tasks.digits,
             lambda: [L.LSTM(24, return_sequences=True), L.LSTM(24)], good=0.7),
    Training("digits by rows, LSTM with dropout", tasks.digits,
             lambda: [L.LSTM(48, dropout=0.2, recurrent_dropout=0.1)], good=0.7),
    Training("digits by rows, GRU without reset_after", tasks.digits,
             lambda: [L.GRU(32, reset_after=False)], good=0.8),
    Training("digits by rows, LSTM of relu", tasks.digits,
             lambda: [L.LSTM(32, activation="relu")], _adam(0.003), good=0.7),
    Training("digits by rows, LSTM with hard sigmoid", tasks.digits,
             lambda: [L.LSTM(32, recurrent_activation="hard_sigmoid")], good=0.8),
    Training("digits by rows, LSTM, SGD with momentum", tasks.digits, lambda: [L.LSTM(32)],
             partial(keras.optimizers.SGD, 0.1, momentum=0.9), steps=600, good=0.7),
    Training("digits by rows, LSTM, RMSprop", tasks.digits, lambda: [L.LSTM(32)],
             partial(keras.optimizers.RMSprop, 0.003), good=0.8),
    Training("digits by pairs of pixels, LSTM", partial(tasks.digits, 32), lambda: [L.LSTM(32)],
             steps=900, good=0.6),
    Training("digits by pairs of pixels, GRU", partial(tasks.digits, 32), lambda: [L.GRU(32)],
             steps=900, good=0.6),
    Training("digits by pairs of pixels, SimpleRNN", partial(tasks.digits, 32),
             lambda: [L.SimpleRNN(32)], _adam(0.002), steps=900, good=0.5),
    Training("digits in one step, LSTM", partial(tasks.digits, 1), lambda: [L.LSTM(24)], good=0.8),
    Training("digits in one step, GRU", partial(tasks.digits, 1), lambda: [L.GRU(24)], good=0.8),
    # A task of the last step: the memory may be as short as it likes.
    *[
        Training(f"last of {steps} steps, {kind.__name__}", partial(tasks.last_step, steps),
                 lambda kind=kind: [kind(24)], good=0.9)
        for steps in (8, 50, 120, 200)
        for kind in (L.LSTM, L.GRU, L.SimpleRNN)
    ],
    Training("last of 500 steps, LSTM", partial(tasks.last_step, 500), lambda: [L.LSTM(16)],
             good=0.9),
    Training("last of 500 steps, GRU", partial(tasks.last_step, 500), lambda: [L.GRU(16)],
             good=0.9),
    # Tasks that need a memory.
    Training("sign of the mean of 30 steps, LSTM", partial(tasks.mean_sign, 30),
             lambda: [L.LSTM(24)], good=0.8),
    Training("sign of the mean of 30 steps, GRU", partial(tasks.mean_sign, 30),
             lambda: [L.GRU(24)], good=0.8),
    Training("sign of the mean of 100 steps, LSTM", partial(tasks.mean_sign, 100),
             lambda: [L.LSTM(24)], steps=600, good=0.75),
    Training("latch of 20 steps, LSTM", partial(tasks.latch, 20), lambda: [L.LSTM(24)], good=0.95),
    Training("latch of 20 steps, GRU", partial(tasks.latch, 20), lambda: [L.GRU(24)], good=0.95),
    Training("latch of 15 steps, SimpleRNN", partial(tasks.latch, 15), lambda: [L.SimpleRNN(24)],
             good=0.95),
    Training("adding over 15 steps, LSTM", partial(tasks.adding, 15), lambda: [L.LSTM(32)],
             _adam(0.01), steps=900, good=0.06),
    Training("adding over 15 steps, GRU", partial(tasks.adding, 15), lambda: [L.GRU(32)],
             _adam(0.01), steps=900, good=0.06),
    # Forecasting.
    Training("a sine of 40 steps, LSTM", partial(tasks.sine, 40), lambda: [L.LSTM(24)], good=0.05),
    Training("a sine of 40 steps, GRU", partial(tasks.sine, 40), lambda: [L.GRU(24)], good=0.05),
    Training("a sine of 40 steps, SimpleRNN", partial(tasks.sine, 40), lambda: [L.SimpleRNN(24)],
             good=0.05),
    Training("a sine of 150 steps, LSTM", partial(tasks.sine, 150), lambda: [L.LSTM(24)],
             good=0.08),
    # Text, character by character.
    Training("text of 60 characters, LSTM", partial(tasks.text, 60),
             lambda: _words(L.LSTM(48, return_sequences=True), mask=False, size=128), good=0.3),
    Training("text of 60 characters, GRU", partial(tasks.text, 60),
             lambda: _words(L.GRU(48, return_sequences=True), mask=False, size=128), good=0.3),
    Training("text of 160 characters, GRU", partial(tasks.text, 160),
             lambda: _words(L.GRU(48, return_sequences=True), mask=False, size=128), good=0.3),
    Training("text of 160 characters, LSTM", partial(tasks.text, 160),
             lambda: _words(L.LSTM(48, return_sequences=True), mask=False, size=128), good=0.3),
    # Padded sentences.
    Training("padded at the end and masked, LSTM", partial(tasks.padded, 30),
             lambda: _words(L.LSTM(24), mask=True), good=0.8),
    Training("padded at the end and masked, GRU", partial(tasks.padded, 30),
             lambda: _words(L.GRU(24), mask=True), good=0.8),
    Training("padded at the beginning, not masked, LSTM",
             partial(tasks.padded, 40, where="pre"), lambda: _words(L.LSTM(24), mask=False),
             good=0.8),
    Training("padded at the beginning, not masked, GRU",
             partial(tasks.padded, 100, where="pre"), lambda: _words(L.GRU(24), mask=False),
             steps=600, good=0.8),
    # Frames.
    Training("a moving square, ConvLSTM2D", tasks.moving_square,
             lambda: [L.ConvLSTM2D(6, 3, padding="same", return_sequences=True)], steps=150,
             batch=16, good=0.1),
    Training("a moving square, two ConvLSTM2D", tasks.moving_square,
             lambda: [L.ConvLSTM2D(6, 3, padding="same", return_sequences=True),
                      L.ConvLSTM2D(6, 3, padding="same", return_sequences=True)], steps=150,
             batch=16, good=0.1),
]  # fmt: skip
