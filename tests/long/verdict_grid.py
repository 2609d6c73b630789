"""Verdicts and causes over thousands of snapshots whose description is right, or wrong in one way.

No framework is needed: what "the framework" shows is computed by the cell itself in the layer's
dtype, half precisions rounded after each step. `PYTHONPATH=tests python tests/long/verdict_grid.py`
runs the whole grid, some 2600 mutants, and prints the table; `0.1` after it runs a tenth.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from mutants import MUTANTS, cause
from verdict_mutants import MORE

from lstm_probe import ConvLstmCell, GruCell, LstmCell, SimpleRnnCell, Snapshot, analyse
from lstm_probe.analysis.conventions.search import find_convention
from lstm_probe.analysis.parity.error import difference
from lstm_probe.core.masks import emitted
from lstm_probe.core.precision import UNIT_ROUNDOFF, round_to
from lstm_probe.weights import ConvLstmWeights, CoupledLstmWeights, GruWeights, LstmWeights
from lstm_probe.weights.kinds import SimpleRnnWeights

__all__ = ["Table", "run_grid", "snapshots"]

_KINDS = (
    "lstm", "lstm_tf1", "lstm_peephole", "lstm_clip", "lstm_projection", "lstm_coupled",
    "lstm_norm", "lstm_onnx", "gru_after", "gru_before", "gru_one_bias", "simple_rnn", "conv1d",
    "conv2d",
)  # fmt: skip
_DTYPES = ("float32", "float32", "float64", "float16", "bfloat16")
_ACTIVATIONS = ("tanh", "tanh", "tanh", "softsign", "relu", "hard_sigmoid", "gelu", "leaky_relu")
#: Half precisions have too few digits for values that grow.
_BOUNDED = ("tanh", "tanh", "softsign", "hard_sigmoid")
_GATES = ("sigmoid", "sigmoid", "sigmoid", "hard_sigmoid", "hard_sigmoid_keras2")
_SHAPES = ((1, 6, 4), (2, 3, 2), (2, 12, 5), (3, 9, 8), (5, 20, 6), (1, 40, 16), (2, 2, 7))
#: How large a change must be to be told from rounding at all, in roundoffs of values around 1.
_SHOWS = {"float64": 64, "float32": 64, "float16": 24, "bfloat16": 48}


@dataclass
class Table:
    """What was found. `unlisted` are mutants whose cause is in no list, such as noise."""

    right: Counter[str] = field(default_factory=Counter)
    false: list[str] = field(default_factory=list)
    noticed: Counter[str] = field(default_factory=Counter)
    missed: list[str] = field(default_factory=list)
    named: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    unnamed: Counter[str] = field(default_factory=Counter)
    without: list[str] = field(default_factory=list)
    unlisted: int = 0

    @property
    def mutants(self) -> int:
        return self.noticed.total() + len(self.missed)

    def __str__(self) -> str:
        named, unnamed = self.named.total(), self.unnamed.total()
        rows = [f"{'mutant':56} noticed  named  not named"]
        rows += [
            f"{name:56} {self.noticed[name]:7}  {self.named[name]:5}  {self.unnamed[name]:9}"
            for name in sorted(self.noticed)
        ]
        listed = named + unnamed + len(self.wrong)
        rows += [
            f"{self.right.total()} right descriptions, {len(self.false)} false mismatches",
            f"{self.mutants} mutants, {len(self.missed)} called match: {self.missed[:5]}",
            f"{listed} causes: {named / max(listed, 1):.1%} right",
            f"{len(self.wrong) / max(self.mutants, 1):.2%} wrong causes: {self.wrong[:8]}",
        ]
        return "\n".join(rows)


def run_grid(count: int, *, seed: int = 0, of_each: int | None = None) -> Table:
    """Judge so many right descriptions, and the mutants of each.

    Args:
        count: how many right descriptions.
        seed: of the random numbers.
        of_each: at most so many mutants of each kind.
    """
    table, mutants = Table(), {**{k: (m, {cause(k)}) for k, m in MUTANTS.items()}, **MORE}
    for number, snapshot in enumerate(snapshots(count, seed)):
        name = f"{number} {snapshot.layer} {snapshot.dtype}"
        table.right[snapshot.layer] += 1
        if not called(snapshot).startswith("match"):
            table.false.append(name)
        for label, (break_it, causes) in mutants.items():
            if of_each is not None and table.noticed[label] >= of_each:
                continue
            mutant = break_it(snapshot)
            if mutant is not None and shows(snapshot, mutant):
                _judge(table, label, mutant, causes, f"{label}: {name}")
    return table


def _judge(table: Table, label: str, mutant: Snapshot, causes: set[str], name: str) -> None:
    if called(mutant) == "match":
        table.missed.append(name)
        return
    table.noticed[label] += 1
    found = find_convention(mutant)
    if found is not None and causes & set(found.name.split("+")):
        table.named[label] += 1
    elif found is not None:
        table.wrong.append(f"{name} -> {found}")
    elif causes:
        table.unnamed[label] += 1
        table.without.append(name)
    else:
        table.unlisted += 1


def called(snapshot: Snapshot) -> str:
    """The words of the verdict, up to a place: "match" alone is one without reservation."""
    parity = analyse(snapshot).parity
    assert parity is not None
    assert parity.verdict is not None
    return str(parity.verdict).split(" from ", 1)[0]


def shows(right: Snapshot, wrong: Snapshot) -> bool:
    """Whether a mutant changes more than rounding could."""
    ours, theirs = expected(wrong), expected(right)
    change = difference(ours, theirs)
    change = np.maximum(change, difference(wrong.output, right.output))
    size = 1 + np.abs(theirs)
    largest = float((change / size).max())
    if right.final_output is not None and wrong.final_output is not None:
        largest = max(largest, float(difference(right.final_output, wrong.final_output).max()))
    return largest > _SHOWS[right.dtype] * UNIT_ROUNDOFF[right.dtype]


def expected(snapshot: Snapshot) -> np.ndarray[Any, Any]:
    """What a layer shows that computes as a snapshot says."""
    assert snapshot.cell is not None
    trace = snapshot.cell.run(
        snapshot.x,
        snapshot.weights,
        initial_state=snapshot.initial_state,
        mask=snapshot.mask,
        dtype=np.float64,
        reverse=snapshot.reverse,
    )
    return trace.shown(
        zero_output_for_mask=snapshot.zero_output_for_mask,
        initial_output_for_mask=snapshot.initial_output_for_mask,
    )


def snapshots(count: int, seed: int = 0) -> Iterator[Snapshot]:
    """Right descriptions of random layers: kinds, dtypes and shapes take turns."""
    for number in range(count):
        rng = np.random.default_rng((seed, number))
        layer, dtype = _KINDS[number % len(_KINDS)], _DTYPES[number % len(_DTYPES)]
        batch, time, units = _SHAPES[number % len(_SHAPES)]
        if rng.random() < 0.5:
            batch, time = int(rng.integers(1, 5)), int(rng.integers(3, 30))
        cell, weights, width = _cell(rng, layer, units, dtype)
        x = rng.normal(size=(batch, time, width))
        blank = Snapshot(
            0, layer, cell, weights, x=x,
            output=np.zeros((batch, time, cell.output_size(weights))),
            mask=_mask(rng, batch, time),
            initial_state=_states(rng, cell, weights, batch),
            reverse=bool(rng.random() < 0.2),
            dtype=dtype,
        )  # fmt: skip
        if blank.mask is not None:
            blank = replace(
                blank,
                zero_output_for_mask=bool(rng.random() < 0.4),
                initial_output_for_mask=bool(rng.random() < 0.2),
            )
        shown = computed(blank)
        final = shown[:, blank.last].copy() if rng.random() < 0.2 else None
        yield replace(blank, output=shown, final_output=final)


def computed(snapshot: Snapshot) -> np.ndarray[Any, Any]:
    """What a framework shows that computes in the layer's dtype."""
    cell, dtype = snapshot.cell, snapshot.dtype
    assert cell is not None
    if dtype in ("float32", "float64"):
        trace = cell.run(
            snapshot.x, snapshot.weights, initial_state=snapshot.initial_state,
            mask=snapshot.mask, dtype=dtype, reverse=snapshot.reverse,
        )  # fmt: skip
        shown = trace.shown(
            zero_output_for_mask=snapshot.zero_output_for_mask,
            initial_output_for_mask=snapshot.initial_output_for_mask,
        )
        return shown.astype(np.float64)
    return _in_half_precision(snapshot, UNIT_ROUNDOFF[dtype])


