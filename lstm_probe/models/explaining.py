"""`explain`: what a model's recurrent layers compute, in sentences."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from lstm_probe.analysis.analysis import Analysis, analyse
from lstm_probe.analysis.captured import captured
from lstm_probe.analysis.explained import FOLLOWING, Explained, check_names, explain_layer
from lstm_probe.analysis.rest import Rest
from lstm_probe.analysis.tracking.series import label_series, packed
from lstm_probe.core.errors import LstmProbeError
from lstm_probe.models.files.probes import read_probe
from lstm_probe.models.inspection import open_model
from lstm_probe.models.live import live_look
from lstm_probe.models.named_probes import Probes
from lstm_probe.models.opened import Opened
from lstm_probe.models.probe import given_probe

__all__ = ["Explanations", "explain", "explain_analyses", "explain_opened"]


def explain(
    model: Any,
    probe: Any,
    *,
    labels: Mapping[str, Any] | None = None,
    target: npt.ArrayLike | None = None,
    layers: Sequence[str] | None = None,
    analyses: Sequence[str] | None = None,
    progress: Callable[[str, str], None] | None = None,
    **options: Any,
) -> Explanations:
    """Analyse what each recurrent layer of a model computes.

    Args:
        model: a model, live or as a path, as `inspect` takes it.
        probe: an input of the model with several sequences: with 7 or more, what a unit follows can
            be told from chance. `Probes` become one batch, of which the targets count as `target`.
        labels: series of yours, by name, each `(batch, time)` or `(batch,)`: which unit follows
            which.
        target: what each sequence should give: `(batch,)` classes or numbers, or as the model's
            output is.
        layers: the names of the layers; None for all.
        analyses: some of `ablation`, `tracking`, `attribution`, `need` (which takes a target),
            `stability` and `geometry`; None for all.
        progress: is called with the layer and the analysis before each is made.
        **options: the other options of `inspect`, such as `config` and `trusted`.

    Returns:
        What was found in each layer, by its name: printed, or at the end of a cell of a notebook,
        it shows its sentences. What could not be analysed is said there.

    Raises:
        LstmProbeError: the model cannot be read or does not take the probe, or there is no such
            analysis.

    Example:
        >>> import numpy as np, tempfile, os
        >>> path = os.path.join(tempfile.mkdtemp(), "weights.npz")
        >>> np.savez(path, **{"memory/kernel": np.ones((1, 8)),
        ...                   "memory/recurrent_kernel": np.ones((2, 8))})
        >>> found = explain(path, np.random.default_rng(0).normal(size=(8, 5, 1)))
        >>> list(found["memory"].findings)
        ['ablation', 'tracking', 'attribution', 'stability', 'geometry']
        >>> found["memory"].missing
        {'need': 'There is no target, and so nothing that a memory would be needed for.'}
    """
    names = check_names(analyses)
    asked: dict[str, Any] = {
        "labels": labels, "target": target, "analyses": names, "progress": progress
    }  # fmt: skip
    if isinstance(model, (str, PathLike)):
        opened = open_model(Path(model), layers=layers, **_of_files(model, options))
        given = given_probe(probe)
        named = given.targets if isinstance(probe, Probes) else None
        return explain_opened(opened, given.inputs, **with_target(asked, named))
    if isinstance(probe, (str, PathLike)):
        probe = read_probe(Path(probe))
    look = live_look(model, probe, layers=layers, forward=options.get("forward"))
    found = {each.layer: analyse(each) for each in look.snapshots}
    asked = with_target(asked, look.targets)
    return _explain_followed(found, look.rests, **asked)


def with_target(asked: dict[str, Any], targets: Mapping[str, Any] | None) -> dict[str, Any]:
    """Options of `explain` with the targets of named probes, where that is one array and no other
    target is given.

    Args:
        asked: the options.
        targets: of the probes, by name; None if there are none.
    """
    if targets is None or len(targets) != 1 or asked["target"] is not None:
        return asked
    return {**asked, "target": next(iter(targets.values()))}


class Explanations(dict[str, Explained]):
    """What was found in each layer, by its name."""

    def __str__(self) -> str:
        return "\n\n".join(map(str, self.values()))

    def _repr_html_(self) -> str:
        return "".join(each._repr_html_() for each in self.values())


def explain_opened(opened: Opened, probe: Any, **asked: Any) -> Explanations:
    """As `explain`, of a model that has been opened.

    The layers of a Keras model are followed by the rest of it, which runs where the file has been
    loaded: in a process of its own, unless the file is trusted. In other files layers are followed
    by the layers above them.

    Args:
        opened: the model.
        probe: an input of it, as `as_probe` gives it.
        **asked: the options of `explain_analyses`.
    """
    found = opened.analyses(probe)
    return _explain_followed(found, lambda: opened.rests(found), **asked)


def _explain_followed(
    found: Mapping[str, Analysis],
    make: Callable[[], tuple[Mapping[str, Rest], str]],
    **asked: Any,
) -> Explanations:
    """As `explain_analyses`, with the rests of a model, which are made if an analysis takes one."""
    _check_target(asked.get("target"), found)
    follow = not FOLLOWING.isdisjoint(check_names(asked.get("analyses")))
    rests, why = make() if follow else ({}, "")
    return explain_analyses(found, rests=rests, notes=[why] if why else [], **asked)


def _of_files(path: Any, options: Mapping[str, Any]) -> dict[str, Any]:
    """The options of a file."""
    if options.get("forward") is not None:
        raise LstmProbeError(
            f"A file is run by its model's own call. Received: {path} with forward. Expected: a "
            "live model, such as keras.saving.load_model(path), for forward; or no forward."
        )
    return {name: value for name, value in options.items() if name != "forward"}


def explain_analyses(
    found: Mapping[str, Analysis],
    *,
    labels: Mapping[str, Any] | None = None,
    target: npt.ArrayLike | None = None,
    analyses: Sequence[str] | None = None,
    rests: Mapping[str, Rest] | None = None,
    notes: Sequence[str] = (),
    progress: Callable[[str, str], None] | None = None,
) -> Explanations:
    """As `explain`, of layers that have been analysed.

    Args:
        found: the analysis of each layer, by its name.
        labels: as for `explain`.
        target: as for `explain`.
        analyses: as for `explain`.
        rests: the part of the model after each layer that has one.
        notes: what a reader should know of all layers.
        progress: as for `explain`.

    Raises:
        LstmProbeError: the labels fit no layer.
    """
    names = check_names(analyses)
    known = {name: each for name, each in found.items() if each.snapshot.cell is not None}
    if "tracking" in names and labels is not None and known:
        _check_labels(labels, list(known.values()))
    why = "Its recurrence is not known: see lstm_probe.register_cell."
    return Explanations(
        {
            name: Explained(name, each.snapshot.step, {}, dict.fromkeys(names, why))
            if name not in known
            else explain_layer(
                each,
                labels=labels,
                target=target,
                rest=(rests or {}).get(name),
                first=next(iter(known.values())).snapshot,
                analyses=names,
                notes=notes,
                progress=None if progress is None else partial(progress, name),
            )
            for name, each in found.items()
        }
    )


def _check_target(target: npt.ArrayLike | None, found: Mapping[str, Analysis]) -> None:
    """Check that the target has something for each sequence of the probe: of what kind that is, the
    analyses say."""
    if target is None or not found:
        return
    given, batches = np.asarray(target), {len(each.snapshot.x) for each in found.values()}
    # A layer may read a sequence of the probe in parts, as within TimeDistributed.
    if given.ndim == 0 or not len(given) or all(batch % len(given) for batch in batches):
        raise LstmProbeError(
            f"The target does not fit the probe. Received: shape {given.shape}. Expected: a value "
            f"for each of its {' or '.join(map(str, sorted(batches)))} sequences, (batch,), or "
            "several, (batch, outputs)."
        )
    if given.ndim == 1 and given.dtype.kind == "f" and not np.isfinite(given).all():
        raise LstmProbeError(
            "The target is not finite. Received: "
            f"{len(given) - int(np.isfinite(given).sum())} of {len(given)} values that are NaN or "
            "infinite. Expected: a number or a class for each sequence."
        )


def _check_labels(labels: Mapping[str, Any], analyses: Sequence[Analysis]) -> None:
    """Check that the labels fit some layer: one that reads other timesteps is left out later."""
    for number, analysis in enumerate(analyses):
        seen = captured(analysis)
        try:
            places = packed(seen.valid(), reverse=seen.snapshot.reverse)
            label_series(labels, places, seen.snapshot.x.shape[:2])
            return
        except LstmProbeError:
            if number == len(analyses) - 1:
                raise
