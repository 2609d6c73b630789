"""Networks of several cells on plain arrays: stacks, and pairs that read in both directions."""

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
    """The traces of two cells that read the same sequences, one from each end.

    Attributes:
        forward: The trace of the cell that reads forwards.
        backward: The trace of the cell that reads backwards, in the order of the input.
        output: The merged output of both, `(batch, time, units)`, or `(batch, time, 2 * units)` if
            they are concatenated.
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
        x: The input, `(batch, time, input)`.
        forward: The weights of the cell that reads forwards.
        backward: The weights of the cell that reads backwards.
        cell: The options of both cells. The default is the Keras layer that has such weights.
        merge_mode: How the two outputs become one: `concat`, `sum`, `mul` or `ave`, which is the
            mean.
        mask: `(batch, time)`. Where it is False the step is skipped and its output is zero, as in
            Keras.
        dtype: float32 or float64. The default is that of the weights, but at least float32.

    Returns:
        Both traces and the merged output.

    Raises:
        LstmProbeError: The shapes do not fit, the merge mode is not known, or there is no cell for
            the weights.

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
    """Run layers, each of which reads the output of the layer below.

    Args:
        x: The input of the first layer, `(batch, time, input)`.
        layers: The layers from the bottom to the top. Each is its weights, or a pair of a cell and
            its weights. The default cell is the Keras layer that has such weights.
        mask: `(batch, time)`. Where it is False every layer skips the step.
        dtype: float32 or float64. The default is that of the weights, but at least float32.

    Returns:
        A trace for each layer, from the bottom to the top.

    Raises:
        LstmProbeError: The output of a layer does not fit the layer above, or there is no cell for
            the weights.

    Source:
        keras/src/layers/rnn/stacked_rnn_cells.py, `StackedRNNCells.call`.

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
    """The cell for some weights, with the options that Keras's layer has by default."""
    for cell in _CELLS:
        if isinstance(weights, cell.weights_type):
            return cell
    raise LstmProbeError(
        f"These weights do not tell their cell. Received: {type(weights).__name__}. Expected: a "
        "pair of a cell and its weights."
    )
