"""Independent recurrences, one gate and one step at a time, and random weights to feed them."""

from __future__ import annotations

import numpy as np


def sigmoid(x):
    with np.errstate(over="ignore"):
        return 1.0 / (1.0 + np.exp(-x))


def random_arrays(rng, *shapes, scale=0.6, dtype="float64"):
    """Random arrays without two equal values: equal ones would hide swapped gates."""
    return [(scale * rng.normal(size=shape)).astype(dtype) for shape in shapes]


def keras_lstm_arrays(rng, features, units, dtype="float64"):
    """`[kernel, recurrent_kernel, bias]` of a Keras LSTM."""
    shapes = (features, 4 * units), (units, 4 * units), (4 * units,)
    return random_arrays(rng, *shapes, dtype=dtype)


def naive_lstm(x, kernel, recurrent_kernel, bias, *, h=None, c=None, sigma=sigmoid, phi=np.tanh):
    """A Keras LSTM by the book, from Keras's own arrays: `i f g o c h` by letter."""
    units = recurrent_kernel.shape[0]
    w, u, b = (np.split(a, 4, axis=-1) for a in (kernel, recurrent_kernel, bias))
    h = np.zeros((len(x), units)) if h is None else h
    c = np.zeros((len(x), units)) if c is None else c
    steps = {letter: [] for letter in "ifgoch"}
    for t in range(x.shape[1]):
        i = sigma(x[:, t] @ w[0] + h @ u[0] + b[0])
        f = sigma(x[:, t] @ w[1] + h @ u[1] + b[1])
        g = phi(x[:, t] @ w[2] + h @ u[2] + b[2])
        o = sigma(x[:, t] @ w[3] + h @ u[3] + b[3])
        c = f * c + i * g
        h = o * phi(c)
        for letter, value in zip("ifgoch", (i, f, g, o, c, h), strict=True):
            steps[letter].append(value)
    return {letter: np.stack(values, axis=1) for letter, values in steps.items()}


def largest(ours, theirs):
    """The largest absolute difference; the shapes must be equal."""
    ours, theirs = np.asarray(ours), np.asarray(theirs)
    assert ours.shape == theirs.shape
    return float(np.max(np.abs(ours.astype("float64") - theirs.astype("float64"))))
