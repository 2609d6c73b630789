"""A cell at its place in a graph: the tensors to fetch, and the snapshot that they become."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from lstm_probe.analysis.snapshot import Snapshot
from lstm_probe.core.arrays import Array, BoolArray
from lstm_probe.core.errors import LstmProbeError
from lstm_probe.models.session.cells import DescribedCell

__all__ = ["Series", "Site"]


@dataclass(frozen=True)
class Series:
    """One sequence in a graph, in any of the forms that TF1's functions take and return.

    Attributes:
        tensors: one tensor `(batch, time, width)`, or a list with one `(batch, width)` for each
            step.
        time_major: whether the one tensor is `(time, batch, width)`.
        start: the first column of the width that belongs to the sequence.
        stop: the column after the last one; None for the end of the width.
    """

    tensors: Any
    time_major: bool = False
    start: int = 0
    stop: int | None = None

    def arrange(self, fetched: Any) -> Array:
        """The fetched values of `tensors` as one array.

        Args:
            fetched: one array, or a list with one for each step.

        Returns:
            `(batch, time, width)`, float32 or float64.
        """
        if isinstance(fetched, list):
            array = np.stack(fetched, axis=1)
        else:
            array = fetched.swapaxes(0, 1) if self.time_major else fetched
        return _computable(array[..., self.start : self.stop])


@dataclass(frozen=True)
class Site:
    """A cell at its place in a graph: the tensors that make a snapshot.

    Attributes:
        described: the cell.
        x: the sequence that the cell reads.
        output: the sequence that the cell returns.
        dtype: the name of the dtype in which the cell computes.
        final_output: `(batch, units)`, the last output, if the user has no other; else None.
        initial_state: one tensor for each state, `h` first; empty for zeros.
        sequence_length: `(batch,)`, the number of steps of each sequence; None if all are read.
        mask: `(batch, time)`, False where a step is skipped; None if no step is.
        reverse: whether the cell reads from the end.
        zero_output_for_mask: whether skipped steps output zeros, as in TF1's functions.
        silenced: the wrapper whose dropout, of a fixed probability, is off for the probe; empty if
            there is none.
    """

    described: DescribedCell
    x: Series
    output: Series
    dtype: str
    final_output: Any = None
    initial_state: Sequence[Any] = field(default=())
    sequence_length: Any = None
    mask: Any = None
    reverse: bool = False
    zero_output_for_mask: bool = True
    silenced: str = ""

    def fetches(self) -> dict[str, Any]:
        """What `session.run` fetches; an empty list stands for what the site does not have."""
        optional = {
            "final_output": self.final_output,
            "sequence_length": self.sequence_length,
            "mask": self.mask,
        }
        return {
            "weights": list(self.described.weights),
            "x": self.x.tensors,
            "output": self.output.tensors,
            "initial_state": list(self.initial_state),
            **{key: [] if value is None else [value] for key, value in optional.items()},
        }

    def snapshot(self, fetched: dict[str, Any], *, step: int, name: str) -> Snapshot:
        """Make a snapshot of the fetched values.

        Args:
            fetched: the values of `fetches`.
            step: the training step.
            name: the name of the layer in logs.

        Raises:
            LstmProbeError: the arrays do not fit each other.
        """
        x, output = self.x.arrange(fetched["x"]), self.output.arrange(fetched["output"])
        if x.shape[:2] != output.shape[:2]:
            raise LstmProbeError(
                f"The inputs and outputs of {name!r} do not belong together. Received: inputs of "
                f"{x.shape[:2]} and outputs of {output.shape[:2]} (batch, time). Expected: the "
                "tensors that the cell read and gave. Is time_major right?"
            )
        state = tuple(map(_computable, fetched["initial_state"])) or None
        return Snapshot(
            step=step,
            layer=name,
            cell=self.described.cell,
            weights=self.described.cut(*map(_computable, fetched["weights"])),
            x=x,
            output=output,
            final_output=_computable(fetched["final_output"][0]) if self.has_final else None,
            mask=self._mask(fetched, x.shape[1]),
            initial_state=state,
            reverse=self.reverse,
            zero_output_for_mask=self.zero_output_for_mask,
            dtype=self.dtype,
        )

    @property
    def has_final(self) -> bool:
        """Whether the user has nothing but the last output of the cell."""
        return self.final_output is not None

    def _mask(self, fetched: dict[str, Any], time: int) -> BoolArray | None:
        if fetched["mask"]:
            return np.asarray(fetched["mask"][0], dtype=bool)
        if fetched["sequence_length"]:
            return np.arange(time) < np.asarray(fetched["sequence_length"][0])[:, None]
        return None


def _computable(array: Any) -> Array:
    """The values as float32 or float64; half precisions become float32 without loss."""
    array = np.asarray(array)
    return array if array.dtype in (np.float32, np.float64) else array.astype(np.float32)
