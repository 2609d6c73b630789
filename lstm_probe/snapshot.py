"""`Snapshot`: what was seen in the framework at one training step, for one layer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from lstm_probe.arrays import Array, BoolArray
from lstm_probe.cells import Cell
from lstm_probe.errors import LstmProbeError
from lstm_probe.weights import GateWeights

__all__ = ["Snapshot"]


@dataclass(frozen=True, eq=False)
class Snapshot:
    """One recurrent layer at one training step: the contract between frameworks and the core.

    Attributes:
        step: the training step of the weights.
        layer: the layer's name in logs.
        cell: the cell's options.
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
        dtype: the name of the dtype in which the layer computes.

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
    cell: Cell[Any]
    weights: GateWeights
    x: Array
    output: Array
    final_output: Array | None = None
    mask: BoolArray | None = None
    initial_state: tuple[Array, ...] | None = None
    reverse: bool = False
    zero_output_for_mask: bool = False
    dtype: str = "float32"

    def __post_init__(self) -> None:
        expected = (*self.x.shape[:2], self.weights.output_size)
        if self.x.ndim != 3 or self.output.shape != expected:
            raise LstmProbeError(
                f"The snapshot of layer {self.layer!r} does not fit together. Received: input "
                f"{self.x.shape}, output {self.output.shape}. Expected: input (batch, time, "
                f"{self.weights.input_size}), output (batch, time, {self.weights.output_size})."
            )

    @property
    def timesteps(self) -> int:
        """The length of the probe's sequences as the layer sees them."""
        return int(self.x.shape[1])

    @property
    def last(self) -> int:
        """The index, in the input's time, of the step that the layer computes last."""
        return 0 if self.reverse else self.timesteps - 1
