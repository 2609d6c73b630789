"""`explain_layer`: all that the analyses of a network's computation say of one layer."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, Protocol

import numpy as np
import numpy.typing as npt

from lstm_probe.analysis.affordable import affordable
from lstm_probe.analysis.analysis import Analysis
from lstm_probe.analysis.captured import Captured, captured
from lstm_probe.analysis.rest import Rest, RestError
from lstm_probe.analysis.snapshot import Snapshot
from lstm_probe.analysis.words.answers import Answer
from lstm_probe.core.arrays import Array
from lstm_probe.core.errors import LstmProbeError
from lstm_probe.core.views import view

__all__ = ["ANALYSES", "FOLLOWING", "Explained", "Finding", "check_names", "explain_layer"]

#: Arrays of more numbers are left out of JSON.
_LARGEST: Final = 20_000
#: The largest state of which fixed points are looked for.
_LARGEST_STATE: Final = 512
#: At how many points gradients are taken at most.
_POINTS: Final = 512
#: How many units or outputs are attributed.
_ATTRIBUTED: Final = 3


class Finding(Protocol):
    """The result of one analysis."""

    def sentences(self) -> list[Answer]:
        """What it says, with the numbers behind it."""

    def plain(self) -> dict[str, Any]:
        """Its fields by name, for JSON."""


@dataclass(frozen=True, eq=False)
class Explained:
    """What the analyses say of one layer.

    Attributes:
        layer: the name of the layer.
        step: the training step.
        findings: the result of each analysis that could be made, by its name.
        missing: why another was not made, in a sentence, by its name.
        notes: what else a reader should know, as that an analysis saw some sequences only.
        seconds: how long each analysis took, by its name.
        asked_of: what becomes of the layer's output, and who computes it, in a sentence; empty
            where the analyses end at its `h`.

    Example:
        >>> Explained("memory", 0, {}, {"need": "There is no target."}, (), {}).missing
        {'need': 'There is no target.'}
    """

    layer: str
    step: int
    findings: Mapping[str, Finding]
    missing: Mapping[str, str]
    notes: tuple[str, ...] = ()
    seconds: Mapping[str, float] = field(default_factory=dict)
    asked_of: str = ""

    def sentences(self) -> list[Answer]:
        """What all analyses say, in their order."""
        return [answer for each in self.findings.values() for answer in each.sentences()]

    def plain(self) -> dict[str, Any]:
        """All of it by name, for JSON: of arrays of more than 20,000 numbers the shapes."""
        findings = {
            name: {
                **{key: _shortened(value) for key, value in each.plain().items()},
                "sentences": [answer.plain() for answer in each.sentences()],
            }
            for name, each in self.findings.items()
        }
        return {**vars(self), "findings": findings}

    def __str__(self) -> str:
        lines = [f"{self.layer}, step {self.step}"]
        lines += [f"  {self.asked_of}"] if self.asked_of else []
        for name, each in self.findings.items():
            lines += [f"  {name}", *(f"    {answer.text}" for answer in each.sentences())]
        for name, why in self.missing.items():
            lines += [f"  {name}", f"    Not made: {why}"]
        return "\n".join([*lines, *(f"  note: {note}" for note in self.notes)])

    def _repr_html_(self) -> str:
        return str(view("Explained._repr_html_")(self))


def _shortened(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _shortened(item) for key, item in value.items()}
    if isinstance(value, np.ndarray) and value.size > _LARGEST:
        return {"shape": list(value.shape)}
    return value


@dataclass(frozen=True)
class _Asked:
    """What a user has given for the analyses.

    Attributes:
        labels: series of the user's, by name.
        target: what each sequence, or each step, should give.
        rest: the part of the model after the layer.
        first: the first layer, whose input is that of the model.
    """

    labels: Mapping[str, Any] | None
    target: npt.ArrayLike | None
    rest: Rest | None
    first: Snapshot


def explain_layer(
    analysis: Analysis,
    *,
    labels: Mapping[str, Any] | None = None,
    target: npt.ArrayLike | None = None,
    rest: Rest | None = None,
    first: Snapshot | None = None,
    analyses: Sequence[str] | None = None,
    notes: Sequence[str] = (),
    progress: Callable[[str], None] | None = None,
) -> Explained:
    """Make the analyses of a layer that can be made.

    Args:
        analysis: the layer on the probe.
        labels: series of the user's, by name, as `track` takes them.
        target: what each sequence, or each step, should give, as `measure_need` takes it, and
            `Rest.towards`.
        rest: the part of the model after the layer, if it can be run.
        first: the first layer of the model, if this is another one: what the target needs is asked
            of the model's own input.
        analyses: the names of some of `ANALYSES`; None for all.
        notes: what a reader should know beforehand.
        progress: is called with the name of each analysis before it is made.

    Raises:
        LstmProbeError: there is no such analysis, or the recurrence of the layer is not known.
            What is missing for one analysis is said in `missing`.

    Example:
        >>> import lstm_probe
        >>> rng = np.random.default_rng(0)
        >>> w = lstm_probe.weights.from_keras(rng.normal(size=(1, 8)), rng.normal(size=(2, 8)))
        >>> x = rng.normal(size=(8, 12, 1))
        >>> h = lstm_probe.lstm(x, w).h
        >>> seen = lstm_probe.Snapshot(0, "lstm", lstm_probe.LstmCell(), w, x=x, output=h)
        >>> found = explain_layer(lstm_probe.analyse(seen), analyses=["ablation", "tracking"])
        >>> list(found.findings), len(found.sentences()) > 2
        (['ablation', 'tracking'], True)
    """
    names, whole, told = check_names(analyses), captured(analysis), list(notes)
    asked = _Asked(labels, target, rest, first or analysis.snapshot)
    if FOLLOWING.intersection(names):
        asked = _followed(whole, asked, told)
    findings, missing = dict[str, Finding](), dict[str, str]()
    seconds, asked_of = dict[str, float](), ""
    for name in names:
        began = time.perf_counter()
        if progress is not None:
            progress(name)
        try:
            try:
                findings[name] = _MAKERS[name](analysis, whole, asked, findings, told)
                asked_of = asked_of or _asked_of(name, asked.rest)
            except RestError as error:
                told.append(f"{name.capitalize()} ends at the layer's own h. {error}")
                at_h = replace(asked, rest=None)
                findings[name] = _MAKERS[name](analysis, whole, at_h, findings, told)
        except LstmProbeError as error:
            missing[name] = str(error)
        seconds[name] = time.perf_counter() - began
    step = whole.snapshot.step
    return Explained(whole.snapshot.layer, step, findings, missing, tuple(told), seconds, asked_of)


def check_names(analyses: Sequence[str] | None) -> list[str]:
    """The names of the analyses, in the order in which they are made.

    Raises:
        LstmProbeError: there is no such analysis.

    Example:
        >>> check_names(["tracking", "ablation"])
        ['ablation', 'tracking']
    """
    asked = ANALYSES if analyses is None else analyses
    unknown = [str(each) for each in asked if each not in ANALYSES]
    if unknown or isinstance(analyses, str):
        raise LstmProbeError(
            f"There is no such analysis. Received: {analyses!r}. Expected: a list of some of "
            f"{', '.join(ANALYSES)}."
        )
    return [name for name in ANALYSES if name in asked]


def _followed(seen: Captured, asked: _Asked, notes: list[str]) -> _Asked:
    """The rest of the model, if it can be run on the layer's output, with the loss of the target,
    if it is one of the model's output."""
    rest, target = asked.rest, asked.target
    if rest is None:
        return asked
    try:
        outputs = rest.rows(seen.output)
    except RestError as error:
        notes.append(f"The model after the layer is not run. {error}")
        return replace(asked, rest=None)
    if target is None or rest.losses is not None:
        return asked
    try:
        return replace(asked, rest=rest.towards(target, outputs))
    except LstmProbeError as error:
        notes.append(f"The loss is not measured: {error}")
        return asked


