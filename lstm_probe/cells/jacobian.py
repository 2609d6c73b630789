"""The Jacobian of each step of a cell: how the whole state after depends on the whole state before.

The whole state is what a step hands to the next one: `h`, and for an LSTM `(h, c)`. Its parts are
joined in the order of `Cell.states`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from lstm_probe.cells.backward import Back, Run
from lstm_probe.cells.base import Cell, Values
from lstm_probe.core.arrays import Array
from lstm_probe.core.errors import LstmProbeError

__all__ = ["joined", "one_step", "parted", "state_jacobians"]

#: The local derivatives of this many steps are prepared at once. More would need more memory.
_STRETCH = 64


def joined(states: Values, cell: Cell[Any]) -> Array:
    """The parts of the state as one array.

    Args:
        states: By letter, `(..., size)`.
        cell: The cell, which tells the order.

    Returns:
        `(..., whole)`, where `whole` is the sum of the sizes.

    Example:
        >>> from lstm_probe import LstmCell
        >>> joined({"c": np.zeros(2), "h": np.ones(2)}, LstmCell()).tolist()
        [1.0, 1.0, 0.0, 0.0]
    """
    return np.concatenate([states[letter] for letter in cell.states], axis=-1)


def parted(whole: Array, like: Values, cell: Cell[Any]) -> dict[str, Array]:
    """The inverse of `joined`.

    Args:
        whole: `(..., whole)`.
        like: States by letter, which tell the sizes.
        cell: The cell, which tells the order.

    Example:
        >>> from lstm_probe import LstmCell
        >>> like = {"h": np.zeros(1), "c": np.zeros(2)}
        >>> parted(np.array([1.0, 2.0, 3.0]), like, LstmCell())["c"].tolist()
        [2.0, 3.0]
    """
    ends = np.cumsum([like[letter].shape[-1] for letter in cell.states])[:-1]
    return dict(zip(cell.states, np.split(whole, ends, axis=-1), strict=True))


def one_step(
    cell: Cell[Any], weights: Any, x: Array, before: Values, *, jacobian: bool = True
) -> tuple[dict[str, Array], Array | None]:
    """Compute one step from many states, with its Jacobian at each of them.

    Args:
        cell: The cell.
        weights: The weights, in float64, as `Cell.prepared` returns them.
        x: The input of each step, `(batch, input)`.
        before: The states before, by letter, `(batch, size)`.
        jacobian: Whether to compute the Jacobian.

    Returns:
        The states after, by letter, `(batch, size)`, and the Jacobian, `(batch, whole, whole)`. The
        Jacobian is None if it was not asked for.

    Raises:
        LstmProbeError: The Jacobian is asked for and the derivatives of the cell are not known.

    Example:
        >>> from lstm_probe import SimpleRnnCell, weights
        >>> cell, kernel = SimpleRnnCell("linear"), np.array([[0.5, 0.0], [1.0, 0.25]])
        >>> own = cell.prepared(weights.from_keras(np.zeros((1, 2)), kernel), np.float64)
        >>> after, jacobian = one_step(cell, own, np.zeros((1, 1)), {"h": np.ones((1, 2))})
        >>> after["h"].tolist(), jacobian[0].tolist()
        ([[1.5, 0.25]], [[0.5, 1.0], [0.0, 0.25]])
    """
    shaped = {letter: cell.unflattened(before[letter], weights)[None] for letter in cell.states}
    values = cell.step(cell.inputs(x[None], weights), shaped, weights)
    arrays = {letter: cell.flattened(array) for letter, array in values.items()}
    after = {letter: arrays[letter][0] for letter in cell.states}
    if not jacobian:
        return after, None
    run = Run(weights, x[None], arrays, before, None)
    return after, next(state_jacobians(cell, run))


def state_jacobians(cell: Cell[Any], run: Run) -> Iterator[Array]:
    """The Jacobian of each step of a sequence, through the cell's own exact way back.

        J_t[i, j] = d s_t[i] / d s_{t-1}[j],    s = (h, c) for an LSTM, h for others

    A step that the mask leaves out hands its state on: its Jacobian is the identity.

    Args:
        cell: The cell that computed the sequence.
        run: The sequence, with weights in float64.

    Yields:
        `(batch, whole, whole)` of float64, in the order of reading.

    Raises:
        LstmProbeError: The derivatives of the cell are not known.

    Source:
        Vogt et al. 2022, "On Lyapunov exponents for RNNs", section 3, who write these derivatives
        down for each cell; here they are taken from `Cell.back`.

    Example:
        >>> from lstm_probe import SimpleRnnCell, weights
        >>> cell, kernel = SimpleRnnCell("linear"), np.array([[0.5, 0.0], [1.0, 0.25]])
        >>> own = cell.prepared(weights.from_keras(np.zeros((1, 2)), kernel), np.float64)
        >>> zeros = np.zeros((1, 1, 2))
        >>> run = Run(own, np.zeros((1, 1, 1)), {"h": zeros}, {"h": zeros[0]}, None)
        >>> [each[0].tolist() for each in state_jacobians(cell, run)]
        [[[0.5, 1.0], [0.0, 0.25]]]
    """
    batch = run.x.shape[1]
    seeds = _identity(cell, run, batch)
    eye = np.eye(sum(run.initial[letter].shape[-1] for letter in cell.states))
    for start in range(0, len(run.x), _STRETCH):
        part = run.stretch(start, start + _STRETCH)
        with np.errstate(all="ignore"):
            back = _known(cell, part)
        for t in range(len(part.x)):
            with np.errstate(all="ignore"):  # infinity and NaN are values, as in a framework
                found = back(t, seeds).before
            before = {letter: cell.flattened(each) for letter, each in found.items()}
            jacobian = joined(before, cell).swapaxes(0, 1)  # (batch, whole, whole)
            if part.mask is not None:
                jacobian = np.where(part.mask[t][:, None, None], jacobian, eye)
            yield jacobian


def _identity(cell: Cell[Any], run: Run, batch: int) -> Mapping[str, Array]:
    """One target for each part of the state after: by letter, `(whole, batch, ..., units)`."""
    sizes = {letter: run.initial[letter].shape[-1] for letter in cell.states}
    whole = sum(sizes.values())
    rows = parted(np.eye(whole), {k: np.empty(size) for k, size in sizes.items()}, cell)
    return {
        letter: cell.unflattened(np.repeat(each[:, None], batch, axis=1), run.weights)
        for letter, each in rows.items()
    }


def _known(cell: Cell[Any], run: Run) -> Back:
    back = cell.back(run)
    if back is None:
        raise LstmProbeError(
            f"There is no Jacobian of this cell. Received: {cell!r}. Expected: a cell whose `back` "
            "gives the derivatives of its equations."
        )
    return back
