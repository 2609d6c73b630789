"""`answers`: what a layer's gates say, in three to six sentences.

Each sentence has the number behind it, and the place where that can be seen. The page, the report,
the notebook and the command line show the same sentences, because all of them come from here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import isfinite
from typing import Any

from lstm_probe.analysis.outcomes import ProbeOutcome
from lstm_probe.analysis.words.summary import LayerSummary

__all__ = ["Answer", "Figures", "answers", "figures_of"]

#: A gate whose mean has moved by less has not moved.
_MOVED = 0.05
#: The view in which an illness is seen, by the rule that found it; the gates for all others.
_SEEN_IN = {
    "parity_mismatch": "parity",
    "saturated_gates": "saturation",
    "short_memory": "memory",
    "vanishing_gradient": "gradient",
    "exploding_gradient": "gradient",
}
#: A loss that has changed by less than this part of itself has stood still.
_STILL = 0.02
#: So many sentences are said at least, where there is something to say, and at most.
_FEWEST, _MOST = 3, 6
#: The gates that keep the past, by letter.
_KEEPERS = ("f", "z")
_GATES = {
    "i": "input gate",
    "f": "forget gate",
    "o": "output gate",
    "z": "update gate",
    "r": "reset gate",
}


@dataclass(frozen=True)
class Answer:
    """One sentence about a layer.

    Attributes:
        text: the sentence.
        value: the number behind it.
        view: the view of the explorer that shows it: `gates`, `memory`, `saturation`, `gradient`,
            `parity` or `probe`.
        unit: the unit that it is about; None if it is about all.
        step: the training step that it is about; None for the one that is looked at.

    Example:
        >>> print(Answer("The longest memory is 41 of 302 steps (unit 13).", 41.0, "memory", 13))
        The longest memory is 41 of 302 steps (unit 13).
    """

    text: str
    value: float | None = None
    view: str = "gates"
    unit: int | None = None
    step: int | None = None

    def __str__(self) -> str:
        return self.text

    def plain(self) -> dict[str, Any]:
        """The attributes by name, for JSON."""
        return dict(vars(self))


@dataclass(frozen=True)
class Figures:
    """What the sentences are made of: the figures of a layer at one capture.

    Attributes:
        step: the training step.
        timesteps: the number of valid steps of the longest sequence of the probe.
        units: the number of units; of a convolutional cell, of filters.
        longest_horizon: after how many steps the longest memory fades to 1/e; None for a cell
            without a gate that keeps.
        longest_unit: the unit that has it.
        gradient_reach: how many steps back the gradient stays above 1 % of its largest value.
        dead: the number of units whose `h` does not move.
        means: the mean of each gate, by letter; 0..1.
        verdict: what the parity error means; None if it was not judged.
        max_abs: the parity error; None if there is none.
        training: loss and metrics of the training, by name.
        outcomes: how the model does on each of several named probes.
    """

    step: int
    timesteps: int
    units: int
    longest_horizon: float | None = None
    longest_unit: int | None = None
    gradient_reach: float | None = None
    dead: int = 0
    means: Mapping[str, float] = field(default_factory=dict)
    verdict: str | None = None
    max_abs: float | None = None
    training: Mapping[str, float] = field(default_factory=dict)
    outcomes: Sequence[ProbeOutcome] = ()


def figures_of(summary: LayerSummary, training: Mapping[str, float] | None = None) -> Figures:
    """The figures of a layer at one capture.

    Args:
        summary: the layer.
        training: loss and metrics of the training, by name.
    """
    parity, gradient = summary.parity, summary.gradient
    return Figures(
        step=summary.step,
        timesteps=summary.probe_length,
        units=summary.dead_of,
        longest_horizon=summary.longest_horizon,
        longest_unit=summary.longest_unit,
        gradient_reach=None if gradient is None else gradient.reach,
        dead=len(summary.dead),
        means={letter: gate.mean for letter, gate in summary.gates.items()},
        verdict=None if summary.verdict is None else summary.verdict.kind,
        max_abs=None if parity is None else parity.max_abs,
        training=training or {},
    )


def answers(
    course: Sequence[Figures], standing: Sequence[Mapping[str, Any]] | None = ()
) -> list[Answer]:
    """What a layer's gates say at the last capture of a course.

    Args:
        course: the figures of the layer at each capture, by step; the last is the one that is
            looked at. One is enough: then nothing is said of the training.
        standing: the alerts that stand then, as `Alert.plain` gives them; None if nobody has
            followed them.

    Returns:
        Three to six sentences, fewer for a layer that has not been recomputed, and one more where
        there are several named probes.

    Example:
        >>> first = Figures(0, 302, 30, 3.2, 4, 20.0, means={"f": 0.73}, training={"loss": 0.7})
        >>> later = Figures(100, 302, 30, 41.0, 13, 301.0, means={"f": 0.9},
        ...                 training={"loss": 0.3})
        >>> for answer in answers([first, later]):
        ...     print(answer.text)
        The longest memory is 41 of 302 steps (unit 13).
        The gradient reaches all 302 steps.
        The forget gate opened from 0.73 to 0.90 between steps 0 and 100, while the loss fell from \
