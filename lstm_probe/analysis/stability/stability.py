"""`measure_stability`: spectrum, exponents and fixed points of a layer, and what they amount to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from lstm_probe.analysis.stability.at_rest import AtRest
from lstm_probe.analysis.stability.driven import Driven, driven
from lstm_probe.analysis.stability.fixed_points import (
    FixedPoints,
    find_fixed_points,
    fixed_points_of,
)
from lstm_probe.analysis.stability.lyapunov import Lyapunov, lyapunov_exponents, lyapunov_of
from lstm_probe.analysis.stability.spectrum import (
    JacobianSpectrum,
    jacobian_spectrum,
    spectrum_of,
)
from lstm_probe.analysis.stability.structures import Structure, structures_of
from lstm_probe.analysis.subject import Subject
from lstm_probe.analysis.words.answers import Answer
from lstm_probe.analysis.words.stability import structures_told
from lstm_probe.core.arrays import Array
from lstm_probe.core.blas import on_one_blas_thread

__all__ = ["Stability", "measure_stability"]

#: A state whose norm grows by more than this from the middle to the end of the probe has no bounds.
_GROWS = 3.0


@dataclass(frozen=True, eq=False)
class Stability:
    """How a layer's state moves, with and without its input.

    Attributes:
        spectrum: of the Jacobian along the probe.
        exponents: the Lyapunov exponents along the probe.
        points: the fixed points while the input is at rest.
        structures: what they amount to; empty for a layer that forgets, and where anything is
            missing.

    Source:
        Sussillo & Barak 2013, Neural Computation 25:626; Engelken, Wolf & Abbott 2020, arXiv
        2006.02427; Vogt et al. 2022, arXiv 2006.14123.

    Example:
        >>> from lstm_probe import SimpleRnnCell, Snapshot, weights
        >>> w = weights.from_keras(np.ones((1, 1)), np.array([[2.0]]))
        >>> x = np.random.default_rng(0).normal(size=(4, 40, 1))
        >>> found = measure_stability(
        ...     Snapshot(0, "latch", SimpleRnnCell(), w, x=x, output=np.zeros((4, 40, 1)))
        ... )
        >>> [(each.kind, each.value) for each in found.structures]
        [('latch', 2.0)]
    """

    spectrum: JacobianSpectrum
    exponents: Lyapunov
    points: FixedPoints
    structures: tuple[Structure, ...]

    def sentences(self) -> list[Answer]:
        """What it amounts to, and the evidence. What is missing is said once."""
        parts = (self.points, self.exponents, self.spectrum)
        said = structures_told(self.plain()) if not self.points.missing else []
        for part in parts:
            said += [each for each in part.sentences() if each not in said]
        return said

    def plain(self) -> dict[str, Any]:
        """The attributes by name, for JSON."""
        return {
            "spectrum": self.spectrum.plain(),
            "exponents": self.exponents.plain(),
            "points": self.points.plain(),
            "structures": [each.plain() for each in self.structures],
        }


@on_one_blas_thread
def measure_stability(subject: Subject, *, inputs: npt.ArrayLike | None = None) -> Stability:
    """Measure how a layer's state moves, and say what it does with it.

    Args:
        subject: an `Analysis`, or a `Snapshot`, of one layer.
        inputs: `(input,)`, the input at which fixed points are looked for. The default is the
            median of each feature over the probe.

    Returns:
        Spectrum, exponents, fixed points and structures. Each says what is missing where it cannot
        be measured.

    Raises:
        LstmProbeError: the subject is neither of them, or the input does not fit the layer.

    Example:
        >>> from lstm_probe import SimpleRnnCell, Snapshot, weights
        >>> w = weights.from_keras(np.ones((1, 1)), np.array([[0.5]]))
        >>> x = np.random.default_rng(0).normal(size=(4, 40, 1))
        >>> seen = Snapshot(0, "rnn", SimpleRnnCell(), w, x=x, output=np.zeros((4, 40, 1)))
        >>> measure_stability(seen).structures
        ()
    """
    ready = driven(subject)
    if isinstance(ready, str):
        return Stability(
            jacobian_spectrum(subject), lyapunov_exponents(subject), find_fixed_points(subject), ()
        )
    points, exponents = fixed_points_of(ready, inputs), lyapunov_of(ready)
    structures = structures_of(
        points, exponents, _directions(ready, points), bounded=_is_bounded(ready)
    )
    return Stability(spectrum_of(ready), exponents, points, structures)


def _directions(ready: Driven, points: FixedPoints) -> Array:
    """At each point the right eigenvector of the eigenvalue with the largest absolute value."""
    if not len(points.states):
        return points.states
    values, vectors = np.linalg.eig(AtRest(ready, points.input)(points.states)[1])
    first = np.abs(values).argmax(axis=1)
    return np.asarray(np.take_along_axis(vectors, first[:, None, None], axis=2)[..., 0])


def _is_bounded(ready: Driven) -> bool:
    """Whether the norm of the state stops growing along the probe."""
    norms = [
        np.linalg.norm(array, axis=2)
        for letter, array in ready.run.arrays.items()
        if letter in ready.cell.states
    ]
    course = np.sqrt(np.square(norms).sum(axis=0)).max(axis=1)
    middle = course[: max(1, 2 * len(course) // 3)].max()
    return bool(course.max() <= _GROWS * middle)
