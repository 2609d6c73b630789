"""The equations of the LSTM, backwards."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from lstm_probe.cells.backward import Back, Run, StepBack
from lstm_probe.cells.lstm.equations import LstmEquations, normalised
from lstm_probe.cells.shared.slopes import slopes
from lstm_probe.core.activations import applied
from lstm_probe.core.arrays import Array
from lstm_probe.core.derivatives import derivative_of_argument

__all__ = ["lstm_back"]


def lstm_back(cell: LstmEquations[Any], run: Run) -> Back:
    """The derivatives of each equation, in the reverse of their order:

        h' = o phi(c')              do = phi(c') dh', dc' += o phi'(c') dh'
        o = sigma(a_o + p_o c')     da_o = sigma' do, dc' += p_o da_o
        c' = f c + i g              df = c dc', di = g dc', dg = i dc', dc = f dc'
        i, f, g                     da = sigma' di, sigma' df, phi' dg; dc += p_i da_i + p_f da_f
        a = x W + h U               dh = da U^T

    What does not depend on the gradient is worked out beforehand, in float64, of which a saturated
    gate needs all: `1 - g * g` is small.

    Args:
        cell: the cell of the run.
        run: the steps, as they were computed.
    """
    weights: Any = run.weights
    i, f, g, o, c = (cell._inside(run.arrays[letter], weights) for letter in "ifgoc")
    before = cell._inside(run.before("c"), weights)
    given = _Given(cell, run, before, c)
    phi, sigma, dtype = cell.activation, cell.recurrent_activation, weights.dtype
    coupled, peepholes = "i" not in weights.gates, weights.peepholes
    normalises, gates, units = weights.norm_scale is not None, len(weights.gates), weights.units
    shown = applied(phi, c)
    bend = derivative_of_argument(phi)(c)
    kept_back = _kept_back(cell, weights, f * before + i * g, dtype)
    shown_back = _shown_back(cell, weights, o * shown)

    def factors(*pairs: tuple[Array, Array]) -> Array:
        return np.stack([value * slope for value, slope in pairs], axis=-2).astype(dtype)

    slope_f = slopes(sigma, f, given.gate(-3))
    early = [(before, slope_f), (i, slopes(phi, g, given.gate(-2)))]
    if not coupled:
        early.insert(0, (g, slopes(sigma, i, given.gate(0))))
    else:  # i = 1 - f
        early[0] = (before - g, slope_f)
    to_early = factors(*early)
    to_output = (shown * slopes(sigma, o, given.gate(-1))).astype(dtype)
    to_cell, keeps = (o * bend).astype(dtype), f.astype(dtype)

    def back(t: int, change: Mapping[str, Array]) -> StepBack:
        dh = shown_back(t, change["h"])
        da = np.empty((*dh.shape[:-1], gates, units), dtype)
        np.multiply(dh, to_output[t], out=da[..., -1, :])
        if normalises:
            da[..., -1:, :] = given.normalised_back(t, da[..., -1:, :], -1)
        dc = change["c"] + dh * to_cell[t]
        if peepholes is not None:
            dc = dc + da[..., -1, :] * peepholes[-1]
        states = {"h": change["h"], "c": dc}
        dc = kept_back(t, dc)
        np.multiply(dc[..., None, :], to_early[t], out=da[..., :-1, :])
        if normalises:
            da[..., :-1, :] = given.normalised_back(t, da[..., :-1, :], 0)
        dc = dc * keeps[t]
        if peepholes is not None:
            dc = dc + (da[..., :-2, :] * peepholes[:-1]).sum(axis=-2)
        return StepBack(da, {"h": cell.recurrent_back(da, weights), "c": dc}, states)

    return back


class _Given:
    """What the gates' activations were given, worked out only if somebody asks."""

    def __init__(self, cell: LstmEquations[Any], run: Run, before: Array, c: Array) -> None:
        self._cell, self._run, self._weights = cell, run, run.weights
        self._before, self._c = before, c
        self._normalised: tuple[Array, Array] | None = None
        if self._weights.norm_scale is not None:
            self._normalised = normalised(self._sums(), cell.norm_epsilon)
        self._arguments: Array | None = None

    def _sums(self) -> Array:
        """`x W + h U + p c`, `(time, batch, *space, gates, units)`."""
        cell, run, weights = self._cell, self._run, self._weights
        h = cell._inside(run.before("h"), weights)
        a = cell.inputs(run.x, weights) + cell.recurrent(h, weights)
        if weights.peepholes is not None:
            a[..., :-2, :] += weights.peepholes[:-1] * self._before[..., None, :]
            a[..., -1, :] += weights.peepholes[-1] * self._c
        return a

    def gate(self, index: int) -> Callable[[], Array]:
        """What a gate's activation was given, `(time, batch, *space, units)`."""

        def argument() -> Array:
            if self._arguments is None:
                if self._normalised is None:
                    self._arguments = self._sums()
                else:
                    scaled = self._weights.norm_scale * self._normalised[0]
                    self._arguments = scaled + self._weights.bias
            return self._arguments[..., index, :]

        return argument

    def normalised_back(self, t: int, change: Array, first: int) -> Array:
        """Back through the layer normalisation of some gates: from the first on, but the last; or
        of the last one alone."""
        assert self._normalised is not None
        which = slice(first, None if first else -1)
        y, spread = (array[t][..., which, :] for array in self._normalised)
        return _normalised_back(y, spread, change * self._weights.norm_scale[which])


def _normalised_back(y: Array, spread: Array, change: Array) -> Array:
    """From the gradient by `normalised(a)` to that by `a`."""
    along = y * (change * y).mean(axis=-1, keepdims=True)
    return (change - change.mean(axis=-1, keepdims=True) - along) / spread


def _kept_back(
    cell: LstmEquations[Any], weights: Any, c: Array, dtype: np.dtype[Any]
) -> Callable[[int, Array], Array]:
    """Back through what becomes of `c = f c + i g` before anything reads it."""
    norm = None
    if weights.state_norm is not None:
        scale, shift = weights.state_norm
        norm = normalised(c, cell.norm_epsilon)
        c = scale * norm[0] + shift
    inside = None if cell.cell_clip is None else np.abs(c) <= cell.cell_clip

    def back(t: int, change: Array) -> Array:
        if inside is not None:
            change = change * inside[t]
        if norm is not None:
            change = _normalised_back(norm[0][t], norm[1][t], change * weights.state_norm[0])
        return change

    return back


def _shown_back(cell: LstmEquations[Any], weights: Any, h: Array) -> Callable[[int, Array], Array]:
    """Back through what becomes of `o phi(c')` before it is the hidden state."""
    inside = None
    if weights.projection is not None and cell.proj_clip is not None:
        inside = np.abs(cell.projected(h, weights)) <= cell.proj_clip

    def back(t: int, change: Array) -> Array:
        if inside is not None:
            change = change * inside[t]
        return change if weights.projection is None else change @ weights.projection.T

    return back
