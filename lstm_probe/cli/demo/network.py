"""A small LSTM in plain NumPy: it stands for a framework that trains one.

It knows nothing of lstm_probe, and computes in float32. So the parity error of the sample log is a
comparison of two programs, as it is in a real training.
"""

from __future__ import annotations

import numpy as np

from lstm_probe.core.arrays import Array

__all__ = ["Network"]

_RATE, _BETA_1, _BETA_2 = 0.01, 0.9, 0.99


class Network:
    """An LSTM that reads a sequence, and a logistic unit that reads its last hidden state.

    Args:
        features: the size of the vectors that it reads.
        units: its number of units.
        forget_bias: `(units,)`, the biases of the forget gate.
        input_bias: `(units,)`, those of the input gate.
        seed: of the weights.

    Attributes:
        kernel: `(features, 4 * units)`, gates in the order `i f g o`.
        recurrent_kernel: `(units, 4 * units)`.
        bias: `(4 * units,)`.
    """

    def __init__(
        self, features: int, units: int, *, forget_bias: Array, input_bias: Array, seed: int = 1
    ) -> None:
        rng = np.random.default_rng(seed)
        self.kernel = _floats(rng.normal(size=(features, 4 * units)) / np.sqrt(features + units))
        self.recurrent_kernel = _floats(rng.normal(size=(units, 4 * units)) / np.sqrt(4 * units))
        self.bias = np.zeros(4 * units, np.float32)
        self.bias[:units], self.bias[units : 2 * units] = input_bias, forget_bias
        self._head, self._offset = _floats(rng.normal(size=units) / 3), np.zeros(1, np.float32)
        self._moments = [(np.zeros_like(each), np.zeros_like(each)) for each in self._parameters]
        self._updates = 0

    @property
    def layer(self) -> list[Array]:
        """The arrays of the LSTM; training changes them in place."""
        return [self.kernel, self.recurrent_kernel, self.bias]

    @property
    def _parameters(self) -> list[Array]:
        return [*self.layer, self._head, self._offset]

    def hidden(self, x: Array) -> Array:
        """The hidden states, `(batch, time, units)`, for `x` of shape `(batch, time, features)`."""
        return self._forward(x)[1][1:].swapaxes(0, 1)

    def answers(self, x: Array) -> Array:
        """The probability of praise for each sequence, `(batch, 1)`, for `x` as of `hidden`."""
        return self._answer(self._forward(x)[1])[:, None]

    def train(self, x: Array, y: Array) -> tuple[float, float]:
        """Make one step of Adam.

        Args:
            x: `(batch, time, features)`.
            y: `(batch,)`, 0 or 1.

        Returns:
            The loss (cross entropy) and the accuracy on this batch, before the step.

        Source:
            Kingma & Ba 2015, "Adam: a method for stochastic optimization".
        """
        gates, h, c = self._forward(x)
        answer = self._answer(h)
        change = _floats((answer - y) / len(y))
        gradients = [*self._backward(x, gates, h, c, change), h[-1].T @ change, change.sum()[None]]
        self._update(gradients)
        right = np.where(y == 1, answer, 1 - answer)
        return float(-np.log(right + 1e-7).mean()), float((right > 0.5).mean())

    def _answer(self, h: Array) -> Array:
        return _sigmoid(h[-1] @ self._head + self._offset)

    def _forward(self, x: Array) -> tuple[Array, Array, Array]:
        """Gates `(time, batch, 4, units)`, and `h` and `c`, which begin with the initial zeros."""
        inputs = x.swapaxes(0, 1) @ self.kernel + self.bias
        time, batch, units = len(inputs), len(x), len(self._head)
        gates = np.empty((time, batch, 4, units), np.float32)
        h, c = np.zeros((2, time + 1, batch, units), np.float32)
        for t in range(time):
            sums = (inputs[t] + h[t] @ self.recurrent_kernel).reshape(batch, 4, units)
            i, f, g, o = (gates[t, :, k] for k in range(4))
            gates[t] = _sigmoid(sums)
            g[...] = np.tanh(sums[:, 2])
            c[t + 1] = f * c[t] + i * g
            h[t + 1] = o * np.tanh(c[t + 1])
        return gates, h, c

    def _backward(self, x: Array, gates: Array, h: Array, c: Array, change: Array) -> list[Array]:
        """The gradients of the three arrays of the LSTM, through all timesteps."""
        i, f, g, o = (gates[:, :, k] for k in range(4))
        shown = np.tanh(c[1:])
        slopes = np.stack([g * i * (1 - i), c[:-1] * f * (1 - f), i * (1 - g * g)], axis=2)
        to_output, to_cell = shown * o * (1 - o), o * (1 - shown * shown)
        sums = np.empty_like(gates)
        dh, dc = np.outer(change, self._head), np.zeros_like(c[0])
        for t in reversed(range(len(gates))):
            dc = dc + dh * to_cell[t]
            sums[t, :, :3], sums[t, :, 3] = dc[:, None] * slopes[t], dh * to_output[t]
            dc = dc * f[t]
            dh = sums[t].reshape(len(dh), -1) @ self.recurrent_kernel.T
        flat = sums.reshape(-1, self.bias.size)
        read = x.swapaxes(0, 1).reshape(len(flat), -1)
        return [read.T @ flat, h[:-1].reshape(len(flat), -1).T @ flat, flat.sum(axis=0)]

    def _update(self, gradients: list[Array]) -> None:
        self._updates += 1
        norm = np.sqrt(sum(float(np.square(each).sum()) for each in gradients))
        for array, gradient, (first, second) in zip(
            self._parameters, gradients, self._moments, strict=True
        ):
            clipped = gradient / max(1.0, norm)
            first += (1 - _BETA_1) * (clipped - first)
            second += (1 - _BETA_2) * (clipped * clipped - second)
            mean = first / (1 - _BETA_1**self._updates)
            spread = np.sqrt(second / (1 - _BETA_2**self._updates))
            array -= _floats(_RATE * mean / (spread + 1e-8))


def _sigmoid(x: Array) -> Array:
    return 0.5 + 0.5 * np.tanh(0.5 * x)


def _floats(array: Array) -> Array:
    return np.asarray(array, np.float32)