def _asked_of(name: str, rest: Rest | None) -> str:
    """What an analysis has followed the layer to, in a sentence; nothing if to nothing."""
    if name not in FOLLOWING or rest is None or (name == "attribution" and rest.back is None):
        return ""
    if rest.name != Rest.name:
        return f"What becomes of its output: {rest.name}, as NumPy computes it."
    loss = "" if rest.losses is None or name == "attribution" else f" and its {rest.loss_name}"
    return f"What becomes of its output: {rest.name}{loss}, asked of the model itself."


def _ablation(
    analysis: Analysis, seen: Captured, asked: _Asked, before: Mapping[str, Any], notes: list[str]
) -> Finding:
    from lstm_probe.analysis.ablation.ablation import ablate

    copies = 2 * seen.units.count
    part, rest = affordable(analysis, asked.rest, copies, "ablation", notes)
    return ablate(part, rest=rest)


def _tracking(
    analysis: Analysis, seen: Captured, asked: _Asked, before: Mapping[str, Any], notes: list[str]
) -> Finding:
    from lstm_probe.analysis.tracking.tracking import track

    return track(analysis, asked.labels)


def _attribution(
    analysis: Analysis, seen: Captured, asked: _Asked, before: Mapping[str, Any], notes: list[str]
) -> Finding:
    from lstm_probe.analysis.attribution.attribution import attribute

    copies = 64 * _ATTRIBUTED + seen.snapshot.timesteps
    part, rest = affordable(analysis, asked.rest, copies, "", notes)
    if asked.rest is not None and rest is not None and rest.back is not None:
        outputs = asked.rest.rows(seen.output)
        spread = outputs.std(axis=0) if len(outputs) > 1 else np.abs(outputs[0])
        return attribute(part, rest=rest, outputs=_largest(spread), most_points=_POINTS)
    ablation = before.get("ablation")
    by_unit = np.zeros(seen.units.count) if ablation is None else ablation.at_mean.ranked_by
    followed = [u for each in getattr(before.get("tracking"), "named", {}).values() for u in each]
    spread = _spread(seen)
    chosen = list(dict.fromkeys([*followed[:2], *_largest(by_unit if by_unit.any() else spread)]))
    return attribute(part, units=chosen[:_ATTRIBUTED], most_points=_POINTS)


