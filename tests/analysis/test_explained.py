"""All analyses of a layer together: what was found, what is missing, and why."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from planted import planted
from samples import lstm_weights, snapshot

from lstm_probe import LstmProbeError, analyse
from lstm_probe.analysis import ablate, affordable
from lstm_probe.analysis.explained import Explained, check_names, explain_layer
from lstm_probe.analysis.rest import Rest, RestError
from lstm_probe.logs.stored.format import plain

ALONE = ["ablation", "tracking", "attribution"]


def test_planted_unit_is_named_by_all_analyses():
    net = planted("depth", "lstm", seed=2)
    told: list[str] = []
    found = explain_layer(
        analyse(net.snapshot), labels={"depth": net.label}, rest=net.rest, progress=told.append
    )
    assert told == check_names(None)
    assert list(found.missing) == ["need"]
    assert found.findings["ablation"].at_zero.named == (net.unit,)
    assert found.findings["tracking"].named["depth"] == (net.unit,)
    assert found.findings["attribution"].word == "output"
    texts = [answer.text for answer in found.sentences()]
    assert any(
        text.startswith(f"Without unit {net.unit}, held at zero, the model") for text in texts
    )
    assert any(text.startswith(f"Unit {net.unit} follows depth (R² 1") for text in texts)
    assert all(text in str(found) for text in texts)
    assert all(seconds >= 0 for seconds in found.seconds.values())


def test_units_that_matter_are_attributed_when_there_is_no_rest():
    net = planted("lag", "gru", seed=2)
    found = explain_layer(analyse(net.snapshot), labels={"past": net.label}, analyses=ALONE)
    attribution = found.findings["attribution"]
    assert attribution.word == "unit"
    assert attribution.chosen[0] == net.unit


def test_it_can_be_written_as_json(rng):
    net = planted("copy", "lstm", seed=2)
    found = explain_layer(analyse(net.snapshot), labels={"held": net.label}, rest=net.rest)
    read = json.loads(json.dumps(plain(found.plain())))
    assert read["layer"] == "copy_lstm"
    assert list(read["findings"])[:3] == ALONE
    assert read["findings"]["tracking"]["named"]["held"] == [net.unit]
    first = read["findings"]["ablation"]["sentences"][0]
    assert first["text"] == found.sentences()[0].text
    assert np.shape(read["findings"]["ablation"]["at_mean"]["by_time"]) == (4, 24)
    wide = explain_layer(analyse(snapshot(rng, batch=40, time=400)), analyses=["attribution"])
    assert wide.plain()["findings"]["attribution"]["values"] == {"shape": [3, 40, 400, 3]}


def test_a_loss_is_measured_when_the_target_fits_the_output():
    net = planted("copy", "gru", seed=2)
    target = net.rest.outputs(net.snapshot.output)
    found = explain_layer(
        analyse(net.snapshot), rest=net.rest, target=target + 0.1, analyses=["ablation"]
    )
    assert found.findings["ablation"].loss == pytest.approx(0.01)
    assert found.notes == ()
    wrong = explain_layer(
        analyse(net.snapshot), rest=net.rest, target=np.zeros((12, 5)), analyses=["ablation"]
    )
    assert wrong.findings["ablation"].loss is None
    assert wrong.notes[0].startswith("The loss is not measured: The target does not fit")
    classes = Rest(lambda h: np.repeat(net.rest.outputs(h), 3, axis=1))
    from_one = explain_layer(
        analyse(net.snapshot), rest=classes, target=[1, 2, 3] * 4, analyses=["ablation"]
    )
    assert "Received: from 1 to 3, int64 of shape (12,)" in from_one.notes[0]
    assert "or a class from 0 to 2 for each of 12 sequences" in from_one.notes[0]


def test_a_large_layer_is_analysed_on_fewer_sequences(rng, monkeypatch):
    seen = analyse(snapshot(rng, batch=6))
    each = 8 * 10 * 7 * 5 * (5 + 3)
    monkeypatch.setattr(affordable, "AFFORDABLE", 2.5 * each)
    found = explain_layer(seen, analyses=["ablation", "tracking", "attribution"])
    assert found.findings["ablation"].sequences == 2
    assert found.notes == ("Ablation is made on the first 2 of 6 sequences.",)
    assert "would take too long" in found.missing["attribution"]
    assert "tracking" in found.findings


def test_the_rest_is_run_with_the_other_sequences_as_they_are(rng, monkeypatch):
    seen = analyse(snapshot(rng, batch=6))
    head, target = rng.normal(size=(6, 5, 2)), rng.normal(size=(6, 2))  # a head for each sequence

    def rest_of(head):
        def back(h, by_output):
            by_h = np.zeros(h.shape)
            by_h[:, -1] = np.einsum("bk,buk->bu", by_output, head)
            return by_h

        return Rest(lambda h: np.einsum("bu,buk->bk", h[:, -1], head), back)

    for name, copies in (("ablation", 10), ("attribution", 64 * 3 + 7)):
        monkeypatch.setattr(affordable, "AFFORDABLE", 2.5 * 8 * copies * 7 * 5 * (5 + 3))
        ours = explain_layer(seen, rest=rest_of(head), target=target, analyses=[name])
        monkeypatch.undo()
        theirs = explain_layer(
            analyse(_first(seen.snapshot, 2)),
            rest=rest_of(head[:2]),
            target=target[:2],
            analyses=[name],
        )
        if name == "attribution":
            found = [each.findings[name].by_step for each in (ours, theirs)]
            order = [np.argsort(each.findings[name].chosen) for each in (ours, theirs)]
            np.testing.assert_allclose(found[0][order[0]], found[1][order[1]], rtol=1e-6)
            continue
        assert ours.findings[name].sequences == 2
        for part in ("on_output", "loss"):
            pair = [getattr(each.findings[name].at_mean, part) for each in (ours, theirs)]
            np.testing.assert_allclose(*pair, rtol=1e-6)
        assert ours.findings[name].loss == pytest.approx(theirs.findings[name].loss, rel=1e-6)


def _first(seen, count):
    return replace(seen, x=seen.x[:count], output=seen.output[:count])


def broken(at, what):
    """A rest that does something else from its `at`-th run on."""
    runs = []

    def outputs(h):
        runs.append(h)
        return h[:, -1, :2] if len(runs) < at else what(h)

    def back(h, by_output):
        return what(h)

    return Rest(outputs, back)


def refuses(h):
    raise RestError("It is gone.")


@pytest.mark.parametrize(
    ("what", "words"),
    [
        (refuses, "It is gone."),
        (lambda h: h[:3, -1], "gives something else. Received: shape (3, 5)"),
        (lambda h: h[:, -1, :0], "gives something else. Received: shape (9, 0)"),
        (lambda h: np.full((len(h), 2), np.nan), "not finite. Received: 18 of 18 values"),
    ],
    ids=["refuses", "fewer rows", "no output", "NaN"],
)
@pytest.mark.parametrize("at", [1, 2, 6])
def test_without_its_rest_a_layer_is_analysed_to_its_h(rng, what, words, at):
    seen = analyse(snapshot(rng, batch=9))
    asked = {"target": rng.normal(size=(9, 2)), "analyses": ["ablation", "tracking", "attribution"]}
    found = explain_layer(seen, rest=broken(at, what), **asked)
    assert not found.missing
    notes = " ".join(found.notes)
    assert words in notes
    assert ("The model after the layer is not run." in notes) == (at == 1)
    assert ("Ablation ends at the layer's own h." in notes) == (at == 2 or at == 6)
    alone = ablate(seen)
    np.testing.assert_array_equal(
        found.findings["ablation"].at_mean.on_others, alone.at_mean.on_others
    )
    assert found.findings["ablation"].output_norm is None
    assert found.findings["attribution"].word == "unit"
    assert found.asked_of == ""
    assert "asked of the model" not in str(found)


def test_a_gradient_that_is_none_ends_attribution_alone(rng):
    seen = analyse(snapshot(rng, batch=9))
    wrong = Rest(lambda h: h[:, -1, :2], lambda h, g: np.zeros((9, 1, 1)))
    found = explain_layer(
        seen, rest=wrong, target=np.zeros((9, 2)), analyses=["ablation", "attribution"]
    )
    assert "Attribution ends at the layer's own h. The gradient" in found.notes[0]
    assert found.findings["ablation"].loss is not None
    told = "output and its mean squared error, asked of the model itself."
    for said in (str(found), found._repr_html_(), found.plain()["asked_of"]):
        assert told in said


def test_what_is_missing_is_said_of_each_analysis(rng):
    seen = analyse(snapshot(rng, cell=replace(snapshot(rng).cell, activation="softmax")))
    found = explain_layer(seen, analyses=ALONE)
    assert list(found.findings) == ["ablation", "tracking"]
    assert "no gradient through layer 'memory'" in found.missing["attribution"]
    assert "Not made: There is no gradient" in str(found)
    assert "Not made: There is no gradient" in found._repr_html_()


def test_need_is_asked_of_the_input_of_the_model(rng):
    x = rng.normal(size=(20, 30, 1))
    first = replace(snapshot(rng, batch=20, time=30, weights=lstm_weights(rng, inputs=1)), x=x)
    above = analyse(snapshot(rng, batch=20, time=30))
    target = np.roll(x, 3, axis=1)[..., 0]
    found = explain_layer(above, target=target, first=first, analyses=["need"])
    assert found.findings["need"].lags == (3,)
    assert explain_layer(above, target=target, analyses=["need"]).findings["need"].lags == ()


def test_names_of_analyses_are_checked(rng):
    for wrong in (["ablate"], "ablation", [3]):
        with pytest.raises(LstmProbeError, match="no such analysis"):
            explain_layer(analyse(snapshot(rng)), analyses=wrong)
    with pytest.raises(LstmProbeError, match="recurrence of layer 'memory' is not known"):
        explain_layer(analyse(replace(snapshot(rng), cell=None)))


def test_a_notebook_shows_the_sentences():
    answers = explain_layer(
        analyse(planted("latch", "lstm", seed=1).snapshot), analyses=["ablation"]
    )
    html = answers._repr_html_()
    assert "<b>ablation</b><ul><li>" in html
    assert isinstance(answers, Explained)


def test_a_masked_step_counts_nowhere(rng):
    mask = np.ones((9, 7), bool)
    mask[:, 5:] = False
    seen = snapshot(rng, batch=9, mask=mask, weights=lstm_weights(rng))
    found = explain_layer(analyse(seen), analyses=ALONE)
    assert list(found.findings) == ALONE
    assert found.findings["tracking"].steps == 45
