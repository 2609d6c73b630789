"""What cells compute from plain arrays, and what is said of layers that compute just that."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import numpy as np
from described import alerts_as_data, note_analysis, note_trace, record_as_data
from observations import Observations
from plain_cells import CELLS, Case, Situation, situations

import lstm_probe
from lstm_probe import Snapshot, analyse

__all__ = ["as_shown", "observe", "rounded", "snapshot_of"]

#: For half precisions the layer's own rounding is imitated on its output alone.
_MANTISSAS = {"float16": 10, "bfloat16": 7}


def observe(seen: Observations) -> None:
    """Every cell in every situation, in both dtypes; and the analysis of each."""
    for number, (name, case) in enumerate(CELLS.items()):
        rng = np.random.default_rng(1000 + number)
        for situation in situations(case, rng):
            with seen.within(f"{name}/{situation.name}"):
                for dtype in ("float64", "float32"):
                    note_trace(seen, dtype, _run(case, situation, dtype))
                _note_analyses(seen, case, situation, rng)
    _note_courses(seen)


def _run(case: Case, situation: Situation, dtype: str) -> lstm_probe.GateTrace:
    return case.run(
        situation.x, mask=situation.mask, initial_state=situation.initial_state, dtype=dtype
    )


def _note_analyses(
    seen: Observations, case: Case, situation: Situation, rng: np.random.Generator
) -> None:
    first = situation.name == "many"
    kinds: list[dict[str, Any]] = [{"dtype": "float64"}, {"dtype": "float32"}]
    if first:
        kinds += [{"dtype": "float16"}, {"dtype": "bfloat16"}]
    if situation.name in ("many", "begun"):
        kinds.append({"dtype": "float32", "reverse": True})
    if situation.name == "masked":
        kinds.append({"dtype": "float32", "zero_output_for_mask": True})
    if situation.name == "begun":
        kinds.append({"dtype": "float32", "initial_output_for_mask": True})
    for options in kinds:
        snapshot = snapshot_of(case, situation, **options)
        name = " ".join(
            ["analysis", options["dtype"], *(each for each in options if each != "dtype")]
        )
        note_analysis(seen, name, analyse(snapshot), more=first)
    plain = snapshot_of(case, situation, dtype="float32")
    noise = 2.0**-24 * rng.normal(size=plain.output.shape)
    noisy = replace(plain, output=(plain.output + noise).astype(np.float32))
    note_analysis(seen, "rounding", analyse(noisy))
    # A single value that is wrong: then the bounds of all steps are worked out.
    place = tuple(size // 2 for size in plain.output.shape)
    for dtype in ("float32", "float16", "float64") if first else ("float32",):
        snapshot = snapshot_of(case, situation, dtype=dtype)
        # Steps without any error at all would leave LAPACK equations that it never solves.
        wrong = snapshot.output + 2.0**-50 * rng.normal(size=snapshot.output.shape)
        wrong[place] += 0.25
        perturbed = analyse(replace(snapshot, output=wrong.astype(snapshot.output.dtype)))
        note_analysis(seen, f"perturbed {dtype}", perturbed, cause=False)


def snapshot_of(case: Case, situation: Situation, **options: Any) -> Snapshot:
    """A layer that shows what the cell computes in float64, rounded to the layer's dtype."""
    x = situation.x.reshape(*situation.x.shape[:2], -1)
    state = situation.initial_state
    flat = None if state is None else tuple(each.reshape(len(each), -1) for each in state)
    # A layer that reads backwards gives, turned round, what one gives for the turned input.
    order = slice(None, None, -1 if options.get("reverse") else 1)
    mask = situation.mask
    turned = replace(
        situation, x=situation.x[:, order], mask=None if mask is None else mask[:, order]
    )
    dtype = options["dtype"]
    h = as_shown(_run(case, turned, "float64").h, turned.mask, **options)
    narrow = np.float64 if dtype == "float64" else np.float32
    final = rounded(h[:, -1], dtype) if options.get("reverse") else None
    return Snapshot(
        step=7,
        layer="layer",
        cell=case.cell,
        weights=case.weights.astype(narrow),
        x=x.astype(narrow),
        output=rounded(h[:, order], dtype),
        final_output=final,
        mask=mask,
        initial_state=flat,
        **options,
    )


def as_shown(h: np.ndarray, mask: np.ndarray | None, **options: Any) -> np.ndarray:
    """What a Keras layer shows at masked steps: the last output, and zero before the first."""
    if mask is None or options.get("initial_output_for_mask"):
        return h
    valid = mask if options.get("zero_output_for_mask") else np.logical_or.accumulate(mask, axis=1)
    return np.where(valid[:, :, None], h, 0.0)


def rounded(array: np.ndarray, dtype: str) -> np.ndarray:
    """To the nearest numbers of a dtype, in float32 where NumPy has no such dtype."""
    if dtype == "float64":
        return array
    if dtype not in _MANTISSAS:
        return array.astype(np.float32)
    fraction, exponent = np.frexp(array)
    scale = 2.0 ** (_MANTISSAS[dtype] + 1)
    return np.ldexp(np.round(fraction * scale) / scale, exponent).astype(np.float32)


def _note_courses(seen: Observations) -> None:
    """Three captures of one layer, each analysed with the one before, as in a training."""
    for name in ("lstm", "lstm everything", "gru", "gru before", "rnn tanh", "conv 2d"):
        case, rng = CELLS[name], np.random.default_rng(77)
        board, norms, previous = lstm_probe.AlertBoard(), lstm_probe.SpectralNorms(), None
        before: Snapshot | None = None
        situation = Situation("course", rng.normal(size=(2, 25, *case.shape)))
        for step in (0, 10, 20):
            arrays = {f.name: getattr(case.weights, f.name) for f in fields(case.weights)}
            moved = {
                name: array + 0.02 * step * rng.normal(0, 0.1, array.shape)
                for name, array in arrays.items()
                if array is not None
            }
            moving = replace(case, weights=replace(case.weights, **moved))
            snapshot = replace(snapshot_of(moving, situation, dtype="float32"), step=step)
            if step == 20:
                snapshot = replace(snapshot, output=snapshot.output * np.float32(1.01))
            analysis = analyse(snapshot, previous=previous)
            with seen.within(f"course {name}/{step}"):
                note_analysis(seen, "analysis", analysis)
                seen.note("alerts", "raised", alerts_as_data(board.update([analysis])))
                seen.note("alerts", "cleared", alerts_as_data(board.cleared))
                seen.note("alerts", "standing", alerts_as_data(board.standing))
                seen.note("dynamics", "norms", norms.update(snapshot.weights))
                seen.note(
                    "dynamics",
                    "spectra",
                    record_as_data(lstm_probe.measure_spectra(snapshot.weights)),
                )
                if before is not None:
                    seen.note(
                        "dynamics",
                        "change",
                        record_as_data(lstm_probe.measure_dynamics(before, snapshot)),
                    )
            previous, before = analysis, snapshot
