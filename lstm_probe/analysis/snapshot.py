"""`Snapshot`: what was seen in the framework at one training step, for one layer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from lstm_probe.cells import Cell
from lstm_probe.core.arrays import Array, BoolArray
from lstm_probe.core.errors import LstmProbeError
from lstm_probe.weights import CellWeights

__all__ = ["Snapshot"]


@dataclass(frozen=True, eq=False)
class Snapshot:
    """One recurrent layer at one training step: the contract between frameworks and the core.

    Attributes:
        step: the training step of the weights.
        layer: the layer's name in logs.
        cell: the cell's options; None for a cell whose recurrence nobody has told us.
        weights: the weights, as the layer computes with them.
        x: `(batch, time, input)`, what the layer itself read for the probe, in the order of the
            input's time.
        output: `(batch, time, units)`, the framework's own hidden sequence, in the order of the
            input's time.
        final_output: `(batch, units)`, the layer's own output if it returns only its last step.
        mask: `(batch, time)`, False where a step is skipped; None if all count.
        initial_state: one `(batch, units)` for each state of the cell; None for zeros.
        reverse: the layer reads from the last timestep to the first.
        zero_output_for_mask: masked steps give zero instead of repeating the last output.
        initial_output_for_mask: masked steps before the first valid one give the initial state
            instead of zero.
        dtype: the name of the dtype in which the layer computes.
        epoch: how many epochs the training has done, parts included; None if it has none.

    Raises:
        LstmProbeError: the arrays do not fit each other.

    Example:
        >>> import numpy as np
        >>> from lstm_probe import LstmCell, weights
        >>> cell = weights.from_keras(np.zeros((3, 8)), np.zeros((2, 8)))
        >>> x, h = np.zeros((1, 5, 3)), np.zeros((1, 5, 2))
        >>> Snapshot(step=0, layer="lstm", cell=LstmCell(), weights=cell, x=x, output=h).dtype
        'float32'
    """

    step: int
    layer: str
    cell: Cell[Any] | None
    weights: CellWeights
    x: Array
    output: Array
    final_output: Array | None = None
    mask: BoolArray | None = None
    initial_state: tuple[Array, ...] | None = None
    reverse: bool = False
    zero_output_for_mask: bool = False
    initial_output_for_mask: bool = False
    dtype: str = "float32"
    epoch: float | None = None

    def __post_init__(self) -> None:
        features, width = self.weights.input_size, self.weights.output_size
        if self.cell is not None:
            features = self.cell.input_size(self.weights)
            width = self.cell.output_size(self.weights)
        if self.x.ndim != 3 or self.output.shape != (*self.x.shape[:2], width):
            raise LstmProbeError(
                f"The snapshot of layer {self.layer!r} does not fit together. Received: input "
                f"{self.x.shape}, output {self.output.shape}. Expected: input (batch, time, "
                f"{features}), output (batch, time, {width})."
            )

    @property
    def timesteps(self) -> int:
        """The length of the probe's sequences as the layer sees them."""
        return int(self.x.shape[1])

    @property
    def cell_name(self) -> str:
        """The cell's name."""
        return "not recomputed" if self.cell is None else self.cell.name

    @property
    def last(self) -> int:
        """The index, in the input's time, of the step that the layer computes last."""
        return 0 if self.reverse else self.timesteps - 1
