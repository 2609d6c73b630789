"""A cell at its place in a graph: the tensors that are fetched for it, and what they become."""

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
    """One sequence in a graph, in any of the forms that TF1's functions take and give.

    Attributes:
        tensors: one tensor `(batch, time, width)`, or a list of `(batch, width)` for each step.
        time_major: the one tensor is `(time, batch, width)`.
        start: the first column that counts.
        stop: the column after the last one, or None.
    """

    tensors: Any
    time_major: bool = False
    start: int = 0
    stop: int | None = None

    def arrange(self, fetched: Any) -> Array:
        """What was fetched of `tensors`, as `(batch, time, width)`."""
        if isinstance(fetched, list):
            array = np.stack(fetched, axis=1)
        else:
            array = fetched.swapaxes(0, 1) if self.time_major else fetched
        return _computable(array[..., self.start : self.stop])


@dataclass(frozen=True)
class Site:
    """A cell at its place: what to fetch for a snapshot.

    Attributes:
        described: the cell.
        x: the sequence that the cell reads.
        output: the sequence that it gives.
        final_output: `(batch, units)`, its last output alone, if that is all the user has.
        initial_state: one tensor for each state, `h` first; empty for zeros.
        sequence_length: `(batch,)`, or None.
        mask: `(batch, time)`, or None.
        reverse: it reads from the end.
        zero_output_for_mask: steps beyond the end give zero, as TF1's functions do.
        dtype: in which it computes.
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

    def fetches(self) -> dict[str, Any]:
        """What `session.run` takes; what is not there is an empty list."""
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
        """What was fetched, for the core.

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
        """Whether the user has the cell's last output only."""
        return self.final_output is not None

    def _mask(self, fetched: dict[str, Any], time: int) -> BoolArray | None:
        if fetched["mask"]:
            return np.asarray(fetched["mask"][0], dtype=bool)
        if fetched["sequence_length"]:
            return np.arange(time) < np.asarray(fetched["sequence_length"][0])[:, None]
        return None


def _computable(array: Any) -> Array:
    """Half precisions become float32, without loss."""
    array = np.asarray(array)
    return array if array.dtype in (np.float32, np.float64) else array.astype(np.float32)
