"""Fixed points: the states that a network keeps while its input does not change."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import numpy.typing as npt

from lstm_probe.analysis.stability.at_rest import AtRest, resting_input, turning_period
from lstm_probe.analysis.stability.driven import LARGEST, NOT_FINITE, Driven, driven
from lstm_probe.analysis.stability.newton import TOLERANCE, still_states
from lstm_probe.analysis.stability.search import (
    LEFT_ALONE,
    chosen,
    distances,
    distinct,
    eigenvalues_at,
    end,
    kinds_of,
    spread,
    starts_around,
)
from lstm_probe.analysis.subject import Subject
from lstm_probe.analysis.words.answers import Answer
from lstm_probe.analysis.words.fixed_points import points_told
from lstm_probe.core.arrays import Array, as_floats
from lstm_probe.core.blas import on_one_blas_thread
from lstm_probe.core.errors import LstmProbeError

__all__ = ["FixedPoints", "find_fixed_points", "fixed_points_of"]


@dataclass(frozen=True, eq=False)
class FixedPoints:
    """The states at which a network rests, or hardly moves, while its input does not change.

        s = F(s; x),    s = (h, c) for an LSTM, h for others

    Attributes:
        states: `(points, whole)`, float64: `h`, then `c` where there is one. The stillest first.
        speeds: `(points,)`, float64, `|F(s) - s|`, 0 or more.
        kinds: for each point `stable` (all eigenvalues inside the unit circle), `marginal` (some on
            it), `unstable` (some outside), or `slow`: no fixed point, but a state that a step moves
            by less than 1 % of the size of the trajectory.
        eigenvalues: `(points, whole)`, complex128, of the Jacobian at each point, the largest
            absolute value first.
        distances: `(points,)`, how far each is from the trajectory of the probe, as a part of the
            size of the trajectory.
        reached: `(points,)`, int: how many of `left` states of the probe end there if they are left
            to themselves.
        left: how many states of the probe were left to themselves.
        periods: the steps of a turn, for each of those that never come to rest and go round.
        restless: how many of those never came to rest.
        input: `(input,)`, the input that does not change.
        size: the size of the trajectory: the root mean square distance from its mean.
        timesteps: how many steps the longest sequence of the probe has.
        starts: from how many states the search began.
        tolerance: a fixed point's speed is at most this part of its norm, or of 1.
        missing: what is missing, in words; empty if nothing is.

    Source:
        Sussillo & Barak 2013, "Opening the black box: low-dimensional dynamics in high-dimensional
        recurrent neural networks", Neural Computation 25:626.

    Example:
        >>> from lstm_probe import SimpleRnnCell, Snapshot, weights
        >>> w = weights.from_keras(np.zeros((1, 1)), np.array([[2.0]]))
        >>> x, h = np.zeros((2, 9, 1)), np.zeros((2, 9, 1))
        >>> begin = (np.array([[0.3], [-0.3]]),)
        >>> seen = Snapshot(0, "latch", SimpleRnnCell(), w, x=x, output=h, initial_state=begin)
        >>> found = find_fixed_points(seen)
        >>> sorted(zip(np.abs(found.states[:, 0]).round(3).tolist(), found.kinds))
        [(0.0, 'unstable'), (0.958, 'stable'), (0.958, 'stable')]
    """

    states: Array
    speeds: Array
    kinds: tuple[str, ...]
    eigenvalues: Array
    distances: Array
    reached: npt.NDArray[np.intp]
    left: int
    periods: tuple[float, ...]
    restless: int
    input: Array
    size: float
    timesteps: int
    starts: int
    tolerance: float = TOLERANCE
    missing: str = ""

    @property
    def time_constants(self) -> Array:
        """`(points, whole)`: after how many steps each direction has faded to `1 / e`.

        It is `-1 / log |eigenvalue|`, infinite on the unit circle and negative outside of it.
        """
        with np.errstate(divide="ignore"):
            return np.asarray(-1 / np.log(np.abs(self.eigenvalues)))

    def sentences(self) -> list[Answer]:
        """The points in words, each with its numbers and how it was found."""
        return points_told(self.plain())

    def plain(self) -> dict[str, Any]:
        """The attributes by name, for JSON; eigenvalues as pairs of real and imaginary part."""
        pairs = np.stack([self.eigenvalues.real, self.eigenvalues.imag], axis=-1)
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        values["eigenvalues"] = pairs
        return {
            name: value.tolist() if isinstance(value, np.ndarray) else value
            for name, value in values.items()
        }


@on_one_blas_thread
def find_fixed_points(subject: Subject, *, inputs: npt.ArrayLike | None = None) -> FixedPoints:
    """Look for the states that a network keeps while its input does not change.

    The speed `|F(s) - s|` is minimised with the exact Jacobian, in float64, from states of the
    probe's trajectory, from states around them, and from where the network takes them if it is left
    to itself. Points that are the same, or far from all of these states, are left out.

    Args:
        subject: an `Analysis`, or a `Snapshot`, of one layer.
        inputs: `(input,)`, the input that does not change. The default is the median of each
            feature over the probe: 0 for pulses and for one-hot words.

    Returns:
        The points. Where they cannot be looked for, `missing` says why.

    Raises:
        LstmProbeError: the subject is none, or the input does not fit the layer.

    Source:
        Sussillo & Barak 2013, Neural Computation 25:626.

    Example:
        >>> from lstm_probe import SimpleRnnCell, Snapshot, weights
        >>> w = weights.from_keras(np.ones((1, 1)), np.array([[0.5]]))
        >>> x, h = np.ones((1, 9, 1)), np.zeros((1, 9, 1))
        >>> found = find_fixed_points(Snapshot(0, "rnn", SimpleRnnCell("linear"), w, x=x, output=h))
        >>> found.states.round(9).tolist(), found.kinds, found.eigenvalues.real.tolist()
        ([[2.0]], ('stable',), [[0.5]])
    """
    ready = driven(subject)
    if isinstance(ready, str):
        return _nothing(ready)
    return fixed_points_of(ready, inputs)


def fixed_points_of(ready: Driven, inputs: npt.ArrayLike | None = None) -> FixedPoints:
    """As `find_fixed_points`, of sequences that are ready."""
    x = resting_input(ready) if inputs is None else as_floats(inputs, "The input", "(input,)")
    if x.shape != ready.run.x.shape[2:] or not np.isfinite(x).all():
        raise LstmProbeError(
            "The input at which fixed points are looked for does not fit the layer. Received: "
            f"shape {x.shape}, values {str(x.ravel())[:60]}. Expected: {ready.run.x.shape[2:]}, "
            "one finite value for each feature."
        )
    step = AtRest(ready, x.astype(np.float64))
    visited = ready.whole_states()
    size = float(np.sqrt(np.square(visited - visited.mean(axis=0)).sum(axis=1).mean()))
    size = size or max(1.0, float(np.linalg.norm(visited[0])))
    timesteps = int(ready.lengths.max())
    some = spread(visited, LEFT_ALONE)
    if not np.isfinite(step(some)[1]).all():
        return _nothing(NOT_FINITE)
    path = step.after(some, min(max(200, 5 * timesteps), 1000))
    path = path[:, (np.abs(path) <= LARGEST).all(axis=(0, 2))]  # False for NaN
    ends = path[-1]
    starts = np.concatenate([starts_around(visited, size, ready.whole), distinct(ends, size)])
    stills = still_states(step, starts)
    known = np.concatenate([visited, ends])
    points, speeds = chosen(stills.states, stills.speeds, known, size)
    eigenvalues = eigenvalues_at(step, points)
    kinds = kinds_of(points, speeds, eigenvalues)
    at = [end(path[:, k], points, kinds, size) for k in range(path.shape[1])]
    periods = [
        turning_period(path[len(path) // 2 :, k]) for k, there in enumerate(at) if there is None
    ]
    return FixedPoints(
        states=points,
        speeds=speeds,
        kinds=kinds,
        eigenvalues=eigenvalues,
        distances=distances(points, visited) / size,
        reached=np.bincount(
            np.array([there for there in at if there is not None], np.intp), minlength=len(points)
        ),
        left=len(some),
        periods=tuple(period for period in periods if period is not None),
        restless=len(some) - sum(there is not None for there in at),
        input=step.x,
        size=size,
        timesteps=timesteps,
        starts=len(starts),
    )


def _nothing(why: str) -> FixedPoints:
    none, matrix = np.zeros(0), np.zeros((0, 0))
    count = np.zeros(0, np.intp)
    return FixedPoints(
        matrix, none, (), matrix, none, count, 0, (), 0, none, 0.0, 0, 0, missing=why
    )
