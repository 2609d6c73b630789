"""How far rounding can take one step of an LSTM from its equations.

Where `s` is a gate's activation and `phi` the other,

    |error of s(a)| <=  |s'(a)| |error of a| + K |error of a|^2 + own error of s
    |error of c'|   <=  |f| |error of c| + |c| |error of f| + |g| |error of i| + |i| |error of g|
                        + 3 u (|f c| + |i g|)
    |error of h'|   <=  |phi(c')| |error of o| + |o| |error of phi(c')| + u |h'|

`K` covers the curvature: half of the largest second derivative. A peephole adds `|p| |error of c|`
to what its gate is given. The errors of the units are as good as independent, so layer
normalisation over `n` of them takes errors `e_k` to
`sqrt(((1 - (1 + y^2) / n) e)^2 + sum(((1 + y y_k) / n)^2 e_k^2)) / spread`, and never to more than
the span of what it gives; a projection adds their squares up; a clip lets no error grow.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from lstm_probe.cells.base import Values
from lstm_probe.cells.lstm.equations import LstmEquations, normalised
from lstm_probe.cells.shared.rounding import error_of_sum
from lstm_probe.cells.shared.rounding_of_functions import activated
from lstm_probe.core.activations import applied
from lstm_probe.core.arrays import Array, BoolArray

__all__ = ["lstm_rounding"]


def lstm_rounding(
    cell: LstmEquations[Any],
    x: Array,
    before: Values,
    values: Values,
    weights: Any,
    mask: BoolArray | None,
    u: float,
) -> Array:
    """A bound of the error of `h` at each step, `(time, batch, output)`.

    Args:
        cell: its options.
        x: `(time, batch, input)`.
        before: the states before each step, by letter, `(time, batch, size)`.
        values: what each step computes, likewise.
        weights: of the dtype of `x`.
        mask: `(time, batch)`, or None.
        u: the unit roundoff of the computation.
    """
    step = _Step(cell, x, before, values, weights, u)
    time = len(x)
    error = np.zeros_like(step.c)
    first = np.zeros_like(step.c[0])
    gates = None if weights.peepholes is not None else step.errors_of_gates(slice(None), first)
    for t in range(time):
        last = error[t - 1] if t else first
        early = step.errors_of_gates(t, last) if gates is None else gates[t]
        error[t] = step.error_of_cell_state(t, early, last)
        if mask is not None:
            valid = mask[t].reshape(-1, *[1] * (last.ndim - 1))
            error[t] = np.where(valid, error[t], last)
    return cell._flat(step.error_of_hidden_state(error))


class _Step:
    """The values of all steps, and the errors that one of them, or many, give rise to."""

    def __init__(
        self,
        cell: LstmEquations[Any],
        x: Array,
        before: Values,
        values: Values,
        weights: Any,
        u: float,
    ) -> None:
        self.cell, self.weights, self.u = cell, weights, u
        inside = {k: cell._inside(v, weights) for k, v in values.items() if k != "h"}
        self.i, self.f, self.g, self.o, self.c = (inside[letter] for letter in "ifgoc")
        self.before = cell._inside(before["c"], weights)
        self.shown = applied(cell.activation, self.c)
        h = cell._inside(before["h"], weights)
        self.inputs, self.products = cell.inputs(x, weights), cell.recurrent(h, weights)
        self.sums = self._errors_of_sums(x, h)

    def _errors_of_sums(self, x: Array, h: Array) -> Array:
        """Of `x W + h U + b`, `(time, batch, *space, gates, units)`."""
        cell, weights = self.cell, self.weights
        squared = replace(weights.with_kernels(_squared), bias=np.zeros_like(weights.bias))
        others = np.abs(weights.bias)
        forget = weights.gates.index("f")
        others[forget] += 2 * abs(getattr(cell, "forget_bias", 0.0))
        inputs = self.inputs
        if weights.norm_scale is None:
            inputs = inputs - weights.bias
        else:  # the bias comes after the normalisation
            others = np.zeros_like(others)
        terms = weights.kernel[..., 0, 0].size + weights.recurrent_kernel[..., 0, 0].size
        return error_of_sum(
            (inputs, self.products),
            lambda: cell.inputs(x**2, squared) + cell.recurrent(h**2, squared),
            terms,
            others,
            self.u,
        )

    def errors_of_gates(self, t: int | slice, last: Array) -> Array:
        """Of `i`, `f` and `g`, `(..., *space, 3, units)`, where the cell state before is `last`
        off."""
        error, a = self.sums[t], self.inputs[t] + self.products[t]
        peepholes, weights, u = self.weights.peepholes, self.weights, self.u
        if peepholes is not None:
            c, p = self.before[t][..., None, :], peepholes[:-1]
            a[..., :-2, :] += p * c
            error = error.copy()
            error[..., :-2, :] += np.abs(p) * (last[..., None, :] + 2 * u * np.abs(c))
        error = self._scaled(a, error, slice(None))
        sigma = self.cell.recurrent_activation
        f = activated(sigma, self.f[t], error[..., -3, :], u)
        g = activated(self.cell.activation, self.g[t], error[..., -2, :], u)
        if "i" in weights.gates:
            i = activated(sigma, self.i[t], error[..., 0, :], u)
        else:
            i = f + u * np.abs(self.i[t])
        return np.stack([i, f, g], axis=-2)

    def _scaled(self, a: Array, error: Array, which: slice) -> Array:
        """What layer normalisation, its scale and the bias after it make of errors of `a`."""
        weights = self.weights
        if weights.norm_scale is None:
            return error
        scale, bias = weights.norm_scale[which], np.abs(weights.bias[which])
        y, grown = _normalised(a, error, self.cell.norm_epsilon, self.u)
        return np.abs(scale) * (grown + 2 * self.u * np.abs(y)) + 2 * self.u * bias

    def error_of_cell_state(self, t: int, gates: Array, last: Array) -> Array:
        """`(batch, *space, units)`."""
        u = self.u
        i, f, g, c = (np.abs(each[t]) for each in (self.i, self.f, self.g, self.before))
        error_i, error_f, error_g = np.moveaxis(gates, -2, 0)
        of_step = c * (error_f + 3 * u * f) + g * (error_i + 3 * u * i) + i * error_g
        error = f * last + of_step
        if self.weights.state_norm is not None:
            # It may multiply an error from step to step, so that a sum would soon be far too large;
            # those of other steps are independent of this one's.
            error = np.hypot(f * last, of_step)
            scale, shift = np.abs(self.weights.state_norm)
            made = self.f[t] * self.before[t] + self.i[t] * self.g[t]
            y, grown = _normalised(made, error, self.cell.norm_epsilon, u)
            error = scale * (grown + 2 * u * np.abs(y)) + u * shift
        return error if self.cell.cell_clip is None else np.minimum(error, 2 * self.cell.cell_clip)

    def error_of_hidden_state(self, error_c: Array) -> Array:
        """Of all steps, `(time, batch, *space, output)`."""
        cell, weights, u = self.cell, self.weights, self.u
        error, a = self.sums[..., -1:, :], (self.inputs + self.products)[..., -1:, :]
        if weights.peepholes is not None:
            p = weights.peepholes[-1]
            a = a + (p * self.c)[..., None, :]
            error = error + (np.abs(p) * (error_c + 2 * u * np.abs(self.c)))[..., None, :]
        error = self._scaled(a, error, slice(-1, None))[..., 0, :]
        error_o = activated(cell.recurrent_activation, self.o, error, u)
        shown = activated(cell.activation, self.shown, error_c + u * np.abs(self.c), u)
        error = np.abs(self.shown) * error_o + np.abs(self.o) * shown
        return error if weights.projection is None else self._projected(error)

    def _projected(self, error: Array) -> Array:
        weights, h = self.weights, self.o * self.shown
        squares = np.square(weights.projection)
        bias = 0.0 if weights.projection_bias is None else np.abs(weights.projection_bias)
        own = error_of_sum(
            (h @ weights.projection,), lambda: h**2 @ squares, len(squares), bias, self.u
        )
        # The errors of the units are as good as independent.
        return own + 2 * np.sqrt(np.square(error + self.u * np.abs(h)) @ squares)


def _squared(kernel: Array) -> Array:
    return np.square(kernel, dtype=np.float64)


def _normalised(a: Array, error: Array, epsilon: float, u: float) -> tuple[Array, Array]:
    """`a` normalised, and the error of that."""
    y, spread = normalised(a, epsilon)
    units = a.shape[-1]
    # Mean and variance are sums over all units, which round as they are added up.
    own = u * (2 + np.sqrt(units)) * np.sqrt(np.square(a).mean(axis=-1, keepdims=True))
    squares = np.square(error + own)

    def mean(values: Array) -> Array:
        return np.asarray(values.mean(axis=-1, keepdims=True))

    # dy = (da - mean(da) - y mean(y da)) / spread: what a unit's own error does to it, ...
    of_itself = np.square(1 - (1 + np.square(y)) / units) * squares
    # ... and what the errors of all do to mean and variance.
    of_all = mean(squares) + 2 * y * mean(y * squares) + np.square(y) * mean(np.square(y) * squares)
    grown = np.sqrt(of_itself + of_all / units) / spread
    grown = grown + u * (4 + np.sqrt(units)) * np.abs(y)
    return y, np.minimum(grown, 2 * np.sqrt(units))