def _need(
    analysis: Analysis, seen: Captured, asked: _Asked, before: Mapping[str, Any], notes: list[str]
) -> Finding:
    from lstm_probe.analysis.need.need import measure_need

    if asked.target is None:
        raise LstmProbeError(
            "There is no target, and so nothing that a memory would be needed for."
        )
    own = asked.first.x.shape[:2] == seen.snapshot.x.shape[:2]
    data = asked.first if own else seen.snapshot
    return measure_need(analysis, asked.target, data=data.x, mask=data.mask)


def _stability(
    analysis: Analysis, seen: Captured, asked: _Asked, before: Mapping[str, Any], notes: list[str]
) -> Finding:
    from lstm_probe.analysis.stability.stability import measure_stability

    size = sum(seen.trace[k].shape[-1] for k in seen.cell.states if k in seen.trace.letters)
    if size > _LARGEST_STATE:
        raise LstmProbeError(
            f"It would take minutes. Received: a state of {size} values. Expected: up to "
            f"{_LARGEST_STATE}, or lstm_probe.analysis.measure_stability, which takes any."
        )
    return measure_stability(analysis)


def _geometry(
    analysis: Analysis, seen: Captured, asked: _Asked, before: Mapping[str, Any], notes: list[str]
) -> Finding:
    from lstm_probe.analysis.geometry.geometry import measure_geometry

    return measure_geometry(analysis, target=asked.target)


def _spread(seen: Captured) -> Array:
    """`(units,)`: how much each unit's last `h` differs between sequences, or is, of one."""
    final = seen.trace.final["h"]
    by_value = final.std(axis=0) if len(final) > 1 else np.abs(final[0])
    if seen.units.projected:
        return np.asarray(by_value)
    return np.asarray(np.bincount(seen.units.of_output, by_value))


def _largest(values: Array) -> list[int]:
    return np.argsort(-values, kind="stable")[:_ATTRIBUTED].tolist()


_Maker = Callable[[Analysis, Captured, _Asked, Mapping[str, Any], list[str]], Finding]
_MAKERS: Final[Mapping[str, _Maker]] = {
    "ablation": _ablation,
    "tracking": _tracking,
    "attribution": _attribution,
    "need": _need,
    "stability": _stability,
    "geometry": _geometry,
}
#: The names of all analyses, in the order in which they are made.
ANALYSES: Final = tuple(_MAKERS)
#: Those that follow a layer through the rest of its model.
FOLLOWING: Final = frozenset({"ablation", "attribution"})
