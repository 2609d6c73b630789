"""`Snapshot`: what one layer held and computed in the framework at one training step."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from lstm_probe.cells import Cell
from lstm_probe.core.arrays import Array, BoolArray, as_floats, dtype_name
from lstm_probe.core.errors import LstmProbeError
from lstm_probe.core.masks import as_mask
from lstm_probe.weights import CellWeights, GateWeights, NamedWeights

__all__ = ["Snapshot"]


@dataclass(frozen=True, eq=False)
class Snapshot:
    """One recurrent layer at one training step: the contract between frameworks and the core.

    Whatever reads a framework makes snapshots, and all mathematics begins with one. The float
    arrays are float32 or float64. Lists, tensors and other numbers become such arrays; a mask may
    be of ones and zeros, and a dtype may be written as NumPy, TensorFlow or PyTorch write it.

    Attributes:
        step: the training step of the weights.
        layer: the layer's name in logs.
        cell: the cell with its options; None for a cell whose recurrence is not known.
        weights: the weights with which the layer computes.
        x: `(batch, time, input)`, what the layer itself read when the model ran on the probe, in
            the order of the input's time.
        output: `(batch, time, units)`, the framework's own hidden states, in the order of the
            input's time.
        final_output: `(batch, units)`, the layer's own output if it returns only its last step.
        mask: `(batch, time)`, bool, False where a step is skipped; None if no step is.
        initial_state: one array `(batch, units)` for each state of the cell; None for zeros.
        reverse: whether the layer reads from the last timestep to the first.
        zero_output_for_mask: whether masked steps output zeros instead of the last valid output.
        initial_output_for_mask: whether masked steps before the first valid one output the initial
            state instead of zeros.
        dtype: the name of the dtype in which the layer computes: `float64`, `float32`, `float16`
            or `bfloat16`.
        epoch: how many epochs the training has done, such as 2.5; None if it does not count epochs.
        guessed: sentences that say what of this was guessed, such as the direction from the layer's
            name; empty for what a framework computed.
        precision: the narrower precision in which the framework was told to compute, such as
            `bfloat16` by autocast or `int8` by quantisation; None if it was told none.

    Raises:
        LstmProbeError: the shapes do not fit each other, or a field is of another kind.

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
    guessed: tuple[str, ...] = ()
    precision: str | None = None

    def __post_init__(self) -> None:
        self._check_kinds()
        self._convert()
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
        batch, time = self.x.shape[:2]
        self._check_shape("mask", self.mask, (batch, time))
        self._check_shape("final_output", self.final_output, (batch, width))

    def _check_kinds(self) -> None:
        """Refuse what is no cell, or no weights of one."""
        for name, value, kinds, expected in (
            (
                "cell",
                self.cell,
                (Cell, type(None)),
                "a cell such as lstm_probe.LstmCell(), or None",
            ),
            ("weights", self.weights, (GateWeights, NamedWeights), "what lstm_probe.weights makes"),
            (
                "initial_state",
                self.initial_state,
                (Iterable, type(None)),
                "an array for each state",
            ),
        ):
            if not isinstance(value, kinds):
                raise LstmProbeError(
                    f"The snapshot of layer {self.layer!r} has something else as its {name}. "
                    f"Received: {name}={value!r:.60}. Expected: {expected}."
                )

    def _convert(self) -> None:
        """Take arrays, masks and dtypes as people write them."""
        of_layer = f"of layer {self.layer!r}"
        changes: dict[str, Any] = {"dtype": dtype_name(self.dtype)}
        for name, shape in (("x", "(batch, time, input)"), ("output", "(batch, time, units)")):
            changes[name] = as_floats(getattr(self, name), f"{name} {of_layer}", shape)
        if self.final_output is not None:
            what = f"final_output {of_layer}"
            changes["final_output"] = as_floats(self.final_output, what, "(batch, units)")
        if self.mask is not None:
            changes["mask"] = as_mask(self.mask)
        if self.initial_state is not None:
            changes["initial_state"] = tuple(
                as_floats(state, f"An initial state {of_layer}", "(batch, units)")
                for state in self.initial_state
            )
        for name, value in changes.items():
            object.__setattr__(self, name, value)

    def _check_shape(self, name: str, array: Array | None, expected: tuple[int, ...]) -> None:
        if array is not None and array.shape != expected:
            raise LstmProbeError(
                f"The {name} of layer {self.layer!r} does not fit the snapshot. Received: shape "
                f"{array.shape}. Expected: {expected}."
            )

    @property
    def timesteps(self) -> int:
        """The number of timesteps that the layer read."""
        return int(self.x.shape[1])

    @property
    def cell_name(self) -> str:
        """The name of the cell in logs and pictures."""
        return "not recomputed" if self.cell is None else self.cell.name

    @property
    def last(self) -> int:
        """The index, in the input's time, of the step that the layer computes last."""
        return 0 if self.reverse else self.timesteps - 1
