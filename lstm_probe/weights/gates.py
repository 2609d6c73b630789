"""Weights gate by gate: one form, into which the arrays of every framework are cut.

The gates are the axis before the last one. Where a framework has the same order of gates, its fused
matrix is only reshaped and not copied.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

import numpy as np
import numpy.typing as npt

from lstm_probe.core.arrays import Array, as_floats
from lstm_probe.core.errors import LstmProbeError

if TYPE_CHECKING:
    from typing_extensions import Self  # typing has it from Python 3.11 on

__all__ = ["Gate", "GateWeights", "join_gates", "split_gates"]


class Gate(NamedTuple):
    """The weights of one gate.

    Attributes:
        kernel: `(input, units)`.
        recurrent_kernel: `(output, units)`.
        bias: `(units,)`, or None if the cell has no bias.
    """

    kernel: Array
    recurrent_kernel: Array
    bias: Array | None


@dataclass(frozen=True, eq=False)
class GateWeights:
    """The weights of one recurrent cell, gate by gate. Each kind of cell has a subclass.

    Attributes:
        kernel: The matrix that multiplies the input, `(input, gates, units)`.
        recurrent_kernel: The matrix that multiplies the hidden state before,
            `(output, gates, units)`.
        bias: `(gates, units)`, or None for a cell that has none.

    Raises:
        LstmProbeError: The shapes do not fit each other.
    """

    kernel: Array
    recurrent_kernel: Array
    bias: Array | None = None

    #: The letters of the gates in the order of the gate axis.
    gates: ClassVar[tuple[str, ...]] = ()

    def __post_init__(self) -> None:
        for field in fields(self):
            array = getattr(self, field.name)
            if array is not None and not isinstance(array, np.ndarray):
                what, expected = f"The {field.name} of {type(self).__name__}", "an array of floats"
                object.__setattr__(self, field.name, as_floats(array, what, expected))
        if self.recurrent_kernel.ndim < 3 or self.kernel.ndim < 3:
            raise LstmProbeError(
                f"{type(self).__name__} has kernels without an axis of gates. Received: shapes "
                f"{self.kernel.shape} and {self.recurrent_kernel.shape}. Expected: (input, "
                f"{len(self.gates)}, units) and (units, {len(self.gates)}, units), as "
                "lstm_probe.weights.from_keras and its kin make them of a framework's arrays."
            )
        if 0 in self.recurrent_kernel.shape[-1:]:
            raise LstmProbeError(f"{type(self).__name__} has no units: nothing to recompute.")
        for name, shape in self._shapes().items():
            array = getattr(self, name)
            if array is not None and array.shape != shape:
                raise LstmProbeError(
                    f"{type(self).__name__} has a {name} that does not fit. Received: shape "
                    f"{array.shape}. Expected: {shape}, gates in the order "
                    f"{' '.join(self.gates)}."
                )

    def _shapes(self) -> dict[str, tuple[int, ...]]:
        """The shape that each array must have, by its name."""
        count, units = len(self.gates), self.units
        return {
            "kernel": (*self.kernel.shape[:1], count, units),
            "recurrent_kernel": (self.output_size, count, units),
            "bias": (count, units),
        }

    @property
    def input_size(self) -> int:
        """The number of values that the cell reads at each step."""
        return int(self.kernel.shape[0])

    @property
    def units(self) -> int:
        """The number of values of each gate."""
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
        """The arrays with their names in logs.

        An array with a gate axis is given gate by gate, under names such as `kernel/1_i`.
        """
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
        """These weights in another dtype. Arrays of that dtype are not copied."""
        dtype = np.dtype(dtype)
        others = {
            name: array.astype(dtype)
            for name, array in vars(self).items()
            if array is not None and array.dtype != dtype
        }
        return replace(self, **others) if others else self

    def with_kernels(self, change: Callable[[Array], Array]) -> Self:
        """These weights with both kernels changed by a function, such as rounding."""
        return replace(
            self,
            kernel=change(self.kernel),
            recurrent_kernel=change(self.recurrent_kernel),
        )

    def gate(self, letter: str) -> Gate:
        """The weights of one gate, as views.

        Args:
            letter: One of `gates`.

        Raises:
            LstmProbeError: The cell has no such gate.
        """
        if letter not in self.gates:
            raise LstmProbeError(
                f"No such gate. Received: {letter!r}. Expected one of {', '.join(self.gates)}."
            )
        index = self.gates.index(letter)
        bias = None if self.bias is None else self.bias[index]
        return Gate(self.kernel[..., index, :], self.recurrent_kernel[..., index, :], bias)


def split_gates(fused: Array, order: Sequence[str], canonical: Sequence[str]) -> Array:
    """Cut a fused array into gates.

    Args:
        fused: `(..., gates * units)`.
        order: The letters of the gates in the order of `fused`.
        canonical: The letters of the gates in the order of the result.

    Returns:
        `(..., gates, units)`. It is a view of `fused` if the two orders are the same, and otherwise
        a copy.

    Example:
        >>> split_gates(np.arange(4.0), order="igfo", canonical="ifgo").ravel().tolist()
        [0.0, 2.0, 1.0, 3.0]
    """
    split = fused.reshape(*fused.shape[:-1], len(order), -1)
    if tuple(order) == tuple(canonical):
        return split
    return np.take(split, [order.index(gate) for gate in canonical], axis=-2)


def join_gates(split: Array, order: Sequence[str], canonical: Sequence[str]) -> Array:
    """Fuse gates into one array, the inverse of `split_gates`.

    Args:
        split: `(..., gates, units)`.
        order: The letters of the gates in the order of the result.
        canonical: The letters of the gates in the order of `split`.

    Returns:
        `(..., gates * units)`.

    Example:
        >>> join_gates(np.arange(4.0)[:, None], order="igfo", canonical="ifgo").tolist()
        [0.0, 2.0, 1.0, 3.0]
    """
    ordered = np.take(split, [canonical.index(gate) for gate in order], axis=-2)
    return ordered.reshape(*split.shape[:-2], -1)
