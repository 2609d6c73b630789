"""How far rounding can take one step of an LSTM from its equations.

Where `s` is the activation of a gate and `phi` the other activation,

    |error of s(a)| <=  |s'(a)| |error of a| + K |error of a|^2 + own error of s
    |error of c'|   <=  |f| |error of c| + |c| |error of f| + |g| |error of i| + |i| |error of g|
                        + |error of f| |error of c| + |error of i| |error of g|
                        + 3 u (|f c| + |i g|)
    |error of h'|   <=  |phi(c')| |error of o| + |o| |error of phi(c')|
                        + |error of o| |error of phi(c')| + u |h'|

The products of two errors matter where both factors are nearly 0, as with saturated gates. `K`
bounds the curvature: it is half of the largest second derivative. A peephole adds
`|p| |error of c|` to the error of the sum that it is part of. The errors of the units are nearly
independent. So layer normalisation over `n` units makes errors `e_k` into
`sqrt(((1 - (1 + y^2) / n) e)^2 + sum(((1 + y y_k) / n)^2 e_k^2)) / spread`, but never into more
than the range of its values. A projection adds the squares of the errors. A clip does not enlarge
any error.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from lstm_probe.cells.base import Values
from lstm_probe.cells.lstm_cell.equations import LstmEquations, normalised
from lstm_probe.cells.shared.rounding import error_of_sum, of_flushing
from lstm_probe.cells.shared.rounding_of_functions import activated
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
    """Bound the error of `h` at each step.

    Args:
        cell: The options of the cell.
        x: The input, `(time, batch, input)`.
        before: The states before each step, by letter, `(time, batch, size)`.
        values: What each step computes, by letter, `(time, batch, size)`.
        weights: The weights, of the dtype of `x`.
        mask: `(time, batch)`. It is False where a step is skipped. None if all steps count.
        u: The unit roundoff of the framework's computation.

    Returns:
        `(time, batch, output)`.
    """
    errors = _Errors(cell, x, before, values, weights, u)
    of_c = np.zeros_like(errors.c)
    last = np.zeros_like(errors.c[0])
    gates = None if weights.peepholes is not None else errors.of_gates(slice(None), last)
    for t in range(len(x)):
        early = errors.of_gates(t, last) if gates is None else gates[t]
        of_step = errors.of_cell_state(t, early, last)
        if mask is not None:
            valid = mask[t].reshape(-1, *[1] * (last.ndim - 1))
            of_step = np.where(valid, of_step, last)
        of_c[t] = last = of_step
    return cell.flattened(errors.of_hidden_state(of_c))


class _Errors:
    """The values of all steps, and what rounding does to one of them or to many at once."""

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
        self.i, self.f, self.g, self.o, self.c = (
            cell.unflattened(values[letter], weights) for letter in "ifgoc"
        )
        self.before = {k: cell.unflattened(before[k], weights) for k in cell.states}
        self.shown = cell.shown(self.c)
        self.sums = self._of_sums(x)
        self.a = None if weights.norm_scale is None else cell.sums(x, self.before, self.c, weights)

    def _of_sums(self, x: Array) -> Array:
        """The errors of `x W + h U + b`, `(time, batch, *space, gates, units)`."""
        cell, weights, h = self.cell, self.weights, self.before["h"]
        kernel, recurrent = weights.kernel, weights.recurrent_kernel
        others = np.zeros_like(weights.bias)
        if weights.norm_scale is None:  # else the bias comes after the normalisation
            others = np.abs(weights.bias)
            others[weights.gates.index("f")] += 2 * abs(getattr(cell, "forget_bias", 0.0))

        def squares() -> Array:
            of_inputs = cell.input_products(x**2, np.square(kernel, dtype=np.float64))
            return of_inputs + cell.state_products(h**2, np.square(recurrent, dtype=np.float64))

        products = cell.input_products(x, kernel), cell.state_products(h, recurrent)
        terms = kernel[..., 0, 0].size + recurrent[..., 0, 0].size
        narrow = cell.sums_in_half_precision(weights)
        error = error_of_sum(products, squares, terms, others, self.u, in_half_precision=narrow)
        return error + of_flushing((x, h), (kernel, recurrent), self.u, rank=error.ndim)

    def of_gates(self, t: int | slice, error_c: Array) -> Array:
        """The errors of `i`, `f` and `g`, given the error of the cell state before.

        Returns:
            `(..., *space, 3, units)`.
        """
        weights, u = self.weights, self.u
        sigma, phi = self.cell.recurrent_activation, self.cell.activation
        error = self.sums[t][..., :-1, :]
        if weights.peepholes is not None:
            error = error.copy()
            error[..., :-1, :] += self._of_peepholes(slice(0, -1), self.before["c"][t], error_c)
        error = self._after_norm(t, slice(0, -1), error)
        f = activated(sigma, self.f[t], error[..., -2, :], u)
        g = activated(phi, self.g[t], error[..., -1, :], u)
        if "i" in weights.gates:
            i = activated(sigma, self.i[t], error[..., 0, :], u)
        else:  # i = 1 - f
            i = f + u * np.abs(self.i[t])
        return np.stack([i, f, g], axis=-2)

    def _of_peepholes(self, which: slice, c: Array, error_c: Array) -> Array:
        """The errors of `p c`, given the error of `c`."""
        error = error_c + 2 * self.u * np.abs(c)
        return np.asarray(np.abs(self.weights.peepholes[which]) * error[..., None, :])

    def _after_norm(self, t: int | slice, which: slice, error: Array) -> Array:
        """The errors after layer normalisation, its scale and the bias that follows it."""
        if self.a is None:
            return error
        scale, bias = self.weights.norm_scale[which], np.abs(self.weights.bias[which])
        y, grown = _of_normalised(self.a[t][..., which, :], error, self.cell.norm_epsilon, self.u)
        return np.abs(scale) * (grown + 2 * self.u * np.abs(y)) + 2 * self.u * bias

    def of_cell_state(self, t: int, gates: Array, last: Array) -> Array:
        """The error of `c'`, given those of the gates and of `c`, `(batch, *space, units)`."""
        u = self.u
        i, f, g, c = (np.abs(each[t]) for each in (self.i, self.f, self.g, self.before["c"]))
        error_i, error_f, error_g = np.moveaxis(gates, -2, 0)
        of_step = c * (error_f + 3 * u * f) + g * (error_i + 3 * u * i) + (i + error_i) * error_g
        error = (f + error_f) * last + of_step
        if self.weights.state_norm is not None:
            # Normalisation may multiply the error of each step, so that a sum would soon be far too
            # large. The errors of earlier steps are independent of the error of this one.
            error = np.hypot((f + error_f) * last, of_step)
            scale, shift = np.abs(self.weights.state_norm)
            made = self.f[t] * self.before["c"][t] + self.i[t] * self.g[t]
            y, grown = _of_normalised(made, error, self.cell.norm_epsilon, u)
            error = scale * (grown + 2 * u * np.abs(y)) + u * shift
        return error if self.cell.cell_clip is None else np.minimum(error, 2 * self.cell.cell_clip)

    def of_hidden_state(self, error_c: Array) -> Array:
        """The errors of `h'` at all steps, given those of `c'`, `(time, batch, *space, output)`."""
        cell, u, output = self.cell, self.u, slice(-1, None)
        error = self.sums[..., output, :]
        if self.weights.peepholes is not None:
            error = error + self._of_peepholes(output, self.c, error_c)
        error = self._after_norm(slice(None), output, error)[..., 0, :]
        error_o = activated(cell.recurrent_activation, self.o, error, u)
        error_c = error_c + u * np.abs(self.c)
        error_shown = activated(cell.state_function, self.shown, error_c, u)
        error = np.abs(self.shown) * error_o + (np.abs(self.o) + error_o) * error_shown
        return error if self.weights.projection is None else self._of_projection(error)

    def _of_projection(self, error: Array) -> Array:
        """The errors of the projected `h'`, given those before the projection."""
        weights, h = self.weights, self.o * self.shown
        squares = np.square(weights.projection)
        bias = 0.0 if weights.projection_bias is None else np.abs(weights.projection_bias)
        own = error_of_sum(
            (h @ weights.projection,), lambda: h**2 @ squares, len(squares), bias, self.u
        )
        # The errors of the units are nearly independent, so that their squares add up.
        return own + 2 * np.sqrt(np.square(error + self.u * np.abs(h)) @ squares)


def _of_normalised(a: Array, error: Array, epsilon: float, u: float) -> tuple[Array, Array]:
    """`a` after `normalised`, and the error of the result, given the error of `a`."""
    y, spread = normalised(a, epsilon)
    units = a.shape[-1]
    # Mean and variance are sums over all units, which round as they are added up.
    own = u * (2 + np.sqrt(units)) * np.sqrt(np.square(a).mean(axis=-1, keepdims=True))
    squares = np.square(error + own)

    def mean(values: Array) -> Array:
        return np.asarray(values.mean(axis=-1, keepdims=True))

    # dy = (da - mean(da) - y mean(y da)) / spread. The first part is the unit's own error, ...
    of_itself = np.square(1 - (1 + np.square(y)) / units) * squares
    # ... and the second part is what the errors of all units do to mean and variance.
    of_all = mean(squares) + 2 * y * mean(y * squares) + np.square(y) * mean(np.square(y) * squares)
    grown = np.sqrt(of_itself + of_all / units) / spread
    grown = grown + u * (4 + np.sqrt(units)) * np.abs(y)
    return y, np.minimum(grown, 2 * np.sqrt(units))
