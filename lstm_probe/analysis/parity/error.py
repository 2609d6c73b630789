"""The parity error: how far NumPy's hidden states are from the framework's own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from lstm_probe.analysis.parity.verdict import Verdict
from lstm_probe.core.arrays import Array

__all__ = ["TOLERANCES", "Parity", "ParityError", "difference"]

#: The largest absolute error of `h` (which lies in -1..1) that rounding explains in well-behaved
#: networks, by the dtype in which the layer computes. Measured against float64 recomputations over
#: random weights: float64 6e-16, float32 up to 7e-6 (512 units), float16 up to 1.7e-3, bfloat16 up
#: to 1.2e-2; each bound leaves a margin of 1.4 to 150 above that, and a swapped gate, a dropped
#: bias or the other hard_sigmoid is far outside.
TOLERANCES = {"float64": 1e-13, "float32": 1e-5, "float16": 3e-3, "bfloat16": 2.5e-2}


@dataclass(frozen=True, eq=False)
class ParityError:
    """Absolute differences between two hidden sequences.

    Attributes:
        max_abs: the largest.
        rms: their root mean square.
        per_timestep: `(time,)`, the largest at each timestep, over batch and units.

    Example:
        >>> ours, theirs = np.zeros((1, 3, 2)), np.full((1, 3, 2), 0.5)
        >>> ParityError.between(ours, theirs, None, 2).max_abs
        0.5
    """

    max_abs: float
    rms: float
    per_timestep: Array

    @classmethod
    def between(cls, ours: Array, theirs: Array, final: Array | None, last: int) -> ParityError:
        """Compare NumPy's output with the framework's.

        Args:
            ours: `(batch, time, units)`.
            theirs: `(batch, time, units)`.
            final: `(batch, units)`, what the layer returned of its last step, or None.
            last: the timestep that the layer computes last.
        """
        error = difference(ours, theirs)
        if final is not None:
            error[:, last] = np.maximum(error[:, last], difference(ours[:, last], final))
        per_timestep = error.max(axis=(0, 2))
        largest = float(per_timestep.max())
        scale = largest if 0 < largest < np.inf else 1.0
        with np.errstate(over="ignore"):  # beside an infinite error, squares of huge ones overflow
            scaled = (error / scale).ravel()
            rms = scale * float(np.sqrt(scaled @ scaled / scaled.size))
        return cls(max_abs=largest, rms=rms, per_timestep=per_timestep)


@dataclass(frozen=True, eq=False)
class Parity:
    """The proof that a picture is true, twice.

    Attributes:
        float64: against NumPy's recomputation in float64, the truth.
        tolerance: the largest error that rounding explains in the layer's dtype, in networks
            that do not amplify it.
        ulp: the largest error in units in the last place, in the layer's dtype, of the largest
            hidden state; NaN if that was not measured.
        verdict: what the error means for these weights and this probe; None if it was not judged.
        of_same_dtype: works out `same_dtype`.
        rounding: the difference of NumPy's own two recomputations, where the verdict went by it,
            at this step or an earlier one.

    Example:
        >>> error = ParityError.between(np.zeros((1, 3, 2)), np.zeros((1, 3, 2)), None, 2)
        >>> Parity(error, TOLERANCES["float32"], of_same_dtype=lambda: error).within_tolerance
        True
    """

    float64: ParityError
    tolerance: float
    ulp: float = float("nan")
    verdict: Verdict | None = None
    of_same_dtype: Callable[[], ParityError] | None = None
    rounding: ParityError | None = None

    @cached_property
    def same_dtype(self) -> ParityError:
        """Against NumPy's recomputation in the layer's own dtype (float32 for the half
        precisions). A recomputation of its own, so it is made when it is asked for."""
        return self.float64 if self.of_same_dtype is None else self.of_same_dtype()

    @property
    def known_in_same_dtype(self) -> ParityError | None:
        """`same_dtype` where it has been worked out already; None where nobody has asked."""
        known: ParityError | None = vars(self).get("same_dtype")
        return known

    @property
    def within_tolerance(self) -> bool:
        """Whether the error is small; the verdict knows the network, and this does not."""
        return self.float64.max_abs <= self.tolerance


def difference(ours: Array, theirs: Array) -> Array:
    """`|ours - theirs|` in float64; 0 where both are the same infinity or both NaN, and infinite
    where only one of them is NaN.

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