0.7 to 0.3.
        Nothing is wrong.
    """
    now = course[-1]
    found = [
        _untrue(now),
        _by_probe(now),
        _memory(now),
        _gradient(now),
        _movement(course),
        _dead(now),
    ]
    said = [answer for answer in found if answer is not None]
    health = _health(standing, now)
    if len(said) + len(health) < _FEWEST:
        said += filter(None, [_true(now)])
    return [*said, *health][: _MOST + bool(now.outcomes)]


def _untrue(now: Figures) -> Answer | None:
    if now.verdict != "mismatch":
        return None
    return Answer(
        f"The pictures are not true: the framework differs from them by {_short(now.max_abs)}.",
        now.max_abs,
        "parity",
    )


def _true(now: Figures) -> Answer | None:
    if now.verdict is None or now.verdict == "mismatch" or now.max_abs is None:
        return None
    text = f"The pictures are true: the framework differs from them by {_short(now.max_abs)}"
    return Answer(f"{text}, which rounding explains.", now.max_abs, "parity")


def _by_probe(now: Figures) -> Answer | None:
    """How the model does on each named probe, by the first of its outputs that has a target."""
    outcomes = [each for each in now.outcomes if each.output == now.outcomes[0].output]
    if not outcomes:
        return None
    names = {each.output for each in now.outcomes}
    whose = f" (output {outcomes[0].output})" if len(names) > 1 else ""
    if outcomes[0].right is None:
        parts = [f"{_short(each.error)} on {each.probe}" for each in outcomes]
        text = f"What the model gives is off by {_listed(parts)}, on average{whose}."
        return Answer(text, outcomes[0].error, "probe")
    verb = "is" if outcomes[0].right == 1 else "are"
    parts = [f"{each.right} of {each.of} of {each.probe}" for each in outcomes]
    parts[0] += f" {verb} right"
    what = "steps" if outcomes[0].by_step else "sequences"
    text = f"Of the probe's {what}, {_listed(parts)}{whose}."
    return Answer(text, outcomes[0].right / max(1, outcomes[0].of), "probe")


def _listed(parts: Sequence[str]) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"


def _memory(now: Figures) -> Answer | None:
    longest = now.longest_horizon
    if longest is None or longest != longest:
        return None
    if longest >= now.timesteps:
        text = f"The longest memory is longer than the {_steps(now.timesteps)} of the probe"
    else:
        text = f"The longest memory is {_short(longest)} of {_steps(now.timesteps)}"
    unit = "" if now.longest_unit is None else f" (unit {now.longest_unit})"
    return Answer(f"{text}{unit}.", longest, "memory", now.longest_unit)


def _gradient(now: Figures) -> Answer | None:
    reach = now.gradient_reach
    if reach is None or not isfinite(reach):
        return None
    if reach >= now.timesteps - 1:
        text = f"The gradient reaches all {_steps(now.timesteps)}."
        if now.timesteps == 1:
            return None
    else:
        text = f"The gradient reaches {_short(reach)} of {now.timesteps - 1} steps back."
    return Answer(text, reach, "gradient")


def _movement(course: Sequence[Figures]) -> Answer | None:
    """Which gate has moved most, when it did, and what the loss did meanwhile."""
    if len(course) < 2:
        return _opening(course[-1])
    first, now = course[0], course[-1]
    moved = {k: now.means[k] - first.means[k] for k in now.means.keys() & first.means.keys()}
    letter = max(sorted(moved), key=lambda k: abs(moved[k]), default=None)
    loss = _loss_between(course)
    if letter is None or not abs(moved[letter]) >= _MOVED:
        return (
            None if loss is None else Answer(f"The gates have hardly moved; {loss}.", step=now.step)
        )
    start, end = _when(course, letter)
    verb = "opened" if moved[letter] > 0 else "closed"
    text = (
        f"The {_GATES.get(letter, f'gate {letter}')} {verb} from {start.means[letter]:.2f} to "
        f"{end.means[letter]:.2f} between steps {start.step} and {end.step}"
    )
    loss = _loss_between([each for each in course if start.step <= each.step <= end.step])
    return Answer(f"{text}{f', while {loss}' if loss else ''}.", moved[letter], step=end.step)


def _opening(now: Figures) -> Answer | None:
    """How far the gate is open that keeps the past: one capture tells no more of the gates."""
    letter = next((each for each in _KEEPERS if each in now.means), None)
    if letter is None or not isfinite(now.means[letter]):
        return None
    text = f"The {_GATES[letter]} is at {now.means[letter]:.2f} on average, where 1 keeps all"
    return Answer(f"{text} and 0 forgets all.", now.means[letter], "gates")


def _when(course: Sequence[Figures], letter: str) -> tuple[Figures, Figures]:
    """The shortest stretch of captures in which the gate moved by nine tenths of its way."""
    known = [each for each in course if letter in each.means]
    first, last = known[0].means[letter], known[-1].means[letter]
    sign = 1 if last > first else -1
    wanted = 0.9 * abs(last - first)
    best, start = (0, len(known) - 1), 0
    for end in range(len(known)):
        while sign * (known[end].means[letter] - known[start].means[letter]) >= wanted:
            if end - start < best[1] - best[0]:
                best = start, end
            start += 1
    return known[best[0]], known[best[1]]


def _loss_between(course: Sequence[Figures]) -> str | None:
    losses = [each.training["loss"] for each in course if "loss" in each.training]
    if len(losses) < 2:
        return None
    if not isfinite(losses[-1]):
        return "the loss is no number any more"
    if abs(losses[-1] - losses[0]) <= _STILL * max(abs(losses[0]), abs(losses[-1])):
        return f"the loss stood still at {losses[-1]:.3g}"
    verb = "fell" if losses[-1] < losses[0] else "rose"
    return f"the loss {verb} from {losses[0]:.3g} to {losses[-1]:.3g}"


def _dead(now: Figures) -> Answer | None:
    if not now.dead:
        return None
    verb = "does" if now.dead == 1 else "do"
    return Answer(f"{now.dead} of {now.units} units {verb} not move.", now.dead, "gates")


def _health(standing: Sequence[Mapping[str, Any]] | None, now: Figures) -> list[Answer]:
    if standing is None:
        return []
    if not standing:
        return [] if now.verdict == "mismatch" else [Answer("Nothing is wrong.", 0, "gates")]
    return [
        Answer(
            f"{str(alert.get('rule')).replace('_', ' ').capitalize()} since step "
            f"{alert.get('step')}: {alert.get('what')}.",
            alert.get("value"),
            _SEEN_IN.get(str(alert.get("rule")), "gates"),
            alert.get("unit"),
            alert.get("step"),
        )
        for alert in standing[:3]
    ]


def _steps(count: int) -> str:
    return f"{count} step{'s' * (count != 1)}"


def _short(value: float | None) -> str:
    return (
        "an unknown amount" if value is None else f"{value:.2g}" if value < 100 else f"{value:.0f}"
    )
