"""Attribution: integrated gradients that are complete, with occlusion beside."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from planted import TASKS, head, planted, random_network, snapshot_of
from samples import lstm_weights, snapshot

from lstm_probe import (
    ConvLstmCell,
    GruCell,
    LstmCell,
    LstmProbeError,
    SimpleRnnCell,
    register_cell,
    weights,
)
from lstm_probe.analysis import attribute
from lstm_probe.analysis.attribution import attribution as attribution_module
from lstm_probe.analysis.attribution import targets as targets_module
from lstm_probe.analysis.rest import Rest
from lstm_probe.cells import registered_cell
from lstm_probe.weights import NamedWeights


def end_of(seen, x):
    """`h` after the last step on another input."""
    trace = seen.cell.run(
        x,
        seen.weights,
        mask=seen.mask,
        initial_state=seen.initial_state,
        reverse=seen.reverse,
        dtype=np.float64,
    )
    return trace.final["h"]


def test_values_are_those_of_finite_differences_along_the_line(rng):
    seen = snapshot(rng, batch=1, time=4)
    found, start = attribute(seen, units=[2], baseline="mean"), seen.x.mean(axis=(0, 1))
    way, total, count, step = seen.x - start, np.zeros(seen.x.shape), 400, 1e-5
    for alpha in (np.arange(count) + 0.5) / count:
        x = start + alpha * way
        for place in np.ndindex(x.shape):
            change = np.zeros(x.shape)
            change[place] = step
            slope = (end_of(seen, x + change) - end_of(seen, x - change))[0, 2] / (2 * step)
            total[place] += way[place] * slope / count
    assert found.values[0] == pytest.approx(total, abs=2e-6)


def test_occlusion_is_what_changes_without_a_step(rng):
    seen = snapshot(rng)
    found = attribute(seen, units=[1, 3])
    for t in range(7):
        x = seen.x.copy()
        x[:, t] = 0
        change = (end_of(seen, seen.x) - end_of(seen, x))[:, [1, 3]].T
        assert found.occlusion[:, :, t] == pytest.approx(change, abs=1e-14)


@register_cell("AttributedLeak", ranges={"h": None}, back=lambda x, states, w, changes: (
    (changes[0] * 0.5) @ w["kernel"].T, [changes[0] * 0.5]
))  # fmt: skip
def leak(x, states, given):
    h = 0.5 * states[0] + 0.5 * (x @ given["kernel"])
    return {"h": h}, [h]


def networks(rng):
    def arrays(*shapes):
        return [rng.normal(0, 0.7, shape) for shape in shapes]

    def seen(cell, own, features=3, **fields):
        x = rng.normal(size=(2, 6, features))
        return replace(snapshot_of(cell, own, x), **fields)

    plain = lstm_weights(rng, units=4)
    state = tuple(rng.normal(size=(2, 2, 4)))
    mask = np.array([[False, True, True, False, True, False], [True] * 6])
    gru = weights.from_keras(*arrays((3, 12), (4, 12), (2, 12)))
    projected = replace(
        plain,
        recurrent_kernel=plain.recurrent_kernel[:2],
        projection=rng.normal(size=(4, 2)),
    )
    yield "lstm", seen(LstmCell(), plain)
    yield "initial state", seen(LstmCell(), plain, initial_state=state)
    yield "mask", seen(LstmCell(), plain, mask=mask)
    yield "reverse", seen(LstmCell(), plain, reverse=True, mask=mask)
    yield "peepholes", seen(LstmCell(), replace(plain, peepholes=rng.normal(size=(3, 4))))
    yield "projection", seen(LstmCell(), projected)
    yield "clip", seen(LstmCell(cell_clip=0.3), plain)
    yield "hard sigmoid", seen(LstmCell(recurrent_activation="hard_sigmoid"), plain)
    yield "gru", seen(GruCell(), gru)
    yield "relu", seen(SimpleRnnCell("relu"), weights.from_keras(*arrays((3, 4), (4, 4), (4,))))
    conv = weights.from_keras(*arrays((3, 3, 1, 8), (3, 3, 2, 8), (8,)))
    yield "conv", seen(ConvLstmCell(input_shape=(4, 3, 1), padding="same"), conv, 12)
    own = NamedWeights({"kernel": rng.normal(size=(3, 4))}, 3, 4)
    yield "registered", seen(registered_cell("AttributedLeak"), own)


NAMES = [name for name, _ in networks(np.random.default_rng(0))]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("baseline", ["zeros", "mean"])
def test_attributions_are_complete(rng, name, baseline):
    seen = dict(networks(rng))[name]
    found = attribute(seen, baseline=baseline)
    start = np.zeros(seen.x.shape)
    if baseline == "mean":
        counts = np.ones(seen.x.shape[:2], bool) if seen.mask is None else seen.mask
        start += seen.x[counts].mean(axis=0)
    change = end_of(seen, seen.x) - end_of(seen, start)
    if name == "conv":
        change = change.reshape(2, 12, 2).mean(axis=1)
    assert found.values.sum(axis=(2, 3)) == pytest.approx(change.T, abs=1e-6)
    assert np.abs(change).max() > 0.01
    assert found.incompleteness <= 1e-6
    if seen.mask is not None:
        assert not found.values[:, ~seen.mask].any()


@pytest.mark.parametrize("name", ["lstm", "mask", "reverse"])
def test_outputs_are_attributed_through_the_rest(rng, name):
    """The rest reads every step, as a model does that returns sequences."""
    seen = dict(networks(rng))[name]
    a, b = rng.normal(size=(6, 4, 3)), rng.normal(size=(3, 2))

    def outputs(h):
        return np.tanh(np.einsum("btu,tuk->bk", h, a)) @ b

    def back(h, by_output):
        inner = np.tanh(np.einsum("btu,tuk->bk", h, a))
        return np.einsum("bk,tuk->btu", (by_output @ b.T) * (1 - inner**2), a)

    found = attribute(seen, rest=Rest(outputs, back))
    trace = [
        seen.cell.run(x, seen.weights, mask=seen.mask, reverse=seen.reverse, dtype=np.float64)
        for x in (seen.x, np.zeros(seen.x.shape))
    ]
    change = outputs(trace[0].shown()) - outputs(trace[1].shown())
    assert found.values.sum(axis=(2, 3)) == pytest.approx(change.T, abs=2e-6)
    assert found.word == "output"
    assert found.chosen == (0, 1)


def test_an_integral_that_is_cut_short_says_so(rng):
    seen = dict(networks(rng))["relu"]
    found = attribute(seen, baseline="mean", most_points=16)
    assert found.incompleteness > 1e-6
    assert "do not quite add up" in found.sentences()[-1].text


def test_groups_give_the_same_as_all_at_once(rng, monkeypatch):
    seen = snapshot(rng)
    whole = attribute(seen)
    monkeypatch.setattr(attribution_module, "_NUMBERS", 200)
    monkeypatch.setattr(targets_module, "_NUMBERS", 2000)
    parts = attribute(seen)
    assert parts.values == pytest.approx(whole.values, abs=1e-13)
    assert parts.occlusion == pytest.approx(whole.occlusion, abs=1e-13)


@pytest.mark.parametrize("kind", ["lstm", "gru", "simple_rnn"])
@pytest.mark.parametrize("baseline", ["zeros", "mean"])
def test_planted_lag_is_named(kind, baseline):
    net = planted("lag", kind, seed=11)
    found = attribute(net.snapshot, units=[net.unit], baseline=baseline)
    assert found.sentences()[0].value == net.lag
    assert f"most from {net.lag} steps before the last in 12 of 12" in found.sentences()[0].text
    assert (found.strongest == found.strongest_by_occlusion).all()
    assert found.agrees.all()
    features = np.abs(found.values[0]).sum(axis=(0, 1))
    assert features[1] < 0.01 * features[0]


@pytest.mark.parametrize(("task", "kind"), TASKS[-4:])
def test_planted_latch_and_copy_are_traced_to_the_step_that_set_them(task, kind):
    net = planted(task, kind, seed=4)
    found = attribute(net.snapshot, rest=net.rest)
    when = net.snapshot.x[..., 0].argmax(axis=1)
    assert (found.strongest_by_occlusion[0] == when).all()
    assert (found.strongest[0] == when).mean() >= 0.9


def test_steps_that_are_equal_agree():
    net = planted("counter", "simple_rnn", seed=4)
    found = attribute(net.snapshot, units=[net.unit], baseline="zeros")
    assert found.agrees.all()
    assert "comes from many steps" in found.sentences()[0].text
    assert "occlusion agrees in 12 of 12" in found.sentences()[0].text


def test_a_step_that_reads_backwards_counts_from_the_other_end(rng):
    mask = np.array([[False, True, True, True]])
    seen = snapshot(rng, batch=1, time=4, mask=mask, reverse=True)
    assert attribute(seen, units=[0]).steps_back.tolist() == [[-1, 0, 1, 2]]
    ahead = replace(seen, reverse=False)
    assert attribute(ahead, units=[0]).steps_back.tolist() == [[-1, 2, 1, 0]]


def test_what_is_missing_is_said_when_it_cannot_be_done(rng):
    seen = snapshot(rng)
    for given, match in (
        ({"units": [5]}, r"no such units.*units=\[5\].*0 to 4"),
        ({"units": []}, "no such units"),
        ({"outputs": [0]}, "without rest"),
        ({"rest": Rest(lambda h: h[:, -1])}, "a rest without its gradient"),
        ({"rest": head(np.ones((5, 1))), "units": [0]}, "both units and rest"),
        ({"rest": head(np.ones((5, 1))), "outputs": [1]}, "no such outputs"),
        ({"baseline": "noise"}, "baseline does not fit.*'noise'"),
        ({"baseline": np.zeros((2, 2))}, r"baseline does not fit.*\(2, 2\)"),
        ({"baseline": np.nan}, "baseline does not fit"),
    ):
        with pytest.raises(LstmProbeError, match=match):
            attribute(seen, **given)
    with pytest.raises(LstmProbeError, match="There is no gradient through layer 'memory'"):
        attribute(replace(seen, cell=LstmCell("softmax")))
    with pytest.raises(LstmProbeError, match="not finite"):
        attribute(replace(seen, x=np.full(seen.x.shape, np.nan)))


def test_a_unit_that_reads_nothing_is_said_to(rng):
    own = lstm_weights(rng)
    own.kernel[:, :, 1] = own.recurrent_kernel[:, :, 1] = 0
    found = attribute(snapshot(rng, weights=own), units=[1])
    said = found.sentences()
    assert said[0].text == "What unit 1 holds at the end depends on no step of the input."


def test_random_networks_are_complete_too():
    for seed in range(12):
        assert attribute(random_network(seed, batch=2)).incompleteness <= 1e-6
