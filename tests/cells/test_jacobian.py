"""The Jacobian of each step against central differences, for every cell and every variant."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from lstm_probe import ConvLstmCell, GruCell, LstmCell, LstmProbeError, SimpleRnnCell
from lstm_probe.cells.backward import Run
from lstm_probe.cells.custom import CustomCell
from lstm_probe.cells.jacobian import joined, one_step, parted, state_jacobians
from lstm_probe.weights import CoupledLstmWeights, LstmWeights, NamedWeights, from_keras

#: Central differences over 1e-5 are off by some 1e-10: a sixth of the third derivative.
STEP, LIMIT = 1e-5, 1e-9
#: Over nine steps the third derivative is some ten times as large.
STEP_OF_MANY = 2e-6


def lstm_weights(rng, *, kind=LstmWeights, units=5, output=5, extras=()):
    gates, peepholes = len(kind.gates), len(kind.peephole_gates)
    arrays = {
        "peepholes": (peepholes, units),
        "projection": (units, output),
        "projection_bias": (output,),
        "norm_scale": (gates, units),
        "state_norm": (2, units),
    }
    return kind(
        rng.normal(0, 0.5, (3, gates, units)),
        rng.normal(0, 0.5, (output, gates, units)),
        rng.normal(0, 0.5, (gates, units)),
        **{name: rng.normal(0.5, 0.5, arrays[name]) for name in extras},
    )


def keras_weights(rng, gates, *, bias=1, units=5):
    shape = (gates * units,) if bias == 1 else (2, gates * units)
    shapes = (3, gates * units), (units, gates * units), shape
    return from_keras(*(rng.normal(0, 0.5, each) for each in shapes))


def conv(rng, space, **options):
    cell = ConvLstmCell(input_shape=(*space, 2), padding="same", **options)
    size = (3, 2)[: len(space)]
    shapes = (*size, 2, 12), (*size, 3, 12), (12,)
    return cell, from_keras(*(rng.normal(0, 0.4, shape) for shape in shapes))


def leaky(x, states, weights):
    h, s = states
    f = 1 / (1 + np.exp(-(x @ weights["w"] + h @ weights["u"])))
    s = f * s + np.sin(h)
    return {"f": f, "s": s, "h": f * np.tanh(s)}, [f * np.tanh(s), s]


def leaky_back(x, states, weights, changes):
    (h, s), (dh, ds) = states, changes
    f = 1 / (1 + np.exp(-(x @ weights["w"] + h @ weights["u"])))
    new = f * s + np.sin(h)
    ds = ds + dh * f * (1 - np.tanh(new) ** 2)
    da = (dh * np.tanh(new) + ds * s) * f * (1 - f)
    return da @ weights["w"].T, [da @ weights["u"].T + ds * np.cos(h), ds * f]


CUSTOM = CustomCell(
    "Leaky", leaky, (("f", (0, 1)), ("s", None), ("h", None)), ("h", "s"), "f", own_back=leaky_back
)
ALL = ("peepholes", "projection", "projection_bias", "norm_scale", "state_norm")
CASES = {
    "lstm": lambda rng: (LstmCell(), lstm_weights(rng)),
    "lstm, forget bias": lambda rng: (LstmCell(forget_bias=1.0), lstm_weights(rng)),
    "peepholes": lambda rng: (LstmCell(), lstm_weights(rng, extras=["peepholes"])),
    "coupled": lambda rng: (LstmCell(), lstm_weights(rng, kind=CoupledLstmWeights)),
    "coupled, peepholes": lambda rng: (
        LstmCell(), lstm_weights(rng, kind=CoupledLstmWeights, extras=["peepholes"])
    ),
    "projection": lambda rng: (
        LstmCell(), lstm_weights(rng, output=3, extras=["projection", "projection_bias"])
    ),
    "clips": lambda rng: (
        LstmCell(cell_clip=0.8, proj_clip=0.5), lstm_weights(rng, output=3, extras=["projection"])
    ),
    "clips of sums": lambda rng: (
        LstmCell(gate_clip=0.7, state_clip=0.6, state_activation="softsign"), lstm_weights(rng)
    ),
    "norms": lambda rng: (
        LstmCell(norm_epsilon=1e-3), lstm_weights(rng, extras=["norm_scale", "state_norm"])
    ),
    "all": lambda rng: (
        LstmCell("mish", norm_epsilon=1e-3, cell_clip=1.3, proj_clip=1.5),
        lstm_weights(rng, output=4, extras=ALL),
    ),
    "gru": lambda rng: (GruCell(), keras_weights(rng, 3, bias=2)),
    "gru, reset before": lambda rng: (GruCell(reset_after=False), keras_weights(rng, 3)),
    "gru, softsign": lambda rng: (GruCell("softsign"), keras_weights(rng, 3, bias=2)),
    "simple": lambda rng: (SimpleRnnCell(), keras_weights(rng, 1)),
    "simple, gelu": lambda rng: (SimpleRnnCell("gelu"), keras_weights(rng, 1)),
    "conv 1": lambda rng: conv(rng, (4,)),
    "conv 2": lambda rng: conv(rng, (3, 3)),
    "custom": lambda rng: (
        CUSTOM,
        NamedWeights({"w": rng.normal(size=(3, 4)), "u": rng.normal(size=(4, 4))}, 3, 4),
    ),
}  # fmt: skip


def prepared(case, rng):
    cell, weights = CASES[case](rng)
    return cell, cell.prepared(weights, np.float64), cell.input_size(weights)


def differences(cell, weights, x, before):
    """The Jacobian at many states by central differences, `(batch, whole, whole)`."""
    whole = joined(before, cell)

    def after(state):
        states, _ = one_step(cell, weights, x, parted(state, before, cell), jacobian=False)
        return joined(states, cell)

    columns = []
    for column in range(whole.shape[1]):
        step = np.zeros(whole.shape[1])
        step[column] = STEP
        columns.append((after(whole + step) - after(whole - step)) / (2 * STEP))
    return np.stack(columns, axis=-1)


def away_from_kinks(cell, weights, x, before):
    """Whether no clip begins within the reach of the differences."""
    here = differences(cell, weights, x, before)
    shifted = {k: v + 1e-4 for k, v in before.items()}
    return np.abs(here - differences(cell, weights, x, shifted)).max() < 0.05


@pytest.mark.parametrize("case", CASES)
def test_the_jacobian_of_a_step_is_that_of_central_differences(case, rng):
    cell, weights, features = prepared(case, rng)
    x = rng.normal(size=(3, features))
    sizes = {letter: cell.state_size(letter, weights) for letter in cell.states}
    before = {letter: rng.normal(0, 0.7, (3, size)) for letter, size in sizes.items()}
    while not away_from_kinks(cell, weights, x, before):
        before = {letter: rng.normal(0, 0.7, (3, size)) for letter, size in sizes.items()}
    _, ours = one_step(cell, weights, x, before)
    theirs = differences(cell, weights, x, before)
    assert ours.shape == theirs.shape
    assert np.abs(theirs).max() > 0.05
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=LIMIT)


@pytest.mark.parametrize("case", ["lstm", "projection", "gru", "custom", "conv 1"])
def test_jacobians_of_a_sequence_multiply_to_that_of_the_whole_when_steps_are_masked(case, rng):
    cell, weights, features = prepared(case, rng)
    x, mask = rng.normal(size=(2, 9, features)), rng.random((2, 9)) > 0.4
    sizes = {letter: cell.state_size(letter, weights) for letter in cell.states}
    initial = {letter: rng.normal(0, 0.5, (2, size)) for letter, size in sizes.items()}

    def last(states):
        trace = cell.run(x, weights, initial_state=list(states.values()), mask=mask)
        return joined(trace.final, cell), trace

    _, trace = last(initial)
    arrays = {letter: trace[letter].swapaxes(0, 1) for letter in trace.letters}
    run = Run(weights, np.ascontiguousarray(x.swapaxes(0, 1)), arrays, initial, mask.T)
    product = np.eye(sum(sizes.values()))
    each = list(state_jacobians(cell, run))
    assert len(each) == 9
    for jacobian in each:
        product = jacobian @ product
    whole = joined(initial, cell)
    for column in range(whole.shape[1]):
        step = np.zeros(whole.shape[1])
        step[column] = STEP_OF_MANY
        pair = [last(parted(whole + s, initial, cell))[0] for s in (step, -step)]
        difference = (pair[0] - pair[1]) / (2 * STEP_OF_MANY)
        np.testing.assert_allclose(product[..., column], difference, rtol=0, atol=LIMIT)
    skipped = np.argwhere(~mask.T)[0]
    np.testing.assert_array_equal(each[skipped[0]][skipped[1]], np.eye(whole.shape[1]))


def test_a_long_sequence_is_taken_in_stretches(rng):
    cell, weights, features = prepared("gru", rng)
    x = rng.normal(size=(1, 150, features))
    trace = cell.run(x, weights)
    arrays = {letter: trace[letter].swapaxes(0, 1) for letter in trace.letters}
    run = Run(
        weights, np.ascontiguousarray(x.swapaxes(0, 1)), arrays, {"h": np.zeros((1, 5))}, None
    )
    each = list(state_jacobians(cell, run))
    assert len(each) == 150
    _, ours = one_step(cell, weights, x[:, 100], {"h": trace.h[:, 99]})
    np.testing.assert_allclose(each[100], ours, rtol=0, atol=1e-14)


def test_a_cell_without_derivatives_is_refused(rng):
    cell = replace(CUSTOM, own_back=None)
    weights = NamedWeights({"w": rng.normal(size=(3, 4)), "u": rng.normal(size=(4, 4))}, 3, 4)
    states = {letter: np.zeros((1, 4)) for letter in "hs"}
    with pytest.raises(LstmProbeError, match="no Jacobian of this cell"):
        one_step(cell, weights, np.zeros((1, 3)), states)
