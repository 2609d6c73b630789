"""The weights of each kind of cell: what it has beyond kernels and bias."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from lstm_probe.core.arrays import Array
from lstm_probe.weights.gates import GateWeights

__all__ = [
    "ConvLstmWeights",
    "CoupledLstmWeights",
    "GruWeights",
    "LstmWeights",
    "SimpleRnnWeights",
]

_EXTRAS = ("peepholes", "projection", "projection_bias", "norm_scale", "state_norm")


@dataclass(frozen=True, eq=False)
class LstmWeights(GateWeights):
    """The weights of an LSTM, with the input gate `i`, forget gate `f`, candidate `g` and output
    gate `o`.

    The arrays beyond the bias belong to variants of the cell. They are None for a plain cell.

    Attributes:
        peepholes: What multiplies the cell state in the gates `i f o`, `(3, units)`.
        projection: The matrix that multiplies `o * phi(c)`, `(units, output)`. The recurrent kernel
            is then `(output, gates, units)`.
        projection_bias: What is added to the projected hidden state, `(output,)`.
        norm_scale: What multiplies the sums of each gate after layer normalisation over the units,
            `(gates, units)`. The bias is added after that.
        state_norm: The scale and the shift of the cell state after its own normalisation,
            `(2, units)`.

    Raises:
        LstmProbeError: The shapes do not fit each other.

    Source:
        `cells/lstm_cell/equations.py` names the sources of the variants.

    Example:
        >>> import numpy as np
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
    #: The gates that read the cell state through peepholes, in the order of `peepholes`.
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
        return tuple(name for name in _EXTRAS if getattr(self, name) is not None)

    @property
    def output_size(self) -> int:
        return self.units if self.projection is None else int(self.projection.shape[-1])


@dataclass(frozen=True, eq=False)
class CoupledLstmWeights(LstmWeights):
    """The weights of an LSTM whose input gate is `1 - f` and has no weights of its own.

    The gates on the gate axis are `f g o`. `peepholes` is `(2, units)` and belongs to `f o`.

    Source:
        Greff et al. 2015, "LSTM: a search space odyssey", coupled input and forget gate (CIFG).

    Example:
        >>> import numpy as np
        >>> rng = np.random.default_rng(0)
        >>> cell = CoupledLstmWeights(rng.normal(size=(3, 3, 2)), rng.normal(size=(2, 3, 2)))
        >>> cell.units, cell.gates
        (2, ('f', 'g', 'o'))
    """

    gates: ClassVar[tuple[str, ...]] = ("f", "g", "o")
    peephole_gates: ClassVar[tuple[str, ...]] = ("f", "o")


@dataclass(frozen=True, eq=False)
class GruWeights(GateWeights):
    """The weights of a GRU, with the update gate `z`, reset gate `r` and candidate `g`.

    Attributes:
        recurrent_bias: A second bias, which is added to the product with the recurrent kernel,
            `(gates, units)`. A reset gate after the product multiplies this bias too, so that the
            two biases cannot be merged. None for a cell with one bias or none.

    Raises:
        LstmProbeError: The shapes do not fit each other.

    Example:
        >>> import numpy as np
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
    """The weights of a simple recurrent cell. It has no gates, and its gate axis has size 1.

    Example:
        >>> import numpy as np
        >>> from lstm_probe import weights
        >>> cell = weights.from_keras(np.ones((3, 2)), np.ones((2, 2)), np.zeros(2))
        >>> cell.units, cell.gates
        (2, ('h',))
    """

    gates: ClassVar[tuple[str, ...]] = ("h",)


@dataclass(frozen=True, eq=False)
class ConvLstmWeights(GateWeights):
    """The weights of a convolutional LSTM. The first axes of its kernels are those of space.

    The kernel is `(*size, input, gates, filters)`, the recurrent kernel is `(*size, filters, gates,
    filters)`, and the bias is `(gates, filters)`. The filters are the units.

    Raises:
        LstmProbeError: The shapes do not fit each other.

    Example:
        >>> import numpy as np
        >>> from lstm_probe import weights
        >>> cell = weights.from_keras(np.ones((3, 3, 1, 8)), np.ones((3, 3, 2, 8)), np.zeros(8))
        >>> cell.units, cell.gate("f").kernel.shape
        (2, (3, 3, 1, 2))
    """

    gates: ClassVar[tuple[str, ...]] = ("i", "f", "g", "o")
    #: Arrays of variants of the LSTM. This cell has none of them.
    peepholes: ClassVar[None] = None
    projection: ClassVar[None] = None
    projection_bias: ClassVar[None] = None
    norm_scale: ClassVar[None] = None
    state_norm: ClassVar[None] = None

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
