"""Spectral radii of recurrent kernels, and spectral norms that are followed through a training."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from lstm_probe.core.arrays import Array
from lstm_probe.core.blas import on_one_blas_thread
from lstm_probe.weights import GateWeights
from lstm_probe.weights.named import CellWeights

__all__ = ["SpectralNorms", "spectral_radii", "spectral_radius"]

#: How many power iterations there are at the first capture, and at each later one.
_FIRST_ROUNDS, _ROUNDS = 30, 3
#: The time for eigenvalues grows with the cube of the units: 3 ms a gate at 128, 20 ms at 256.
_MAX_UNITS = 256


@on_one_blas_thread
def spectral_radii(weights: CellWeights) -> Mapping[str, float]:
    """The spectral radius of the recurrent kernel of each gate.

    It is the factor by which each of many products in a row stretches a state.

    Args:
        weights: the weights of one layer.

    Returns:
        0 or more, by the name of the array in logs; NaN where a weight is not finite. Empty for a
        layer of more than 256 units, with a projection or with convolutions, and for a cell of the
        user's own.

    Source:
        Pascanu, Mikolov & Bengio 2013, "On the difficulty of training recurrent neural networks",
        section 2.1.

    Example:
        >>> from lstm_probe import weights
        >>> spectral_radii(weights.from_keras(np.ones((3, 2)), 2 * np.eye(2)))
        {'recurrent_kernel/1_h': 2.0}
    """
    if not isinstance(weights, GateWeights) or weights.units > _MAX_UNITS:
        return {}
    kernel = weights.recurrent_kernel
    if kernel.ndim != 3 or kernel.shape[0] != kernel.shape[2]:
        return {}
    matrices = kernel.swapaxes(0, 1).astype(np.float64)
    return {
        f"recurrent_kernel/{index}_{gate}": spectral_radius(matrix)
        for index, (gate, matrix) in enumerate(zip(weights.gates, matrices, strict=True), start=1)
    }


def spectral_radius(matrix: Array) -> float:
    """The largest absolute eigenvalue of a square matrix; NaN where an entry is not finite.

    Args:
        matrix: `(units, units)`, float64.

    Example:
        >>> spectral_radius(np.array([[0.0, 2.0], [0.5, 0.0]]))
        1.0
    """
    if not np.isfinite(matrix).all():
        return float("nan")
    return float(np.abs(np.linalg.eigvals(matrix)).max())


class SpectralNorms:
    """Spectral norms of kernels and recurrent kernels, gate by gate, from capture to capture.

    The largest singular value is found by power iteration, which begins with the vectors of the
    capture before. Weights move little in between, so that a few products are enough. The result is
    never too large, and usually within 1 % of what `measure_spectra` finds in a hundred times the
    time.

    Source:
        Miyato et al. 2018, "Spectral normalization for generative adversarial networks", section
        2.1 and algorithm 1: one iteration for each update, from the vector before.

    Example:
        >>> from lstm_probe import weights
        >>> norms = SpectralNorms()
        >>> found = norms.update(weights.from_keras(np.ones((3, 2)), 2 * np.eye(2)))
        >>> {name: round(norm, 6) for name, norm in found.items()}
        {'kernel/1_h': 2.44949, 'recurrent_kernel/1_h': 2.0}
    """

    def __init__(self) -> None:
        self._vectors: dict[str, Array] = {}

    @on_one_blas_thread
    def update(self, weights: CellWeights) -> Mapping[str, float]:
        """The norms of one capture of a layer.

        Args:
            weights: the weights of the same layer as at the capture before.

        Returns:
            0 or more, by the name of the array in logs; NaN where a weight is not finite. Empty for
            convolutions and for cells of the user's own.
        """
        result: dict[str, float] = {}
        if not isinstance(weights, GateWeights):
            return result
        for name in ("kernel", "recurrent_kernel"):
            array = getattr(weights, name)
            if array.ndim == 3:
                matrices = array.swapaxes(0, 1)  # (gates, rows, units)
                for index, norm in enumerate(self._norms(name, matrices)):
                    result[f"{name}/{index + 1}_{weights.gates[index]}"] = float(norm)
        return result

    def _norms(self, name: str, matrices: Array) -> Array:
        """The norm of each of `(gates, rows, units)`; keeps the vectors for the next capture."""
        shape = (*matrices.shape[:1], 1, matrices.shape[2])
        known = self._vectors.get(name)
        again = known is not None and known.shape == shape and np.isfinite(known).all()
        vectors = known if again else np.random.default_rng(0).normal(size=shape)
        assert vectors is not None
        vectors = vectors.astype(matrices.dtype, copy=False)
        norms = np.full(len(matrices), np.nan)
        with np.errstate(all="ignore"):
            for _ in range(_ROUNDS if again else _FIRST_ROUNDS):
                length = np.linalg.norm(vectors, axis=2, keepdims=True)
                vectors = vectors / np.maximum(length, np.finfo(matrices.dtype).tiny)
                products = vectors @ matrices.swapaxes(1, 2)
                norms = np.linalg.norm(products, axis=(1, 2))
                vectors = products @ matrices
        # A matrix of zeros has no direction: its norm is 0.
        zero = norms == 0
        self._vectors[name] = np.where(zero[:, None, None], 1.0, vectors)
        return norms