def _in_half_precision(snapshot: Snapshot, u: float) -> np.ndarray[Any, Any]:
    cell, mask = snapshot.cell, snapshot.mask
    assert cell is not None
    order = slice(None, None, -1 if snapshot.reverse else 1)
    x = snapshot.x[:, order]
    states, shown = snapshot.initial_state, []
    for t in range(snapshot.timesteps):
        now = None if mask is None else mask[:, order][:, t : t + 1]
        trace = cell.run(
            x[:, t : t + 1], snapshot.weights, initial_state=states, mask=now, dtype="float32"
        )
        states = tuple(round_to(state, u) for state in trace.final.values())
        shown.append(states[0])
    output = emitted(
        np.stack(shown, axis=1),
        None if mask is None else mask[:, order],
        zero_output_for_mask=snapshot.zero_output_for_mask,
        initial_output_for_mask=snapshot.initial_output_for_mask,
    )
    return output[:, order].astype(np.float64)


def _mask(rng: np.random.Generator, batch: int, time: int) -> np.ndarray[Any, Any] | None:
    how = rng.integers(5)
    if how < 2 or time < 3:
        return None
    lengths = rng.integers(1, time + 1, batch)
    right = np.arange(time) < lengths[:, None]
    return {2: right, 3: right[:, ::-1], 4: rng.random((batch, time)) > 0.3}[int(how)]


