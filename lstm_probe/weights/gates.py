"""Weights per gate: one canonical form, into which every framework's layout is cut.

The gate is an axis of its own, next to last, so that the fused matrix that a framework keeps is
the same memory, reshaped, wherever the framework's gate order is the canonical one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, ClassVar, NamedTuple

import numpy as np
import numpy.typing as npt

from lstm_probe.arrays import Array
from lstm_probe.errors import LstmProbeError

if TYPE_CHECKING:
    from typing_extensions import Self  # typing has it from Python 3.11 on

__all__ = [
    "ConvLstmWeights",
    "CoupledLstmWeights",
    "Gate",
    "GateWeights",
    "GruWeights",
    "LstmWeights",
    "SimpleRnnWeights",
    "join_gates",
    "split_gates",
]


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

    def astype(self, dtype: npt.DTypeLike) -> Self:
        """These weights in another dtype; arrays that have it already are not copied."""
        arrays = {
            field.name: value.astype(dtype, copy=False)
            for field in fields(self)
            if (value := getattr(self, field.name)) is not None
        }
        return replace(self, **arrays)

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


@dataclass(frozen=True, eq=False)
class LstmWeights(GateWeights):
    """The weights of an LSTM: input `i`, forget `f`, candidate `g` and output gate `o`.

    The arrays beyond the bias belong to variants of the cell; None stands for a cell without.

    Attributes:
        peepholes: `(3, units)`, what multiplies the cell state in the gates `i f o`.
        projection: `(units, output)`, what makes the hidden state out of `o * phi(c)`. The
            recurrent kernel is then `(output, gates, units)`.
        projection_bias: `(output,)`.
        norm_scale: `(gates, units)`: the pre-activations are normalised over the units and
            multiplied by it, and the bias is added after that.
        state_norm: `(2, units)`, scale and shift of the cell state, which is normalised as well.

    Example:
        >>> from lstm_probe import weights
        >>> cell = weights.from_keras(np.ones((3, 8)), np.ones((2, 8)), np.zeros(8))
        >>> cell.units, cell.gate("f").kernel.shape
        (2, (3, 2))
    """

    peepholes: Array | None = None
    projection: Array | None = None
    projection_bias: Array | None = None
    norm_scale: Array | None = None
    state_norm: Array | None = None

    gates: ClassVar[tuple[str, ...]] = ("i", "f", "g", "o")
    #: The gates that look at the cell state, in the order of `peepholes`.
    peephole_gates: ClassVar[tuple[str, ...]] = ("i", "f", "o")

    def _shapes(self) -> dict[str, tuple[int, ...]]:
        return super()._shapes() | {
            "peepholes": (len(self.peephole_gates), self.units),
            "projection": (self.units, self.output_size),
            "projection_bias": (self.output_size,),
            "norm_scale": (len(self.gates), self.units),
            "state_norm": (2, self.units),
        }

    @property
    def extras(self) -> tuple[str, ...]:
        """The names of the arrays that this cell has beyond those of the plain LSTM."""
        plain = {field.name for field in fields(GateWeights)}
        names = (field.name for field in fields(self) if field.name not in plain)
        return tuple(name for name in names if getattr(self, name) is not None)

    @property
    def output_size(self) -> int:
        return self.units if self.projection is None else int(self.projection.shape[-1])


@dataclass(frozen=True, eq=False)
class CoupledLstmWeights(LstmWeights):
    """The weights of an LSTM whose input gate is `1 - f`, and so has none (CIFG; Greff 2015).

    The gate axis holds `f g o`, and `peepholes` is `(2, units)`, of `f o`.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> cell = CoupledLstmWeights(rng.normal(size=(3, 3, 2)), rng.normal(size=(2, 3, 2)))
        >>> cell.units, cell.gates
        (2, ('f', 'g', 'o'))
    """

    gates: ClassVar[tuple[str, ...]] = ("f", "g", "o")
    peephole_gates: ClassVar[tuple[str, ...]] = ("f", "o")


@dataclass(frozen=True, eq=False)
class GruWeights(GateWeights):
    """The weights of a GRU: update gate `z`, reset gate `r` and candidate `g`.

    Attributes:
        recurrent_bias: `(gates, units)`, a second bias, added to what the recurrent kernel gives;
            where the reset gate comes after the product it also multiplies this bias, so that the
            two biases cannot be merged. None for a cell without.

    Example:
        >>> from lstm_probe import weights
        >>> cell = weights.from_keras(np.ones((3, 6)), np.ones((2, 6)), np.zeros((2, 6)))
        >>> cell.units, cell.gates, cell.recurrent_bias.shape
        (2, ('z', 'r', 'g'), (3, 2))
    """

    recurrent_bias: Array | None = None

    gates: ClassVar[tuple[str, ...]] = ("z", "r", "g")

    def _shapes(self) -> dict[str, tuple[int, ...]]:
        return super()._shapes() | {"recurrent_bias": (len(self.gates), self.units)}


@dataclass(frozen=True, eq=False)
class SimpleRnnWeights(GateWeights):
    """The weights of a plain recurrent cell, which has no gates: one kernel each, of `h`.

    Example:
        >>> from lstm_probe import weights
        >>> cell = weights.from_keras(np.ones((3, 2)), np.ones((2, 2)), np.zeros(2))
        >>> cell.units, cell.gates
        (2, ('h',))
    """

    gates: ClassVar[tuple[str, ...]] = ("h",)


@dataclass(frozen=True, eq=False)
class ConvLstmWeights(GateWeights):
    """The weights of a convolutional LSTM, whose kernels have leading axes for space.

    The kernel is `(*size, input, gates, filters)`, the recurrent kernel `(*size, filters, gates,
    filters)` and the bias `(gates, filters)`: the filters are the units.

    Example:
        >>> from lstm_probe import weights
        >>> cell = weights.from_keras(np.ones((3, 3, 1, 8)), np.ones((3, 3, 2, 8)), np.zeros(8))
        >>> cell.units, cell.gate("f").kernel.shape
        (2, (3, 3, 1, 2))
    """

    gates: ClassVar[tuple[str, ...]] = ("i", "f", "g", "o")

    def _shapes(self) -> dict[str, tuple[int, ...]]:
        count, filters, size = len(self.gates), self.units, self.kernel.shape[:-3]
        return {
            "kernel": (*size, *self.kernel.shape[-3:-2], count, filters),
            "recurrent_kernel": (*size, filters, count, filters),
            "bias": (count, filters),
        }

    @property
    def input_size(self) -> int:
        """The number of channels of the input."""
        return int(self.kernel.shape[-3])


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
