"""The weights of a cell of the user: arrays by name."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from lstm_probe.core.arrays import Array
from lstm_probe.weights.gates import GateWeights

__all__ = ["CellWeights", "NamedWeights"]


@dataclass(frozen=True, eq=False)
class NamedWeights:
    """The arrays of a cell of the user by their names. Their layout is that of the cell.

    Attributes:
        arrays: The arrays by name.
        input_size: The number of values that the cell reads at each step.
        output_size: The number of values of its output.

    Example:
        >>> weights = NamedWeights({"kernel": np.zeros((3, 2))}, input_size=3, output_size=2)
        >>> weights.astype("float32")["kernel"].dtype, weights.units
        (dtype('float32'), 2)
    """

    arrays: Mapping[str, Array]
    input_size: int
    output_size: int

    @property
    def units(self) -> int:
        """The number of values of the output."""
        return self.output_size

    def __getitem__(self, name: str) -> Array:
        return self.arrays[name]

    @property
    def dtype(self) -> np.dtype[Any]:
        """The widest dtype of the arrays."""
        return np.result_type(np.float32, *self.arrays.values())

    def astype(self, dtype: npt.DTypeLike) -> NamedWeights:
        """These weights in another dtype. Arrays of that dtype are not copied."""
        arrays = {name: a.astype(dtype, copy=False) for name, a in self.arrays.items()}
        return replace(self, arrays=arrays)

    def with_kernels(self, change: Callable[[Array], Array]) -> NamedWeights:
        """These weights with all matrices changed by a function, such as rounding."""
        arrays = {name: change(a) if a.ndim > 1 else a for name, a in self.arrays.items()}
        return replace(self, arrays=arrays)

    def named(self) -> Iterator[tuple[str, Array]]:
        """The arrays with their names in logs."""
        yield from self.arrays.items()


#: The weights of any cell.
CellWeights: TypeAlias = GateWeights | NamedWeights
