"""Learning dynamics: what training did to a layer between two captures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from lstm_probe.analysis.change.norms import norms_and_changes, norms_by_name
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
    """One array of the weights, of one gate where there are gates.

    Attributes:
        norm: the Euclidean norm `|W|` after the change; 0 or more.
        change: `|dW|`, the norm of the difference; 0 or more.

    Example:
        >>> ArrayChange(norm=2.0, change=0.01).ratio
        0.005
    """

    norm: float
    change: float

    @property
    def ratio(self) -> float:
        """`|dW| / |W|`; 0 where nothing changed, infinite where all of it is new."""
        if self.change == 0:
            return 0.0
        return self.change / self.norm if self.norm else float("inf")


@dataclass(frozen=True, eq=False)
class Dynamics:
    """What training did to a layer between two captures.

    Attributes:
        steps: how many training steps lie between.
        arrays: by the names that arrays have in logs, such as `kernel/2_f`.
        drift: the root mean square of the differences of `h` on the probe, over its valid steps.
        relative_drift: the same, over the root mean square of `h` before; NaN where that is 0.

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
        """Whether not a single weight has changed, although there were training steps."""
        return self.steps > 0 and all(array.change == 0 for array in self.arrays.values())

    def ratio_per_step(self, name: str) -> float:
        """The update ratio of an array, as if every step had changed it alike: comparable
        whatever the interval of the captures."""
        return self.arrays[name].ratio / max(self.steps, 1)

    @property
    def update_ratio(self) -> float:
        """The largest ratio per step of any kernel; NaN where there is none."""
        ratios = [self.ratio_per_step(name) for name in self.arrays if "bias" not in name]
        return max(ratios, default=float("nan"))


def comparable(previous: Snapshot, current: Snapshot) -> bool:
    """Whether two snapshots are captures of one layer, by its name and the shapes of its weights.

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
    """Compare a layer with itself at an earlier step.

    Args:
        previous: the earlier capture.
        current: the later one, of the same layer and probe.

    Raises:
        LstmProbeError: they are not captures of one layer.

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
    """How much a matrix can stretch.

    Attributes:
        norm: the largest singular value: the most that one product can stretch a vector.
        radius: the largest absolute eigenvalue, for the recurrent kernels: what many products in
            a row stretch by, each; None for a matrix that is not square.

    Example:
        >>> Spectrum(norm=2.0, radius=0.9).radius
        0.9
    """

    norm: float
    radius: float | None


@on_one_blas_thread
def measure_spectra(weights: CellWeights) -> dict[str, Spectrum]:
    """Spectral norm of the kernel, and norm and radius of the recurrent kernel, gate by gate.

    Takes the cube of the number of units: 3 ms a gate at 128 units, 0.3 s at 512. `SpectralNorms`
    follows the norms through a training for a hundredth of that.

    Returns:
        By the names that arrays have in logs; NaN where a weight is not finite.

    Example:
        >>> from lstm_probe import weights
        >>> spectra = measure_spectra(weights.from_keras(np.ones((3, 2)), 2 * np.eye(2)))
        >>> spectra["recurrent_kernel/1_h"]
        Spectrum(norm=2.0, radius=2.0)
    """
    return {
        name: _spectrum(array, name.startswith("recurrent_kernel"))
        for name, array in weights.named()
        if array.ndim == 2 and name.startswith(("kernel", "recurrent_kernel"))
    }


def _spectrum(matrix: Array, recurrent: bool) -> Spectrum:
    recurrent = recurrent and matrix.shape[0] == matrix.shape[1]
    if not np.isfinite(matrix).all():
        return Spectrum(float("nan"), float("nan") if recurrent else None)
    matrix = matrix.astype(np.float64, copy=False)
    radius = float(np.abs(np.linalg.eigvals(matrix)).max()) if recurrent else None
    return Spectrum(float(np.linalg.norm(matrix, 2)), radius)


def _shapes(snapshot: Snapshot) -> dict[str, tuple[int, ...]]:
    weights = snapshot.weights
    arrays = weights.arrays if isinstance(weights, NamedWeights) else vars(weights)
    return {name: array.shape for name, array in arrays.items() if array is not None}


def _drift(previous: Snapshot, current: Snapshot) -> tuple[float, float]:
    if previous.output.shape != current.output.shape:
        return float("nan"), float("nan")
    after, before = (_valid(snapshot) for snapshot in (current, previous))
    if not after.size:
        return float("nan"), float("nan")
    size, drift = (each.item() / after.size**0.5 for each in norms_and_changes(before, after))
    return drift, drift / size if size else float("nan")


def _valid(snapshot: Snapshot) -> Array:
    return snapshot.output if snapshot.mask is None else snapshot.output[snapshot.mask]
