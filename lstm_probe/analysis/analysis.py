"""`analyse(snapshot) -> Analysis`: recompute, compare, and say what it means."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from lstm_probe.analysis.conventions.candidate import Convention
from lstm_probe.analysis.conventions.explanation import Explanation
from lstm_probe.analysis.gradient.gradient import Gradient, gradient_through_time
from lstm_probe.analysis.health.health import Health, measure_health
from lstm_probe.analysis.parity.error import TOLERANCES, Parity, ParityError
from lstm_probe.analysis.parity.judge import judge
from lstm_probe.analysis.parity.judged_steps import judge_steps
from lstm_probe.analysis.parity.teacher_forcing import follow
from lstm_probe.analysis.parity.verdict import Verdict
from lstm_probe.analysis.recomputation import InOwnDtype, recompute, recompute_in_own_dtype
from lstm_probe.analysis.snapshot import Snapshot
from lstm_probe.analysis.words.answers import Answer, answers, figures_of
from lstm_probe.analysis.words.phrases import without_parity
from lstm_probe.analysis.words.summary import LayerSummary, summarise
from lstm_probe.core.arrays import Array
from lstm_probe.core.blas import on_one_blas_thread
from lstm_probe.core.on_demand import OnDemand
from lstm_probe.core.precision import ulp
from lstm_probe.core.stopwatch import Stopwatch
from lstm_probe.core.trace import GateTrace
from lstm_probe.core.views import view

__all__ = ["Analysis", "analyse"]


@dataclass(frozen=True, eq=False, repr=False)
class Analysis:
    """What a snapshot means.

    Attributes:
        snapshot: what was seen.
        trace: every gate of every timestep, recomputed in float64, in the order of the input's
            time; where rounding has grown beyond the tolerance, as in a chaotic network, each step
            from the framework's own hidden state, so that it shows what the framework does; for
            a cell whose recurrence is not known, the framework's own `h` alone.
        parity: how far that is from the framework's own output; None where nothing was
            recomputed, or where weights were read alone and there is no such output.
        health: what the gates say of each unit.
        gradient: how strongly the last state depends on each earlier one; None for cells through
            which gradients are not known.
        explanation: of a mismatch; None if there is none.

    Example:
        >>> from lstm_probe import LstmCell, Snapshot, weights
        >>> cell = weights.from_keras(np.zeros((3, 8)), np.zeros((2, 8)))
        >>> x, h = np.zeros((1, 5, 3)), np.zeros((1, 5, 2))
        >>> analysis = analyse(Snapshot(0, "memory", LstmCell(), cell, x=x, output=h))
        >>> isinstance(analysis, Analysis), analysis.trace.layer
        (True, 'memory')
    """

    snapshot: Snapshot
    trace: GateTrace
    parity: Parity | None
    health: Health
    gradient: Gradient | None = None
    explanation: Explanation | None = None

    @property
    def convention(self) -> Convention | None:
        """On a mismatch, the known convention that explains it. It is searched for when it is first
        asked for, which takes up to a few hundred recomputations."""
        return None if self.explanation is None else self.explanation.convention

    @property
    def without_parity(self) -> str:
        """Why there is no parity: nothing was recomputed, or there was nothing to compare with."""
        return without_parity(self.snapshot.cell)

    def summary(self, *, thorough: bool = False) -> LayerSummary:
        """The figures from which log, command line, notebook and overview are worded.

        Args:
            thorough: also work out what takes further recomputations: the parity error in the
                layer's own dtype, and the convention that explains a mismatch.
        """
        found = self.convention if thorough else None
        return summarise(
            self.snapshot,
            self.parity,
            self.health,
            self.gradient,
            same_dtype=thorough,
            cause=None if found is None else str(found),
        )

    def answers(self) -> list[Answer]:
        """What this capture says, in up to six sentences, each with the number behind it.

        What changed over a training, and whether the layer is ill, takes more than one capture.

        Example:
            >>> from lstm_probe import LstmCell, Snapshot, weights
            >>> cell = weights.from_keras(np.zeros((3, 8)), np.zeros((2, 8)))
            >>> x, h = np.zeros((1, 5, 3)), np.zeros((1, 5, 2))
            >>> print(analyse(Snapshot(0, "lstm", LstmCell(), cell, x=x, output=h)).answers()[0])
            The longest memory is 1.4 of 5 steps (unit 0).
        """
        return answers([figures_of(self.summary())], standing=None)

    def __repr__(self) -> str:
        if self.parity is None:
            told = "".join(f", {text}" for text in self.snapshot.guessed)
            return f"Analysis({self.trace!r}, {self.without_parity}{told})"
        error = f"{self.parity.float64.max_abs:.1e}"
        return f"Analysis({self.trace!r}, parity error {error}: {self.parity.verdict})"

    def _repr_html_(self) -> str:
        return str(view("Analysis._repr_html_")(self))

    def _repr_mimebundle_(self, **options: Any) -> Any:
        return view("_repr_mimebundle_")(self, **options)


@on_one_blas_thread
def analyse(
    snapshot: Snapshot, *, watch: Stopwatch | None = None, previous: Analysis | None = None
) -> Analysis:
    """Recompute every gate of a snapshot with NumPy, and compare with the framework's output.

    Args:
        snapshot: what a callback or hook captured.
        watch: is told how long recomputing and analysing take.
        previous: the same layer's at an earlier step, if there is one. NumPy's own rounding error
            then serves again where it suffices; and of a mismatch that goes on, what explained it
            is tried first, and nothing else is looked for if it still does.

    Returns:
        The trace, the parity error with its verdict, gate health and the gradient through time.

    Raises:
        LstmProbeError: the snapshot's input, mask or state does not fit its cell.

    Example:
        >>> from lstm_probe import LstmCell, Snapshot, weights
        >>> cell = weights.from_keras(np.zeros((3, 8)), np.zeros((2, 8)))
        >>> x, h = np.zeros((1, 5, 3)), np.zeros((1, 5, 2))
        >>> analysis = analyse(Snapshot(0, "lstm", LstmCell(), cell, x=x, output=h))
        >>> analysis.parity.float64.max_abs, float(analysis.trace.f[0, 0, 0])
        (0.0, 0.5)
    """
    watch = watch or Stopwatch()
    if snapshot.cell is None:
        seen = _seen(snapshot)
        return Analysis(snapshot, seen, None, measure_health(snapshot, seen))
    truth, shown, exact = recompute(snapshot, snapshot.cell, np.dtype(np.float64))
    own = OnDemand(partial(recompute_in_own_dtype, snapshot, truth.h, exact))
    watch.lap("recompute")
    largest = float(np.fmax.reduce(np.abs(truth.h), axis=None, initial=0.0))
    unit = ulp(largest if np.isfinite(largest) else 1.0, snapshot.dtype)
    explanation = _same_explanation(snapshot, exact, previous)
    known = previous.parity.verdict if explanation and previous and previous.parity else None
    earlier = _earlier_rounding(snapshot, previous)
    verdict = judge(snapshot, exact, lambda: own().rounding, earlier=earlier, known=known)
    if exact.max_abs > TOLERANCES[snapshot.dtype] and verdict.kind == "match":
        if _obeys_the_equations(snapshot, shown):
            # Chaotic: let the pictures show what the framework does.
            truth = follow(snapshot, truth)
        else:
            verdict = Verdict("mismatch", excess=np.inf)
    parity = Parity(
        exact,
        TOLERANCES[snapshot.dtype],
        ulp=exact.max_abs / unit,
        verdict=verdict,
        of_same_dtype=OnDemand(partial(_error, own)),
        rounding=earlier if own.known is None else own.known.rounding,
    )
    if verdict.kind != "mismatch":
        explanation = None
    elif explanation is None:
        explanation = Explanation(snapshot)
    analysis = Analysis(
        snapshot,
        truth,
        parity,
        health=measure_health(snapshot, truth),
        gradient=gradient_through_time(
            snapshot, truth, previous=None if previous is None else previous.gradient
        ),
        explanation=explanation,
    )
    watch.lap("analyse")
    return analysis


def _error(own: OnDemand[InOwnDtype]) -> ParityError:
    return own().error


def _same_explanation(
    snapshot: Snapshot, exact: ParityError, previous: Analysis | None
) -> Explanation | None:
    """The explanation of an earlier step's mismatch, if it explains what is seen now as well."""
    if previous is None or previous.explanation is None:
        return None
    if exact.max_abs <= TOLERANCES[snapshot.dtype]:
        return None
    return previous.explanation.of_later(snapshot)


def _earlier_rounding(snapshot: Snapshot, previous: Analysis | None) -> ParityError | None:
    """NumPy's own rounding error at an earlier step; it is that of the probe."""
    if previous is None or previous.parity is None:
        return None
    seen = previous.snapshot
    same = seen.x.shape == snapshot.x.shape and seen.dtype == snapshot.dtype
    return previous.parity.rounding if same else None


def _seen(snapshot: Snapshot) -> GateTrace:
    return GateTrace(
        {"h": snapshot.output},
        {"h": None},
        cell=snapshot.cell_name,
        mask=snapshot.mask,
        layer=snapshot.layer,
        step=snapshot.step,
    )


def _obeys_the_equations(snapshot: Snapshot, shown: Array) -> bool:
    """Whether NumPy's own sequence does, each step by itself. The verdict goes by equations that
    are written a second time: a mistake in either is told from chaos."""
    ours = replace(snapshot, output=shown, final_output=None, dtype="float64")
    judged = judge_steps(ours)
    return judged is None or judged.within_bounds