def _states(rng: np.random.Generator, cell: Any, weights: Any, batch: int) -> Any:
    if rng.random() < 0.6:
        return None
    sizes = [cell.state_size(letter, weights) for letter in cell.states]
    return tuple(rng.normal(0, 0.5, (batch, size)).astype("float16") for size in sizes)


def _cell(rng: np.random.Generator, layer: str, units: int, dtype: str) -> tuple[Any, Any, int]:
    inputs = int(rng.integers(1, 6))
    phi = str(rng.choice(_BOUNDED if dtype in ("float16", "bfloat16") else _ACTIVATIONS))
    sigma = str(rng.choice(_GATES))

    def array(*shape: int, scale: float = 0.6) -> np.ndarray[Any, Any]:
        # Numbers that every dtype holds, so that the weights are those computed with.
        return round_to(rng.normal(0, scale, shape), UNIT_ROUNDOFF["bfloat16"])

    if layer.startswith("conv"):
        rank = int(layer[4])
        space, size = (4, 3)[:rank], (2, 3)[:rank]
        filters = min(units, 3)
        weights: Any = ConvLstmWeights(
            array(*size, inputs, 4, filters), array(*size, filters, 4, filters), array(4, filters)
        )
        options = {"padding": "same", "strides": (1,) * rank, "recurrent_activation": sigma}
        cell = ConvLstmCell((*space, inputs), **options)
        return cell, weights, int(np.prod(space)) * inputs
    bias = None if rng.random() < 0.15 else array
    if layer.startswith("gru"):
        biases = {} if bias is None else {"bias": bias(3, units)}
        if layer == "gru_after" and biases:
            biases["recurrent_bias"] = array(3, units)
        weights = GruWeights(array(inputs, 3, units), array(units, 3, units), **biases)
        return GruCell(phi, sigma, reset_after=layer == "gru_after"), weights, inputs
    if layer == "simple_rnn":
        first = None if bias is None else bias(1, units)
        weights = SimpleRnnWeights(array(inputs, 1, units), array(units, 1, units), first)
        return SimpleRnnCell(phi), weights, inputs
    return _lstm(rng, layer, units, inputs, phi, sigma, array)


def _lstm(
    rng: np.random.Generator, layer: str, units: int, inputs: int, phi: str, sigma: str, array: Any
) -> tuple[Any, Any, int]:
    type_ = CoupledLstmWeights if layer == "lstm_coupled" else LstmWeights
    count, width = len(type_.gates), units
    options: dict[str, Any] = {}
    extras: dict[str, Any] = {}
    if layer in ("lstm_tf1", "lstm_peephole", "lstm_clip", "lstm_projection"):
        options["forget_bias"] = 1.0
    if layer == "lstm_peephole" or (layer == "lstm_onnx" and rng.random() < 0.5):
        extras["peepholes"] = array(3, units)
    if layer == "lstm_clip":
        options["cell_clip"] = 0.25
    if layer == "lstm_projection":
        width = max(1, units // 2)
        extras["projection"] = array(units, width)
        options["proj_clip"] = 0.25 if rng.random() < 0.5 else None
    if layer == "lstm_norm":
        extras["norm_scale"] = 1 + array(count, units, scale=0.2)
    bias = array(count, units)
    weights = type_(array(inputs, count, units), array(width, count, units), bias, **extras)
    return LstmCell(phi, sigma, **options), weights, inputs


if __name__ == "__main__":
    print(run_grid(int(140 * float(sys.argv[1] if len(sys.argv) > 1 else 1))))  # noqa: T201
