"""`attribute`: which steps and features of the input a unit or an output comes from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from lstm_probe.analysis.analysis import Analysis
from lstm_probe.analysis.attribution.path import PathIntegral, integrate
from lstm_probe.analysis.attribution.targets import Outputs, Targets, UnitsAtTheEnd
from lstm_probe.analysis.captured import Captured, captured
from lstm_probe.analysis.rest import Rest
from lstm_probe.analysis.snapshot import Snapshot
from lstm_probe.analysis.words.answers import Answer
from lstm_probe.analysis.words.attribution import told
from lstm_probe.core.arrays import Array, as_floats
from lstm_probe.core.blas import on_one_blas_thread
from lstm_probe.core.errors import LstmProbeError

__all__ = ["Attribution", "attribute"]


@dataclass(frozen=True, eq=False)
class Attribution:
    """From which steps and features of the input `K` scalars of each sequence come.

    All arrays are float64, and steps are in the order of the input's time.

    Attributes:
        layer: the name of the layer.
        step: the training step.
        word: what the scalars are: `unit` or `filter` for the hidden state after the last step,
            `output` for an output of the model, and `value` for one of what layers above give.
        chosen: which of them.
        values: `(K, batch, time, input)`: the integrated gradients, in the units of the scalar.
        occlusion: `(K, batch, time)`: by how much the scalar falls when the step alone is replaced
            by the baseline. Integrated gradients pass through half-open gates, and may credit
            another step than the one without which the scalar changes.
        at_input: `(K, batch)`: the scalars.
        at_baseline: `(K, batch)`: the scalars at the baseline.
        baseline: what the baseline is: `zeros`, `mean` or `given`.
        steps_back: `(batch, time)`, int: how many steps that count the layer reads after each step;
            -1 at a step that the mask leaves out.
        points: at how many points between baseline and input gradients were taken.
        tolerance: to which the attributions should be complete.

    Source:
        Sundararajan, Taly & Yan 2017, "Axiomatic attribution for deep networks", arXiv 1703.01365;
        occlusion: Zeiler & Fergus 2014, "Visualizing and understanding convolutional networks".

    Example:
        >>> import lstm_probe
        >>> rng = np.random.default_rng(0)
        >>> w = lstm_probe.weights.from_keras(rng.normal(size=(3, 8)), rng.normal(size=(2, 8)))
        >>> x = rng.normal(size=(1, 5, 3))
        >>> trace = lstm_probe.lstm(x, w)
        >>> seen = lstm_probe.Snapshot(0, "lstm", lstm_probe.LstmCell(), w, x=x, output=trace.h)
        >>> found = attribute(seen, units=[1])
        >>> found.values.shape, found.incompleteness < 1e-6
        ((1, 1, 5, 3), True)
    """

    layer: str
    step: int
    word: str
    chosen: tuple[int, ...]
    values: Array
    occlusion: Array
    at_input: Array
    at_baseline: Array
    baseline: str
    steps_back: npt.NDArray[np.int_]
    points: int
    tolerance: float = 1e-6

    @property
    def by_step(self) -> Array:
        """`(K, batch, time)`: the values summed over the features."""
        return np.asarray(self.values.sum(axis=-1))

    @property
    def incompleteness(self) -> float:
        """By how much the sums miss `f(x) - f(baseline)`: the largest miss over scalars and
        sequences, relative to the difference where that is above 1. It is evidence, 0 or more."""
        change = self.at_input - self.at_baseline
        missing = np.abs(self.values.sum(axis=(2, 3)) - change) / np.maximum(1, np.abs(change))
        return float(missing.max())

    @property
    def strongest(self) -> npt.NDArray[np.int_]:
        """`(K, batch)`: the step to which most is attributed, of either sign."""
        return np.abs(self.by_step).argmax(axis=-1)

    @property
    def strongest_by_occlusion(self) -> npt.NDArray[np.int_]:
        """`(K, batch)`: the step without which the scalar changes most."""
        return np.abs(self.occlusion).argmax(axis=-1)

    @property
    def agrees(self) -> npt.NDArray[np.bool_]:
        """`(K, batch)`: whether the scalar changes without the strongest step as much as without
        any other, to 1 %. Several steps may be equal."""
        sizes = np.abs(self.occlusion)
        own = np.take_along_axis(sizes, self.strongest[..., None], axis=-1)[..., 0]
        return np.asarray(own >= 0.99 * sizes.max(axis=-1))

    def sentences(self) -> list[Answer]:
        """What this says, with the numbers behind it."""
        return told(self.plain())

    def plain(self) -> dict[str, Any]:
        """All fields and properties by name, for JSON."""
        derived = ("by_step", "incompleteness", "strongest", "strongest_by_occlusion", "agrees")
        return {**vars(self), **{name: getattr(self, name) for name in derived}}


@on_one_blas_thread
def attribute(
    seen: Analysis | Snapshot,
    *,
    units: Sequence[int] | None = None,
    rest: Rest | None = None,
    outputs: Sequence[int] | None = None,
    baseline: str | npt.ArrayLike = "zeros",
    tolerance: float = 1e-6,
    most_points: int = 4096,
) -> Attribution:
    """Attribute the end of a layer, or an output of the model, to the steps of the layer's input.

    Args:
        seen: the layer on the probe.
        units: whose hidden state after the last step is attributed: units, or filters of a
            convolutional cell, of which the mean over space is taken; values of `h` where that is a
            projection. None for all, if there is no `rest`.
        rest: the part of the model after the layer, whose outputs are then attributed.
        outputs: which outputs of the model; None for all.
        baseline: `zeros`; `mean`, which is that of each feature over the steps that count; or an
            input `(batch, time, input)`, or what can be broadcast to one.
        tolerance: to which the attributions are complete; that of `rest`, if it is larger.
        most_points: at how many points gradients are taken at most. An activation with a kink, such
            as `relu`, takes more of them.

    Returns:
        The attributions, with what makes them credible: `incompleteness`, and occlusion beside.

    Raises:
        LstmProbeError: there is no gradient through the cell, no such unit or output, or the
            baseline does not fit the input.

    Source:
        Sundararajan, Taly & Yan 2017, arXiv 1703.01365, equation 1.

    Example:
        >>> import lstm_probe
        >>> halves = lstm_probe.weights.from_keras(np.ones((1, 1)), np.array([[0.5]]))
        >>> x, cell = np.array([[[1.0], [0.0], [3.0]]]), lstm_probe.SimpleRnnCell("linear")
        >>> h = cell.run(x, halves).h
        >>> seen = lstm_probe.Snapshot(0, "fades", cell, halves, x=x, output=h)
        >>> attribute(seen).by_step.round(12).tolist()
        [[[0.25, 0.0, 3.0]]]
    """
    found = captured(seen)
    x = np.asarray(found.snapshot.x, np.float64)
    if not np.isfinite(x).all():
        raise LstmProbeError(
            f"The input of layer {found.snapshot.layer!r} is not finite. Received: NaN or infinity "
            "in x. Expected: a probe on which every step before the layer gives numbers."
        )
    name, start = _baseline(found, x, baseline)
    targets = _targets(found, units, rest, outputs)
    tolerance = tolerance if rest is None else max(tolerance, rest.tolerance)
    parts = [
        integrate(each, x, start, tolerance=tolerance, most=most_points)
        for each in _few_at_once(targets, x)
    ]
    path = PathIntegral(
        np.concatenate([each.values for each in parts]),
        np.concatenate([each.at_input for each in parts]),
        np.concatenate([each.at_baseline for each in parts]),
        max(each.points for each in parts),
    )
    return Attribution(
        layer=found.snapshot.layer,
        step=found.snapshot.step,
        word=found.units.word if rest is None else _WORDS.get(rest.name, "value"),
        chosen=tuple(targets.chosen),
        values=path.values,
        occlusion=_occlusion(targets, x, start, path.at_input),
        at_input=path.at_input,
        at_baseline=path.at_baseline,
        baseline=name,
        steps_back=_steps_back(found),
        points=path.points,
        tolerance=tolerance,
    )


#: What a scalar is called, by the name of what the rest of a model gives.
_WORDS = {Rest.name: "output"}
#: Attributions of about this many numbers are integrated at once.
_NUMBERS = 2**22


def _targets(
    seen: Captured, units: Sequence[int] | None, rest: Rest | None, outputs: Sequence[int] | None
) -> Targets:
    if rest is None:
        if outputs is not None:
            raise LstmProbeError(
                f"The model's outputs are not known. Received: outputs={list(outputs)} without "
                "rest. Expected: rest, the part of the model after the layer, or units."
            )
        size = seen.units.of_output.size if seen.units.projected else seen.units.count
        return UnitsAtTheEnd(seen, _chosen("units", units, size))
    if units is not None or rest.back is None:
        raise LstmProbeError(
            "An output is attributed through the rest of the model. Received: "
            f"{'a rest without its gradient' if units is None else 'both units and rest'}. "
            "Expected: units, or a rest that has `back`."
        )
    size = rest.rows(seen.output).shape[1]
    return Outputs(seen, _chosen("outputs", outputs, size), rest)


def _chosen(what: str, given: Sequence[int] | None, size: int) -> list[int]:
    chosen = list(range(size)) if given is None else [int(each) for each in given]
    if not chosen or min(chosen) < 0 or max(chosen) >= size:
        raise LstmProbeError(
            f"There are no such {what}. Received: {what}={chosen}. Expected: some of 0 to "
            f"{size - 1}."
        )
    return chosen


def _baseline(seen: Captured, x: Array, given: str | npt.ArrayLike) -> tuple[str, Array]:
    if isinstance(given, str):
        if given == "zeros":
            return given, np.zeros_like(x)
        if given == "mean":
            return given, np.broadcast_to(x[seen.valid()].mean(axis=0), x.shape)
        received = repr(given)
    else:
        array = as_floats(given, "The baseline", "(batch, time, input)").astype(np.float64)
        try:
            if np.isfinite(array).all():
                return "given", np.broadcast_to(array, x.shape)
        except ValueError:
            pass
        received = f"an array of shape {array.shape}"
    raise LstmProbeError(
        f"The baseline does not fit the input of layer {seen.snapshot.layer!r}. Received: "
        f"{received}. Expected: 'zeros', 'mean', or finite numbers of shape {x.shape}."
    )


def _few_at_once(targets: Targets, x: Array) -> list[Targets]:
    """The same targets, in groups that are not too large."""
    most = max(1, _NUMBERS // (x.size + x.shape[0] * x.shape[1] * targets.seen.units.of_state.size))
    groups = [targets.chosen[k : k + most] for k in range(0, len(targets.chosen), most)]
    if isinstance(targets, Outputs):
        return [Outputs(targets.seen, each, targets.rest) for each in groups]
    return [UnitsAtTheEnd(targets.seen, each) for each in groups]


def _occlusion(targets: Targets, x: Array, baseline: Array, at_input: Array) -> Array:
    """By how much each scalar falls when one step is replaced by the baseline."""
    steps = np.arange(x.shape[1])
    without = np.repeat(x[None], len(steps), axis=0)
    without[steps, :, steps] = baseline.swapaxes(0, 1)
    return (at_input[:, None] - targets.values(without)).transpose(0, 2, 1)


def _steps_back(seen: Captured) -> npt.NDArray[np.int_]:
    flip = slice(None, None, 1 if seen.snapshot.reverse else -1)
    counts = seen.valid()[:, flip]
    return np.where(counts, counts.cumsum(axis=1) - 1, -1)[:, flip]
