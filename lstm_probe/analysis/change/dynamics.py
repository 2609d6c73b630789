"""Learning dynamics: what training did to a layer between two captures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from lstm_probe.analysis.change.norms import norms_and_changes, norms_by_name
from lstm_probe.analysis.change.spectra import spectral_radius
from lstm_probe.analysis.snapshot import Snapshot
from lstm_probe.core.arrays import Array
from lstm_probe.core.blas import on_one_blas_thread
from lstm_probe.core.errors import LstmProbeError
from lstm_probe.weights import CellWeights, NamedWeights

__all__ = [
    "ArrayChange",
    "Dynamics",
    "Spectrum",
    "comparable",
    "measure_dynamics",
    "measure_spectra",
]


@dataclass(frozen=True)
class ArrayChange:
    """How one array of the weights changed; of one gate, where the array holds several.

    Attributes:
        norm: `|W|`, the Euclidean norm after the change; 0 or more.
        change: `|dW|`, the Euclidean norm of the difference; 0 or more.

    Example:
        >>> ArrayChange(norm=2.0, change=0.01).ratio
        0.005
    """

    norm: float
    change: float

    @property
    def ratio(self) -> float:
        """`|dW| / |W|`: 0 where nothing changed, infinite where the weights became zero."""
        if self.change == 0:
            return 0.0
        return self.change / self.norm if self.norm else float("inf")


@dataclass(frozen=True, eq=False)
class Dynamics:
    """What training did to a layer between two captures.

    Attributes:
        steps: how many training steps lie between the captures.
        arrays: how each array of the weights changed, by its name in logs, such as `kernel/2_f`.
        drift: the root mean square of the change of `h` on the probe, over its valid steps; 0 or
            more, and NaN where the two captures are not of the same probe.
        relative_drift: `drift` over the root mean square of `h` before; NaN where that is 0.

    Source:
        Karpathy, CS231n, "Ratio of weights:updates".

    Example:
        >>> Dynamics(100, {"bias": ArrayChange(1.0, 0.1)}, 0.0, 0.0).ratio_per_step("bias")
        0.001
    """

    steps: int
    arrays: Mapping[str, ArrayChange]
    drift: float
    relative_drift: float

    @property
    def unchanged(self) -> bool:
        """Whether no weight has changed, although there were training steps in between."""
        return self.steps > 0 and all(array.change == 0 for array in self.arrays.values())

    def ratio_per_step(self, name: str) -> float:
        """The update ratio of an array for each training step, as if all steps changed it alike.

        It does not depend on the interval between the captures.

        Args:
            name: the name of the array in logs.
        """
        return self.arrays[name].ratio / max(self.steps, 1)

    @property
    def update_ratio(self) -> float:
        """The largest ratio per training step of all kernels; NaN if there is no kernel."""
        ratios = [self.ratio_per_step(name) for name in self.arrays if "bias" not in name]
        return max(ratios, default=float("nan"))


def comparable(previous: Snapshot, current: Snapshot) -> bool:
    """Whether two snapshots are captures of one layer, by its name and the shapes of its weights.

    Args:
        previous: the earlier capture.
        current: the later capture.

    Example:
        >>> from lstm_probe import LstmCell, weights
        >>> cell = weights.from_keras(np.ones((3, 8)), np.ones((2, 8)))
        >>> x, h = np.zeros((1, 5, 3)), np.zeros((1, 5, 2))
        >>> snapshot = Snapshot(0, "lstm", LstmCell(), cell, x=x, output=h)
        >>> comparable(snapshot, snapshot)
        True
    """
    return previous.layer == current.layer and _shapes(previous) == _shapes(current)


@on_one_blas_thread
def measure_dynamics(previous: Snapshot, current: Snapshot) -> Dynamics:
    """Measure what training changed in a layer between two captures.

    Args:
        previous: the earlier capture.
        current: the later capture, of the same layer and the same probe.

    Returns:
        The change of each array of the weights, and of the hidden states on the probe.

    Raises:
        LstmProbeError: the two are not captures of one layer.

    Source:
        Karpathy, CS231n, "Ratio of weights:updates": about 1e-3 for each step.

    Example:
        >>> from lstm_probe import LstmCell, weights
        >>> cell = weights.from_keras(np.ones((3, 8)), np.ones((2, 8)))
        >>> x, h = np.zeros((1, 5, 3)), np.zeros((1, 5, 2))
        >>> before = Snapshot(0, "lstm", LstmCell(), cell, x=x, output=h)
        >>> after = Snapshot(10, "lstm", LstmCell(), cell, x=x, output=h)
        >>> measure_dynamics(before, after).unchanged
        True
    """
    if not comparable(previous, current):
        raise LstmProbeError(
            f"These are not captures of one layer. Received: {previous.layer!r} with "
            f"{_shapes(previous)} and {current.layer!r} with {_shapes(current)}. Expected: the "
            "same name and shapes."
        )
    arrays = {
        name: ArrayChange(norm, change)
        for name, (norm, change) in norms_by_name(current.weights, previous.weights)
    }
    drift, relative = _drift(previous, current)
    return Dynamics(current.step - previous.step, arrays, drift, relative)


@dataclass(frozen=True)
class Spectrum:
    """How much products with a matrix can stretch a vector.

    Attributes:
        norm: the spectral norm, which is the largest singular value: the most by which one product
            stretches a vector; 0 or more.
        radius: the spectral radius, which is the largest absolute eigenvalue: the factor by which
            each of many products in a row stretches a vector; 0 or more. None for a kernel that is
            not recurrent, and for a matrix that is not square.

    Example:
        >>> Spectrum(norm=2.0, radius=0.9).radius
        0.9
    """

    norm: float
    radius: float | None


@on_one_blas_thread
def measure_spectra(weights: CellWeights) -> dict[str, Spectrum]:
    """Spectral norm of the kernel, and norm and radius of the recurrent kernel, gate by gate.

    The time grows with the cube of the number of units: 3 ms a gate at 128 units, 0.3 s at 512.
    `SpectralNorms` follows the norms through a training in a hundredth of that time.

    Args:
        weights: the weights of one layer.

    Returns:
        The spectrum of each matrix, by the name of the array in logs; NaN where a weight is not
        finite.

    Source:
        Pascanu, Mikolov & Bengio 2013, "On the difficulty of training recurrent neural networks",
        section 2.1.

    Example:
        >>> from lstm_probe import weights
        >>> spectra = measure_spectra(weights.from_keras(np.ones((3, 2)), 2 * np.eye(2)))
        >>> spectra["recurrent_kernel/1_h"]
        Spectrum(norm=2.0, radius=2.0)
    """
    return {
        name: _spectrum(array, recurrent=name.startswith("recurrent_kernel"))
        for name, array in weights.named()
        if array.ndim == 2 and name.startswith(("kernel", "recurrent_kernel"))
    }


def _spectrum(matrix: Array, *, recurrent: bool) -> Spectrum:
    matrix = matrix.astype(np.float64, copy=False)
    square = matrix.shape[0] == matrix.shape[1]
    finite = np.isfinite(matrix).all()
    return Spectrum(
        norm=float(np.linalg.norm(matrix, 2)) if finite else float("nan"),
        radius=spectral_radius(matrix) if recurrent and square else None,
    )


def _shapes(snapshot: Snapshot) -> dict[str, tuple[int, ...]]:
    weights = snapshot.weights
    arrays = weights.arrays if isinstance(weights, NamedWeights) else vars(weights)
    return {name: array.shape for name, array in arrays.items() if array is not None}


def _drift(previous: Snapshot, current: Snapshot) -> tuple[float, float]:
    """The drift of the hidden states, and the relative one."""
    if previous.output.shape != current.output.shape:
        return float("nan"), float("nan")
    after, before = (_valid(snapshot) for snapshot in (current, previous))
    if not after.size:
        return float("nan"), float("nan")
    size, drift = (each.item() / after.size**0.5 for each in norms_and_changes(before, after))
    return drift, drift / size if size else float("nan")


def _valid(snapshot: Snapshot) -> Array:
    return snapshot.output if snapshot.mask is None else snapshot.output[snapshot.mask]
