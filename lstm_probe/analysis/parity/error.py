"""The parity error: how far NumPy's hidden states are from the framework's own."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lstm_probe.analysis.parity.verdict import Verdict
from lstm_probe.core.arrays import Array
from lstm_probe.core.on_demand import OnDemand

__all__ = ["TOLERANCES", "Parity", "ParityError", "difference"]

#: The largest absolute error of `h` (which lies in -1..1) that rounding explains in a network that
#: does not amplify it, by the dtype in which the layer computes. The errors that were measured over
#: random weights, against recomputations in float64, are 6e-16 in float64, up to 7e-6 in float32
#: (512 units), up to 1.7e-3 in float16 and up to 1.2e-2 in bfloat16. Each tolerance is 1.4 to 150
#: times as large, and far below the error of a swapped gate, a missing bias or the other
#: hard_sigmoid.
TOLERANCES = {"float64": 1e-13, "float32": 1e-5, "float16": 3e-3, "bfloat16": 2.5e-2}


@dataclass(frozen=True, eq=False)
class ParityError:
    """The absolute differences between two hidden sequences.

    Attributes:
        max_abs: the largest difference; 0 or more.
        rms: the root mean square of all differences; 0 or more.
        per_timestep: `(time,)`, float64, the largest difference at each timestep, over batch and
            units.
        per_sequence: `(batch, time)`, float64, the largest difference of each sequence at each
            timestep, over units.

    Example:
        >>> ours, theirs = np.zeros((1, 3, 2)), np.full((1, 3, 2), 0.5)
        >>> ParityError.between(ours, theirs, None, 2).max_abs
        0.5
    """

    max_abs: float
    rms: float
    per_timestep: Array
    per_sequence: Array

    @classmethod
    def between(cls, ours: Array, theirs: Array, final: Array | None, last: int) -> ParityError:
        """Compare NumPy's output with the framework's.

        Args:
            ours: `(batch, time, units)`, float, NumPy's output.
            theirs: the same shape, the framework's output.
            final: `(batch, units)`, the framework's own output of its last step; None if it gave
                all steps. Its difference counts at timestep `last`.
            last: the timestep that the layer computes last.
        """
        error = difference(ours, theirs)
        if final is not None:
            error[:, last] = np.maximum(error[:, last], difference(ours[:, last], final))
        per_sequence = error.max(axis=2)
        per_timestep = per_sequence.max(axis=0)
        largest = float(per_timestep.max())
        scale = largest if 0 < largest < np.inf else 1.0
        # Beside an infinite error, the scale is 1, and the square of a huge error overflows.
        with np.errstate(over="ignore"):
            scaled = (error / scale).ravel()
            rms = scale * float(np.sqrt(scaled @ scaled / scaled.size))
        return cls(largest, rms, per_timestep, per_sequence)


@dataclass(frozen=True, eq=False)
class Parity:
    """The proof that a picture is true: the framework's distance from NumPy's recomputation.

    Attributes:
        float64: the distance from the recomputation in float64, which is the truth.
        tolerance: the largest error that rounding explains in the layer's dtype, in a network
            that does not amplify it.
        ulp: the largest error, in units in the last place of the largest hidden state, in the
            layer's dtype; NaN if it was not measured.
        verdict: what the error means for these weights and this probe; None if it was not judged.
        of_same_dtype: computes `same_dtype` when it is needed; None where that is `float64`.
        rounding: the distance between NumPy's own two recomputations, at this training step or an
            earlier one; None if the verdict did not need it.

    Example:
        >>> error = ParityError.between(np.zeros((1, 3, 2)), np.zeros((1, 3, 2)), None, 2)
        >>> Parity(error, TOLERANCES["float32"]).within_tolerance
        True
    """

    float64: ParityError
    tolerance: float
    ulp: float = float("nan")
    verdict: Verdict | None = None
    of_same_dtype: OnDemand[ParityError] | None = None
    rounding: ParityError | None = None

    @property
    def same_dtype(self) -> ParityError:
        """The distance from NumPy's recomputation in the layer's own dtype.

        The half precisions are recomputed in float32. The recomputation is made when the property
        is first read.
        """
        return self.float64 if self.of_same_dtype is None else self.of_same_dtype()

    @property
    def known_in_same_dtype(self) -> ParityError | None:
        """`same_dtype` if it has been computed already, else None."""
        return None if self.of_same_dtype is None else self.of_same_dtype.known

    @property
    def within_tolerance(self) -> bool:
        """Whether the error is at most the tolerance, which does not depend on the network.

        The verdict does: it also recognises rounding that the network has amplified.
        """
        return self.float64.max_abs <= self.tolerance


def difference(ours: Array, theirs: Array) -> Array:
    """The absolute difference of two arrays, also where they are not finite.

    Args:
        ours: any shape, float.
        theirs: the same shape, float.

    Returns:
        `|ours - theirs|`, the same shape, float64: 0 where both are the same infinity or both are
        NaN, and infinite where only one of them is NaN.

    Example:
        >>> difference(np.array([1.0, np.nan, np.inf]), np.array([1.5, np.nan, 0.0])).tolist()
        [0.5, 0.0, inf]
    """
    ours, theirs = ours.astype(np.float64, copy=False), theirs.astype(np.float64, copy=False)
    with np.errstate(invalid="ignore"):
        error = np.abs(ours - theirs)
    if not np.isfinite(error).all():
        error[(ours == theirs) | (np.isnan(ours) & np.isnan(theirs))] = 0.0
        error[np.isnan(error)] = np.inf
    return error
