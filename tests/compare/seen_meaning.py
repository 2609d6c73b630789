"""What is said of layers that compute something else: verdict, place, gate and cause."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from described import html_as_data, note_analysis, picture
from masking import masked
from observations import Observations
from plain_cells import CELLS, Case, Situation
from seen_cells import rounded, snapshot_of

import lstm_probe
from lstm_probe import Snapshot, analyse

__all__ = ["observe"]

#: What the layer does in truth, while its description says what the case says.
FAULTS: dict[str, Callable[[Case], Case]] = {
    "swapped gates": lambda case: _weights(
        case, lambda a: a[..., [1, 0, *range(2, a.shape[-2])], :]
    ),
    "rolled gates": lambda case: _weights(case, lambda a: np.roll(a, 1, axis=-2)),
    "forget bias": lambda case: _options(case, forget_bias=1.0),
    "slope of hard sigmoid": lambda case: _options(case, recurrent_activation="hard_sigmoid"),
    "other activation": lambda case: _options(case, activation="softsign"),
    "relu": lambda case: _options(case, activation="relu"),
    "other reset": lambda case: _options(case, reset_after=not case.cell.reset_after),
    "clip": lambda case: _options(case, cell_clip=0.25),
    "no bias": lambda case: replace(case, weights=replace(case.weights, bias=None)),
    "transposed": lambda case: replace(
        case,
        weights=replace(
            case.weights, recurrent_kernel=case.weights.recurrent_kernel.swapaxes(0, 2).copy()
        ),
    ),
    "other weights": lambda case: _weights(case, lambda a: a * 1.01),
    "half precision": lambda case: _weights(case, lambda a: rounded(a, "float16")),
}
_GRU_FAULTS = ("swapped gates", "rolled gates", "other reset", "no bias", "other activation")
_LSTM_FAULTS = tuple(name for name in FAULTS if name != "other reset")
GRID = {
    "lstm": _LSTM_FAULTS,
    "lstm gates hard_sigmoid_keras2": ("slope of hard sigmoid", "swapped gates"),
    "lstm peepholes": ("swapped gates", "forget bias", "clip", "half precision"),
    "lstm coupled": ("swapped gates", "forget bias"),
    "lstm projection": ("rolled gates", "forget bias"),
    "lstm norm": ("forget bias", "other weights"),
    "gru": _GRU_FAULTS,
    "gru before": (*_GRU_FAULTS, "transposed"),
    "rnn tanh": ("relu", "no bias", "transposed", "half precision"),
    "conv 2d": ("swapped gates", "rolled gates", "no bias", "other activation"),
}


def observe(seen: Observations) -> None:
    """Every fault in float32 and some in float64; faults of the run; chaos; not finite values."""
    for name, faults in GRID.items():
        rng = np.random.default_rng(41)
        case = CELLS[name]
        situation = Situation("meaning", rng.normal(size=(3, 14, *case.shape)))
        for fault in faults:
            for dtype in ("float32", "float64"):
                if dtype == "float32" or name in ("lstm", "gru before"):
                    snapshot = _with_fault(case, FAULTS[fault](case), situation, dtype)
                    note_analysis(seen, f"{name}/{fault} {dtype}", analyse(snapshot))
        for fault, broken in _of_the_run(case, situation, rng).items():
            note_analysis(seen, f"{name}/{fault}", analyse(broken))
    for name in ("lstm", "gru", "gru before", "rnn tanh", "lstm peepholes"):
        case = CELLS[name]
        chaotic, narrow = _step_by_step(case, 7.0, 200), _step_by_step(case, 1.0, 14, "float16")
        note_analysis(seen, f"{name}/chaos", analyse(chaotic))
        note_analysis(seen, f"{name}/operands of 11 digits", analyse(narrow))
        situation = Situation("narrow", np.random.default_rng(6).normal(size=(2, 9, *case.shape)))
        for told, stored in (("float64", "float32"), ("float32", "bfloat16")):
            snapshot = snapshot_of(case, situation, dtype=told)
            output = rounded(snapshot.output, stored).astype(snapshot.output.dtype)
            stored_as = analyse(replace(snapshot, output=output))
            note_analysis(seen, f"{name}/{stored} for {told}", stored_as)
    _note_not_finite(seen)
    _note_views(seen)


def _with_fault(case: Case, in_truth: Case, situation: Situation, dtype: str) -> Snapshot:
    shown = snapshot_of(in_truth, situation, dtype=dtype)
    return replace(snapshot_of(case, situation, dtype=dtype), output=shown.output)


def _weights(case: Case, change: Callable[[np.ndarray], np.ndarray]) -> Case:
    """Kernels and biases changed along the axis of the gates."""
    names = ("kernel", "recurrent_kernel", "bias", "recurrent_bias")
    arrays = {name: getattr(case.weights, name, None) for name in names}
    changed = {name: change(array) for name, array in arrays.items() if array is not None}
    return replace(case, weights=replace(case.weights, **changed))


def _options(case: Case, **options: Any) -> Case:
    return replace(case, cell=replace(case.cell, **options))


def _of_the_run(case: Case, situation: Situation, rng: np.random.Generator) -> dict[str, Snapshot]:
    """Faults in how the layer is run, not in its cell."""
    plain = snapshot_of(case, situation, dtype="float32")
    begun = replace(
        situation, initial_state=tuple(rng.normal(0, 0.5, (3, *shape)) for shape in case.states)
    )
    mask = np.arange(14) < np.array([[14], [9], [5]])
    masked_ones = snapshot_of(case, replace(situation, mask=mask), dtype="float32")
    late = plain.output.copy()
    late[1, 9:] += np.float32(1e-3) * rng.normal(size=late[1, 9:].shape).astype(np.float32)
    return {
        "reversed": replace(plain, reverse=True),
        "shifted": replace(plain, output=np.roll(plain.output, 1, axis=1)),
        "state not told": replace(snapshot_of(case, begun, dtype="float32"), initial_state=None),
        "mask not told": replace(masked_ones, mask=None),
        "mask not obeyed": replace(plain, mask=mask),
        "last output": replace(plain, final_output=plain.output[:, -2]),
        "late": replace(plain, output=late),
        "noise": replace(
            plain,
            output=plain.output + (1e-4 * rng.normal(size=late.shape)).astype(np.float32),
        ),
    }


def _step_by_step(case: Case, scale: float, steps: int, operands: str = "float32") -> Snapshot:
    """A layer in float32 that is run one step at a time, so that no order of sums is involved.

    Args:
        case: the cell.
        scale: of the weights: large ones multiply every rounding, as a chaotic network does.
        steps: how many.
        operands: the precision to which the operands of the products are rounded.
    """
    told = _weights(case, lambda a: (scale * a).astype(np.float32))
    in_truth = _weights(told, lambda a: rounded(a, operands))
    x = np.random.default_rng(5).normal(size=(2, steps, *case.shape))
    states: list[np.ndarray] = []
    shown = []
    for step in range(steps):
        begun = [rounded(states[0], operands), *states[1:]] if states else None
        trace = in_truth.run(
            rounded(x[:, step : step + 1], operands), initial_state=begun, dtype="float64"
        )
        states = [rounded(trace[k][:, -1], "float32") for k in ("h", "c") if k in trace.letters]
        shown.append(states[0])
    snapshot = snapshot_of(told, Situation("by step", x), dtype="float32")
    return replace(snapshot, output=np.stack(shown, axis=1))


def _note_not_finite(seen: Observations) -> None:
    """NaN and infinity that come with the input, the weights, or from overflow."""
    for name in ("lstm", "lstm norm", "gru", "gru before", "rnn relu", "conv 2d"):
        case, rng = CELLS[name], np.random.default_rng(8)
        for what, value in (("nan", np.nan), ("infinity", np.inf), ("huge", 1e300)):
            x = rng.normal(size=(2, 6, *case.shape))
            x.reshape(2, 6, -1)[1, 3, 0] = value
            snapshot = snapshot_of(case, Situation(what, x), dtype="float64")
            note_analysis(seen, f"{name}/{what} in the input", analyse(snapshot))
        kernel = case.weights.kernel.copy()
        kernel.reshape(-1)[4] = np.nan
        ill = replace(case, weights=replace(case.weights, kernel=kernel))
        x = rng.normal(size=(2, 6, *case.shape))
        snapshot = snapshot_of(ill, Situation("weights", x), dtype="float32")
        note_analysis(seen, f"{name}/nan in the weights", analyse(snapshot))


def _note_views(seen: Observations) -> None:
    """What a notebook shows, and what a trace becomes for other libraries and on disk."""
    for name in ("lstm", "lstm projection", "gru"):
        case, rng = CELLS[name], np.random.default_rng(9)
        mask = np.arange(11) < np.array([[11], [7]])
        situation = Situation("views", rng.normal(size=(2, 11, *case.shape)), mask)
        for fault in (None, "rolled gates"):
            in_truth = case if fault is None else FAULTS[fault](case)
            analysis = analyse(_with_fault(case, in_truth, situation, "float32"))
            with seen.within(f"views of {name}/{fault or 'match'}"):
                seen.note("text", "repr", masked(repr(analysis)))
                seen.note("html", "analysis", html_as_data(analysis._repr_html_()))
        trace = analysis.trace
        with seen.within(f"views of {name}"):
            seen.note("html", "trace", html_as_data(trace._repr_html_()))
            trace.plot().savefig("plot.png")
            with open("plot.png", "rb") as file:
                seen.note("pixels", "plot", picture(file.read()))
            dataset, frame = trace.to_xarray(), trace.to_dataframe()
            seen.note("text", "dataset", [str(dataset.attrs), str(dataset.sizes), str(dataset)])
            seen.note("trace", "dataset", {str(k): v.values for k, v in dataset.items()})
            seen.note("text", "frame", [str(frame.dtypes), str(frame.attrs), str(frame.shape)])
            seen.note("trace", "frame", frame.astype("float64").to_numpy())
            trace.save("trace.npz")
            with np.load("trace.npz") as file:
                arrays = dict(file)
            seen.note("file", "trace.npz", {k: _readable(v) for k, v in arrays.items()})
            loaded = lstm_probe.GateTrace.load("trace.npz")
            seen.note("trace", "loaded", {k: loaded[k] for k in loaded.letters})
            seen.note("text", "loaded", repr(loaded))


def _readable(array: np.ndarray) -> Any:
    """An array of text as text."""
    return array.tolist() if array.dtype.kind in "US" else array
