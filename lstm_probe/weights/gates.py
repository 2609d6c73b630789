"""Weights per gate: one canonical form, into which every framework's layout is cut.

The gate is an axis of its own, next to last, so that the fused matrix that a framework keeps is
the same memory, reshaped, wherever the framework's gate order is the canonical one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

import numpy as np
import numpy.typing as npt

from lstm_probe.core.arrays import Array
from lstm_probe.core.errors import LstmProbeError

if TYPE_CHECKING:
    from typing_extensions import Self  # typing has it from Python 3.11 on

__all__ = ["Gate", "GateWeights", "join_gates", "split_gates"]


class Gate(NamedTuple):
    """The weights of one gate: `kernel (input, units)`, `recurrent_kernel (output, units)` and
    `bias (units,)`, which is None if the cell has none."""

    kernel: Array
    recurrent_kernel: Array
    bias: Array | None


@dataclass(frozen=True, eq=False)
class GateWeights:
    """The weights of one recurrent cell, gate by gate. Use the subclass of your cell.

    Attributes:
        kernel: `(input, gates, units)`, what multiplies the input.
        recurrent_kernel: `(output, gates, units)`, what multiplies the previous hidden state.
        bias: `(gates, units)`, or None for a cell without.

    Raises:
        LstmProbeError: the shapes do not fit each other.
    """

    kernel: Array
    recurrent_kernel: Array
    bias: Array | None = None

    #: The gates' letters in the order in which they lie on the gate axis.
    gates: ClassVar[tuple[str, ...]] = ()

    def __post_init__(self) -> None:
        if 0 in self.recurrent_kernel.shape[-1:]:
            raise LstmProbeError(f"{type(self).__name__} has no units: nothing to recompute.")
        for name, expected in self._shapes().items():
            array = getattr(self, name)
            if array is not None and array.shape != expected:
                raise LstmProbeError(
                    f"{type(self).__name__} has a {name} that does not fit. Received: shape "
                    f"{array.shape}. Expected: {expected}, gates in the order "
                    f"{' '.join(self.gates)}."
                )

    def _shapes(self) -> dict[str, tuple[int, ...]]:
        count, units = len(self.gates), self.units
        return {
            "kernel": (*self.kernel.shape[:1], count, units),
            "recurrent_kernel": (self.output_size, count, units),
            "bias": (count, units),
        }

    @property
    def input_size(self) -> int:
        """The number of features that the cell reads at each step."""
        return int(self.kernel.shape[0])

    @property
    def units(self) -> int:
        """The number of values that each gate has."""
        return int(self.recurrent_kernel.shape[-1])

    @property
    def output_size(self) -> int:
        """The size of the hidden state `h`: `units`, unless the cell projects it."""
        return self.units

    @property
    def dtype(self) -> np.dtype[Any]:
        """The dtype of the kernel."""
        return self.kernel.dtype

    def named(self) -> Iterator[tuple[str, Array]]:
        """The arrays with their names in logs: gate by gate (`kernel/1_i`) where they have a
        gate axis in front of the units, otherwise whole."""
        for field in fields(self):
            array = getattr(self, field.name)
            if array is None:
                continue
            if array.shape[-2:] == (len(self.gates), self.units):
                for index, letter in enumerate(self.gates):
                    yield f"{field.name}/{index + 1}_{letter}", array[..., index, :]
            else:
                yield field.name, array

    def astype(self, dtype: npt.DTypeLike) -> Self:
        """These weights in another dtype; arrays that have it already are not copied."""
        dtype = np.dtype(dtype)
        others = {
            name: array.astype(dtype)
            for name, array in vars(self).items()
            if array is not None and array.dtype != dtype
        }
        return replace(self, **others) if others else self

    def with_kernels(self, change: Callable[[Array], Array]) -> Self:
        """These weights with both kernels changed, such as rounded or squared."""
        return replace(
            self,
            kernel=change(self.kernel),
            recurrent_kernel=change(self.recurrent_kernel),
        )

    def gate(self, letter: str) -> Gate:
        """The weights of one gate, as views.

        Raises:
            LstmProbeError: the cell has no such gate.
        """
        if letter not in self.gates:
            raise LstmProbeError(
                f"No such gate. Received: {letter!r}. Expected one of {', '.join(self.gates)}."
            )
        index = self.gates.index(letter)
        bias = None if self.bias is None else self.bias[index]
        return Gate(self.kernel[..., index, :], self.recurrent_kernel[..., index, :], bias)


def split_gates(fused: Array, order: Sequence[str], canonical: Sequence[str]) -> Array:
    """Cut a fused array `(..., gates * units)` into `(..., gates, units)` in canonical order.

    A view of `fused` where `order` is the canonical one, otherwise a copy.

    Example:
        >>> split_gates(np.arange(4.0), order="igfo", canonical="ifgo").ravel().tolist()
        [0.0, 2.0, 1.0, 3.0]
    """
    split = fused.reshape(*fused.shape[:-1], len(order), -1)
    if tuple(order) == tuple(canonical):
        return split
    return np.take(split, [order.index(gate) for gate in canonical], axis=-2)


def join_gates(split: Array, order: Sequence[str], canonical: Sequence[str]) -> Array:
    """The inverse of `split_gates`: `(..., gates, units)` back to `(..., gates * units)`.

    Example:
        >>> join_gates(np.arange(4.0)[:, None], order="igfo", canonical="ifgo").tolist()
        [0.0, 2.0, 1.0, 3.0]
    """
    ordered = np.take(split, [canonical.index(gate) for gate in order], axis=-2)
    return ordered.reshape(*split.shape[:-2], -1)
