"""The spectrum of the Jacobian along the probe: how each step stretches, turns and forgets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from lstm_probe.analysis.stability.driven import NOT_FINITE, Driven, driven
from lstm_probe.analysis.subject import Subject
from lstm_probe.analysis.words.answers import Answer
from lstm_probe.analysis.words.stability import spectrum_told
from lstm_probe.core.arrays import Array
from lstm_probe.core.blas import on_one_blas_thread

__all__ = ["JacobianSpectrum", "jacobian_spectrum", "spectrum_of"]

#: The time for eigenvalues grows with the cube of the state. So much of it is taken unless the
#: caller says at how many steps, but at least and at most this many steps are looked at.
_WORK, _FEWEST_AND_MOST = 2**28, (4, 32)


@dataclass(frozen=True, eq=False)
class JacobianSpectrum:
    """The eigenvalues and the largest singular value of the Jacobian at steps of the probe.

        J_t = d s_t / d s_{t-1},    s = (h, c) for an LSTM, h for others

    Attributes:
        places: `(count, 2)`, int: the sequence and the timestep of each Jacobian, in the order of
            the input's time.
        eigenvalues: `(count, whole)`, complex128, the largest absolute value first. `whole` is the
            size of the whole state.
        stretch: `(count,)`, float64, 0 or more: the largest singular value, by which one step may
            lengthen a small change of the state.
        steps: how many steps the probe has that count.
        missing: what is missing, in words; empty if nothing is. The arrays are then empty.

    Source:
        Pascanu, Mikolov & Bengio 2013, "On the difficulty of training recurrent neural networks",
        section 2.1; Engelken, Wolf & Abbott 2020, arXiv 2006.02427, section 2.

    Example:
        >>> one = JacobianSpectrum(np.zeros((1, 2), int), np.array([[0.5 + 0j]]), np.ones(1), 1)
        >>> one.radius.tolist()
        [0.5]
    """

    places: npt.NDArray[np.intp]
    eigenvalues: Array
    stretch: Array
    steps: int
    missing: str = ""

    @property
    def radius(self) -> Array:
        """The spectral radius at each place, `(count,)`: the largest absolute eigenvalue."""
        return np.abs(self.eigenvalues).max(axis=1, initial=0.0)

    def sentences(self) -> list[Answer]:
        """The spectrum in words, each with its number and where it comes from."""
        return spectrum_told(self.plain())

    def plain(self) -> dict[str, Any]:
        """The attributes by name, for JSON; eigenvalues as pairs of real and imaginary part."""
        pairs = np.stack([self.eigenvalues.real, self.eigenvalues.imag], axis=-1)
        return {
            "places": self.places.tolist(),
            "eigenvalues": pairs.tolist(),
            "stretch": self.stretch.tolist(),
            "steps": self.steps,
            "missing": self.missing,
        }


@on_one_blas_thread
def jacobian_spectrum(subject: Subject, *, at_most: int | None = None) -> JacobianSpectrum:
    """Measure the spectrum of the Jacobian along the probe.

    The Jacobian is exact: it is taken through the cell's own way back, in float64. Eigenvalues take
    a time that grows with the cube of the state, so they are computed at evenly spaced steps.

    Args:
        subject: an `Analysis`, or a `Snapshot`, of one layer.
        at_most: how many Jacobians are looked at, over all sequences; the default is 32, and fewer
            for states of more than 200 values.

    Returns:
        The spectrum. Where it cannot be measured, `missing` says why.

    Raises:
        LstmProbeError: the subject is neither of them.

    Example:
        >>> from lstm_probe import SimpleRnnCell, Snapshot, weights
        >>> w = weights.from_keras(np.zeros((1, 2)), np.diag([0.9, -0.5]))
        >>> x, h = np.zeros((1, 5, 1)), np.zeros((1, 5, 2))
        >>> found = jacobian_spectrum(Snapshot(0, "rnn", SimpleRnnCell(), w, x=x, output=h))
        >>> found.eigenvalues[0].real.tolist(), found.radius.tolist()
        ([0.9, -0.5], [0.9, 0.9, 0.9, 0.9, 0.9])
    """
    ready = driven(subject)
    if isinstance(ready, str):
        return _nothing(ready)
    return spectrum_of(ready, at_most=at_most)


def _nothing(why: str) -> JacobianSpectrum:
    return JacobianSpectrum(np.zeros((0, 2), np.intp), np.zeros((0, 0)), np.zeros(0), 0, why)


def spectrum_of(ready: Driven, *, at_most: int | None = None) -> JacobianSpectrum:
    """As `jacobian_spectrum`, of sequences that are ready."""
    places = np.argwhere(ready.valid.T)  # the sequence and the step in the order of reading
    count = at_most or int(np.clip(_WORK // ready.whole**3, *_FEWEST_AND_MOST))
    chosen = np.linspace(0, len(places) - 1, min(count, len(places))).round().astype(int)
    eigenvalues, stretch = [], []
    for sequence, t in places[chosen]:
        jacobian = ready.jacobian_at(int(t), int(sequence))
        if not np.isfinite(jacobian).all():
            return _nothing(NOT_FINITE)
        values = np.linalg.eigvals(jacobian).astype(np.complex128)
        eigenvalues.append(values[np.argsort(-np.abs(values), kind="stable")])
        stretch.append(np.linalg.norm(jacobian, 2))
    shown = places[chosen]
    if ready.reverse:
        shown[:, 1] = len(ready.valid) - 1 - shown[:, 1]
    return JacobianSpectrum(shown, np.stack(eigenvalues), np.array(stretch), len(places))
