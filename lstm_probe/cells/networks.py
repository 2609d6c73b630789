"""Several layers with plain arrays: stacks, and pairs that read in both directions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from lstm_probe.cells.base import Cell
from lstm_probe.cells.gru_cell.cell import GruCell
from lstm_probe.cells.lstm_cell.cell import LstmCell
from lstm_probe.cells.simple_rnn_cell.cell import SimpleRnnCell
from lstm_probe.core.arrays import Array
from lstm_probe.core.errors import LstmProbeError
from lstm_probe.core.trace import GateTrace
from lstm_probe.weights.gates import GateWeights

__all__ = ["BothWays", "bidirectional", "stack"]

_CELLS: tuple[Cell[Any], ...] = (LstmCell(), GruCell(), SimpleRnnCell())
_MERGES: dict[str, Callable[[Array, Array], Array]] = {
    "concat": lambda a, b: np.concatenate([a, b], axis=-1),
    "sum": lambda a, b: a + b,
    "mul": lambda a, b: a * b,
    "ave": lambda a, b: (a + b) / 2,
}


class BothWays(NamedTuple):
    """Two cells that read the same sequences, one from either end.

    Attributes:
        forward: the trace of the one that reads forwards.
        backward: that of the other, in the order of the input's time as well.
        output: `(batch, time, ...)`, what both show, merged.
    """

    forward: GateTrace
    backward: GateTrace
    output: Array


def bidirectional(
    x: npt.ArrayLike,
    forward: GateWeights,
    backward: GateWeights,
    *,
    cell: Cell[Any] | None = None,
    merge_mode: str = "concat",
    mask: npt.ArrayLike | None = None,
    dtype: npt.DTypeLike | None = None,
) -> BothWays:
    """Run two cells over a batch of sequences, one forwards and one backwards.

    Args:
        x: `(batch, time, input)`.
        forward: the weights of the cell that reads forwards.
        backward: those of the cell that reads backwards.
        cell: the options of both; by default those of Keras for such weights.
        merge_mode: how their outputs become one: `concat`, `sum`, `mul` or `ave`.
        mask: `(batch, time)`, False where a step is skipped; such steps show zeros, as in Keras.
        dtype: float32 or float64; by default that of the weights.

    Raises:
        LstmProbeError: the shapes do not fit, or the merge mode is not known.

    Source:
        keras/src/layers/rnn/bidirectional.py, `Bidirectional.call`.

    Example:
        >>> from lstm_probe import weights
        >>> rng = np.random.default_rng(0)
        >>> one, other = (
        ...     weights.from_keras(rng.normal(size=(3, 8)), rng.normal(size=(2, 8)))
        ...     for _ in range(2)
        ... )
        >>> bidirectional(rng.normal(size=(1, 5, 3)), one, other).output.shape
        (1, 5, 4)
    """
    if merge_mode not in _MERGES:
        raise LstmProbeError(
            f"Unknown merge mode. Received: {merge_mode!r}. Expected one of "
            f"{', '.join(map(repr, _MERGES))}."
        )
    one, other = (
        (cell or _cell_of(weights)).run(x, weights, mask=mask, dtype=dtype, reverse=reverse)
        for weights, reverse in ((forward, False), (backward, True))
    )
    shown = (each.shown(zero_output_for_mask=True) for each in (one, other))
    return BothWays(one, other, _MERGES[merge_mode](*shown))


def stack(
    x: npt.ArrayLike,
    layers: Sequence[GateWeights | tuple[Cell[Any], GateWeights]],
    *,
    mask: npt.ArrayLike | None = None,
    dtype: npt.DTypeLike | None = None,
) -> list[GateTrace]:
    """Run layers of which each reads what the one below shows.

    Args:
        x: `(batch, time, input)`, what the first layer reads.
        layers: from the bottom to the top: the weights of each, or its cell and its weights.
        mask: `(batch, time)`, False where all of them skip a step.
        dtype: float32 or float64; by default that of the weights.

    Returns:
        A trace for each layer.

    Raises:
        LstmProbeError: a layer does not take what the one below shows.

    Example:
        >>> from lstm_probe import weights
        >>> rng = np.random.default_rng(0)
        >>> first = weights.from_keras(rng.normal(size=(3, 8)), rng.normal(size=(2, 8)))
        >>> second = weights.from_keras(rng.normal(size=(2, 12)), rng.normal(size=(4, 12)))
        >>> [trace.cell for trace in stack(rng.normal(size=(1, 5, 3)), [first, second])]
        ['lstm', 'gru']
    """
    traces: list[GateTrace] = []
    for layer in layers:
        cell, weights = layer if isinstance(layer, tuple) else (_cell_of(layer), layer)
        traces.append(cell.run(x, weights, mask=mask, dtype=dtype))
        x = traces[-1].shown()
    return traces


def _cell_of(weights: GateWeights) -> Cell[Any]:
    """The cell with the options that Keras's layer has by default."""
    for cell in _CELLS:
        if isinstance(weights, cell.weights_type):
            return cell
    raise LstmProbeError(
        f"These weights do not tell their cell. Received: {type(weights).__name__}. Expected: a "
        "pair of a cell and its weights."
    )
