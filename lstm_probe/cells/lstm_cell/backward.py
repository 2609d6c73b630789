"""The derivatives of the LSTM's equations."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

import numpy as np

from lstm_probe.cells.backward import Back, Run, StepBack
from lstm_probe.cells.lstm_cell.equations import LstmEquations, normalised
from lstm_probe.cells.shared.slopes import slopes
from lstm_probe.core.activations import ActivationLike
from lstm_probe.core.arrays import Array
from lstm_probe.core.derivatives import derivative_of_argument

__all__ = ["lstm_back"]


def lstm_back(cell: LstmEquations[Any], run: Run) -> Back:
    """Prepare the way back through the steps of an LSTM.

    These are the derivatives of its equations, the last equation first:

        h' = o psi(c')              do = psi(c') dh', dc' += o psi'(c') dh'
        o = sigma(a_o + p_o c')     da_o = sigma' do, dc' += p_o da_o
        c' = f c + i g              df = c dc', di = g dc', dg = i dc', dc = f dc'
        i, f, g                     da = sigma' di, sigma' df, phi' dg; dc += p_i da_i + p_f da_f
        a = x W + h U               dh = da U^T

    What a clip cuts off has no derivative.

    Everything that does not depend on the gradients is computed beforehand in float64, because
    `1 - g * g` of a saturated gate is small and needs all its digits.

    Args:
        cell: The cell that computed the run.
        run: The steps as they were computed.

    Returns:
        A function that takes gradients back through one of the steps.
    """
    weights, phi, sigma = run.weights, cell.activation, cell.recurrent_activation
    gates, dtype, peepholes = len(weights.gates), weights.dtype, weights.peepholes
    i, f, g, o, c = (cell.unflattened(run.arrays[letter], weights) for letter in "ifgoc")
    before = {k: cell.unflattened(run.before(k), weights) for k in cell.states}
    shown = cell.shown(c)

    @cache
    def sums() -> Array:
        return cell.sums(run.x, before, c, weights)

    norm = None if weights.norm_scale is None else normalised(sums(), cell.norm_epsilon)

    @cache
    def arguments() -> Array:
        return sums() if norm is None else weights.norm_scale * norm[0] + weights.bias

    def slope(activation: ActivationLike, values: Array, gate: int) -> Array:
        found = slopes(activation, values, lambda: cell.clipped_sums(arguments()[..., gate, :]))
        if cell.gate_clip is None:
            return found
        return found * (np.abs(arguments()[..., gate, :]) <= cell.gate_clip)

    slope_f, slope_g, slope_o = slope(sigma, f, -3), slope(phi, g, -2), slope(sigma, o, -1)
    if "i" in weights.gates:
        early = [g * slope(sigma, i, 0), before["c"] * slope_f, i * slope_g]
    else:  # i = 1 - f
        early = [(before["c"] - g) * slope_f, i * slope_g]
    to_early = np.stack(early, axis=-2).astype(dtype)
    to_output = (shown * slope_o).astype(dtype)
    to_cell, keeps = (o * _slope_of_state(cell, c)).astype(dtype), f.astype(dtype)
    through_cell = _normalised_and_clipped_back(cell, weights, f * before["c"] + i * g)
    through_output = _projected_and_clipped_back(cell, weights, o * shown)

    def through_norm(t: int, change: Array, which: slice) -> Array:
        if norm is None:
            return change
        y, spread = (array[t][..., which, :] for array in norm)
        return _normalised_back(y, spread, change * weights.norm_scale[which])

    def back(t: int, change: Mapping[str, Array]) -> StepBack:
        dh = through_output(t, change["h"])
        da = np.empty((*dh.shape[:-1], gates, weights.units), dtype)
        last, others = slice(-1, None), slice(0, -1)
        da[..., last, :] = through_norm(t, (dh * to_output[t])[..., None, :], last)
        dc = change["c"] + dh * to_cell[t]
        if peepholes is not None:
            dc = dc + da[..., -1, :] * peepholes[-1]
        states = {"h": change["h"], "c": dc}
        dc = through_cell(t, dc)
        da[..., others, :] = through_norm(t, dc[..., None, :] * to_early[t], others)
        dc = dc * keeps[t]
        if peepholes is not None:
            dc = dc + (da[..., :-2, :] * peepholes[:-1]).sum(axis=-2)
        dh = cell.states_back(da, weights.recurrent_kernel)
        return StepBack(da, {"h": dh, "c": dc}, states)

    return back


def _slope_of_state(cell: LstmEquations[Any], c: Array) -> Array:
    """The derivative of `psi(c')`."""
    slope = derivative_of_argument(cell.state_function)(cell.clipped_state(c))
    return slope if cell.state_clip is None else slope * (np.abs(c) <= cell.state_clip)


def _normalised_back(y: Array, spread: Array, change: Array) -> Array:
    """Take gradients back through `normalised`, which returned `y` and `spread`."""
    along = y * (change * y).mean(axis=-1, keepdims=True)
    return (change - change.mean(axis=-1, keepdims=True) - along) / spread


def _normalised_and_clipped_back(
    cell: LstmEquations[Any], weights: Any, c: Array
) -> Callable[[int, Array], Array]:
    """Prepare the way back from the cell state to `c = f c + i g`."""
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


def _projected_and_clipped_back(
    cell: LstmEquations[Any], weights: Any, h: Array
) -> Callable[[int, Array], Array]:
    """Prepare the way back from the hidden state to `h = o psi(c')`."""
    inside = None
    if weights.projection is not None and cell.proj_clip is not None:
        inside = np.abs(cell.projected(h, weights)) <= cell.proj_clip

    def back(t: int, change: Array) -> Array:
        if inside is not None:
            change = change * inside[t]
        return change if weights.projection is None else change @ weights.projection.T

    return back
