"""Ablation: a unit is taken away, and what changes is measured."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from planted import TASKS, head, planted, random_network
from samples import lstm_weights, snapshot

from lstm_probe import (
    ConvLstmCell,
    GruCell,
    LstmCell,
    LstmProbeError,
    SimpleRnnCell,
    Snapshot,
    analyse,
    register_cell,
    weights,
)
from lstm_probe.analysis import ablate
from lstm_probe.analysis.ablation import clamped as clamped_module
from lstm_probe.analysis.rest import Rest
from lstm_probe.cells import registered_cell
from lstm_probe.weights import NamedWeights


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def lstm_with_one_clamped(seen, unit, c_to, h_to):
    """`h` of all steps, by the book and one sequence at a time: the independent computation."""
    w = seen.weights
    found = np.zeros(seen.output.shape)
    for b, x in enumerate(seen.x):
        h, c = np.zeros(w.units), np.zeros(w.units)
        for t in range(len(x)):
            a = np.einsum("n,ngu->gu", x[t], w.kernel) + np.einsum(
                "n,ngu->gu", h, w.recurrent_kernel
            )
            a = a + w.bias
            i, f, g, o = sigmoid(a[0]), sigmoid(a[1]), np.tanh(a[2]), sigmoid(a[3])
            c = f * c + i * g
            c[unit] = c_to
            h = o * np.tanh(c)
            h[unit] = h_to
            found[b, t] = h
    return found


def test_effects_are_those_of_a_loop_by_the_book(rng):
    seen = snapshot(rng, batch=3)
    trace = analyse(seen).trace
    found = ablate(seen).at_mean
    for unit in range(5):
        c, h = trace.c[..., unit].mean(), trace.h[..., unit].mean()
        assert found.values["c"][unit] == pytest.approx(c)
        change = lstm_with_one_clamped(seen, unit, c, h) - trace.h
        others = np.delete(change, unit, axis=2)
        norms = np.sqrt(np.square(others).sum(axis=2))
        by_time = np.sqrt(np.square(norms).mean(axis=0))
        assert found.by_time[unit] == pytest.approx(by_time, rel=1e-9, abs=1e-14)
        assert found.on_others[unit] == pytest.approx(by_time[-1], rel=1e-9)
        assert found.on_itself[unit] == pytest.approx(
            np.sqrt(np.square(change[:, -1, unit]).mean())
        )
        assert found.on_each[unit] == pytest.approx(np.sqrt(np.square(change[:, -1]).mean(axis=0)))


@pytest.mark.parametrize("units", [3, 5, 13, 64])
def test_effect_is_exactly_zero_when_nothing_reads_the_unit(rng, units):
    own = lstm_weights(rng, units=units)
    own.recurrent_kernel[1] = 0
    own.recurrent_kernel[:] *= 6  # chaos would multiply the smallest difference
    seen = snapshot(rng, weights=own, time=60)
    matrix = rng.normal(size=(units, 2))
    matrix[1] = 0
    found = ablate(seen, rest=head(matrix))
    for each in (found.at_mean, found.at_zero):
        assert each.on_others[1] == 0
        assert each.by_time[1].max() == 0
        assert each.on_output[1] == 0
        assert (np.delete(each.on_others, 1) > 0).all()
    assert f"1 unit of {units} changes nothing" in found.sentences()[-1].text


def test_effect_is_exactly_zero_when_rows_of_a_product_differ(rng, monkeypatch):
    monkeypatch.setattr(clamped_module._Rerun, "rows_are_alike", lambda self: False)
    own = lstm_weights(rng)
    own.recurrent_kernel[1] = 0
    assert ablate(snapshot(rng, weights=own)).at_mean.on_others[1] == 0


def test_groups_of_copies_give_the_same_as_all_at_once(rng, monkeypatch):
    seen = snapshot(rng, weights=lstm_weights(rng, units=13))
    whole = ablate(seen, rest=head(np.ones((13, 1))))
    monkeypatch.setattr(clamped_module, "_NUMBERS", 2000)
    parts = ablate(seen, rest=head(np.ones((13, 1))))
    assert parts.at_zero.by_time == pytest.approx(whole.at_zero.by_time, abs=1e-14)
    assert parts.at_mean.on_output == pytest.approx(whole.at_mean.on_output, abs=1e-14)


def test_all_that_follows_from_a_gate_follows_when_it_is_clamped(rng):
    seen = snapshot(rng)
    shut = ablate(seen, array="o").at_zero
    gone = ablate(seen, array="h").at_zero  # an output gate of zero is a hidden state of zero
    assert shut.on_others == pytest.approx(gone.on_others, rel=1e-12)
    kept = ablate(seen, array="f").at_zero.on_others
    assert (kept != gone.on_others).all()


@pytest.mark.parametrize("letter", ["z", "r", "g", "h"])
def test_gates_of_a_gru_are_clamped_as_a_loop_by_the_book_does(rng, letter):
    arrays = rng.normal(0, 0.7, (2, 12)), rng.normal(0, 0.7, (4, 12)), rng.normal(0, 0.5, 12)
    seen = snapshot(rng, cell=GruCell(), weights=weights.from_keras(*arrays), batch=1)
    (w, u, b), ends = (np.split(each, 3, axis=-1) for each in arrays), []
    for unit in range(4):
        h = np.zeros(4)
        for x in seen.x[0]:
            values = {"h": h}
            for k, name in enumerate("zr"):
                values[name] = sigmoid(x @ w[k] + h @ u[k] + b[k])
                values[name][unit] *= letter != name
            values["g"] = np.tanh(x @ w[2] + (values["r"] * h) @ u[2] + b[2])
            values["g"][unit] *= letter != "g"
            h = values["z"] * h + (1 - values["z"]) * values["g"]
            h[unit] *= letter != "h"
        ends.append(np.linalg.norm(np.delete(h - seen.output[0, -1], unit)))
    assert ablate(seen, array=letter).at_zero.on_others == pytest.approx(ends, rel=1e-9)


@pytest.mark.parametrize("kind", ["lstm", "gru", "simple_rnn"])
def test_whole_chain_matters_when_the_head_reads_its_end(kind):
    net = planted("lag", kind, seed=7)
    effects = ablate(net.snapshot, rest=net.rest).at_mean.on_output
    assert effects[: net.lag + 1].min() > 5 * effects[net.lag + 1 :].max()


@pytest.mark.parametrize(("task", "kind"), [each for each in TASKS if each[0] != "lag"])
def test_planted_unit_is_named_when_the_head_reads_it(task, kind):
    net = planted(task, kind, seed=7)
    found = ablate(net.snapshot, rest=net.rest)
    named = found.at_zero.named or found.at_mean.named
    assert named[0] == net.unit
    assert any(answer.unit == net.unit for answer in found.sentences())


def test_flag_is_inert_at_its_mean_and_vital_at_zero(rng):
    """A unit that is 1 from the first step on gates all others through their input gates."""
    own = lstm_weights(rng, inputs=1, units=8)
    own.kernel[:, :, 0] = own.recurrent_kernel[:, :, 0] = 0
    own.bias[:, 0] = [20, 20, 20, 20]  # c counts the steps, h is its tanh, between 0.76 and 1
    own.recurrent_kernel[1:] *= 0.1
    own.recurrent_kernel[0, 0, 1:] = 60
    own.bias[0, 1:] = -30
    seen = snapshot(rng, weights=own, time=20)
    found = ablate(seen, array="h")
    assert found.at_zero.named == (0,)
    assert found.at_mean.on_others[0] < 0.05 * found.at_zero.on_others[0]


def test_a_head_gives_the_loss_of_each_unit(rng):
    net = planted("copy", "lstm", seed=3)
    target = net.rest.outputs(net.snapshot.output)
    rest = net.rest.towards(target + 0.1, target)
    found = ablate(net.snapshot, rest=rest)
    assert found.loss == pytest.approx(0.01)
    assert found.at_zero.loss.argmax() == net.unit
    assert found.at_zero.loss[net.unit] > 0.5
    assert "mean squared error rises from 0.01 to" in found.sentences()[1].text


def test_nothing_is_named_when_weights_are_random():
    named = [
        seed
        for seed in range(200)
        if (found := ablate(random_network(seed))).at_mean.named or found.at_zero.named
    ]
    assert len(named) <= 1


def test_masked_steps_keep_the_state_and_initial_states_stay(rng):
    mask = np.array([[False, True, True, False, True, False, False]] * 2)
    state = (rng.normal(size=(2, 5)), rng.normal(size=(2, 5)))
    seen = snapshot(rng, mask=mask, initial_state=state)
    short = replace(seen, x=seen.x[:, [1, 2, 4]], output=seen.output[:, [1, 2, 4]], mask=None)
    found, expected = ablate(seen), ablate(short)
    assert found.at_mean.on_others == pytest.approx(expected.at_mean.on_others, rel=1e-12)
    assert np.isnan(found.at_mean.by_time[:, [0, 3, 5, 6]]).all()
    assert found.at_mean.by_time[:, [1, 2, 4]] == pytest.approx(expected.at_mean.by_time)


def test_layer_that_reads_backwards_ends_at_the_first_step(rng):
    ahead = snapshot(rng)
    back = replace(ahead, x=ahead.x[:, ::-1], output=ahead.output[:, ::-1], reverse=True)
    first, second = (
        ablate(ahead, rest=Rest(lambda h: h[:, -1])),
        ablate(back, rest=Rest(lambda h: h[:, 0])),
    )
    assert second.at_mean.on_others == pytest.approx(first.at_mean.on_others, rel=1e-12)
    assert second.at_mean.by_time == pytest.approx(first.at_mean.by_time[:, ::-1], rel=1e-12)
    assert second.at_mean.on_output == pytest.approx(first.at_mean.on_output, rel=1e-12)


def cells(rng):
    def arrays(*shapes):
        return [rng.normal(0, 0.5, shape) for shape in shapes]

    yield GruCell(), weights.from_keras(*arrays((3, 12), (4, 12), (2, 12))), 3
    yield GruCell(reset_after=False), weights.from_keras(*arrays((3, 12), (4, 12), (12,))), 3
    yield SimpleRnnCell(), weights.from_keras(*arrays((3, 4), (4, 4), (4,))), 3
    plain = lstm_weights(rng, units=4)
    extras = {"peepholes": rng.normal(size=(3, 4)), "projection": rng.normal(size=(4, 4))}
    yield LstmCell(), replace(plain, peepholes=extras["peepholes"]), 3
    yield LstmCell(), replace(plain, projection=extras["projection"]), 3
    conv = weights.from_keras(*arrays((3, 3, 1, 16), (3, 3, 4, 16), (16,)))
    yield ConvLstmCell(input_shape=(5, 4, 1), padding="same"), conv, 20


@pytest.mark.parametrize("which", range(6))
def test_every_cell_has_its_units_or_filters(rng, which):
    cell, own, features = list(cells(rng))[which]
    x = rng.normal(size=(2, 6, features))
    h = cell.run(x, own, dtype=np.float64).h
    found = ablate(Snapshot(0, "memory", cell, own, x=x, output=h, dtype="float64"))
    assert found.word == ("filter" if which == 5 else "unit")
    assert found.at_mean.on_others.shape == (4,)
    assert (found.at_mean.on_others > 0).all()
    projected = which == 4
    assert found.letters == (("c",) if projected else tuple(k for k in "ch" if k in cell.states))
    assert np.isnan(found.at_mean.on_itself).all() == projected


@register_cell("AblatedLeak", ranges={"a": (0, 1), "h": None})
def leak(x, states, given):
    a = sigmoid(x @ given["kernel"])
    h = a * states[0] + (1 - a) * np.tanh(states[0] @ given["recurrent_kernel"])
    return {"a": a, "h": h}, [h]


def test_registered_cell_is_clamped_at_its_states(rng):
    own = NamedWeights(
        {"kernel": rng.normal(size=(3, 4)), "recurrent_kernel": rng.normal(size=(4, 4))}, 3, 4
    )
    cell, x = registered_cell("AblatedLeak"), rng.normal(size=(2, 6, 3))
    h = cell.run(x, own, initial_state=[np.ones((2, 4))], dtype=np.float64).h
    seen = Snapshot(
        0, "memory", cell, own, x=x, output=h, initial_state=(np.ones((2, 4)),), dtype="float64"
    )
    assert (ablate(seen).at_zero.on_others > 0).all()
    with pytest.raises(LstmProbeError, match=r"No such array.*array='a'.*one of h"):
        ablate(seen, array="a")


def test_what_is_missing_is_said_when_it_cannot_be_done(rng):
    seen = snapshot(rng)
    with pytest.raises(LstmProbeError, match="No step of the probe counts"):
        ablate(replace(seen, mask=np.zeros((2, 7), bool)))
    with pytest.raises(LstmProbeError, match="recurrence of layer 'memory' is not known"):
        ablate(replace(seen, cell=None))
    with pytest.raises(LstmProbeError, match="nothing to analyse"):
        ablate(seen.x)
    with pytest.raises(LstmProbeError, match="array='q'"):
        ablate(seen, array="q")
    with pytest.raises(LstmProbeError, match=r"rest of the model.*\(3, 2\)"):
        ablate(seen, rest=Rest(lambda h: np.zeros((3, 2))))
    alone = ablate(snapshot(rng, weights=lstm_weights(rng, units=1)))
    assert alone.sentences()[0].text == "There is one unit, and no other to compare it with."


def test_target_that_does_not_fit_is_refused():
    rest, like = Rest(lambda h: h[:, -1]), np.array([[0.25, 0.75], [0.5, 0.5]])
    assert rest.towards([1, 0], like).losses(like) == pytest.approx(-np.log([0.75, 0.5]))
    logits = np.log([[0.25, 0.75], [0.5, 0.5]]) + 3
    assert rest.towards([1, 0], like).losses(logits) == pytest.approx(-np.log([0.75, 0.5]))
    for wrong in ([0, 2], [0.5, 1.5], [0], [[0, 1, 2]] * 2, ["a", "b"], [np.nan, 1.0], 3):
        with pytest.raises(LstmProbeError, match="target does not fit"):
            rest.towards(wrong, like)
