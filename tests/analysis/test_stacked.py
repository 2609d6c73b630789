"""The layers above a layer as its rest: run by NumPy, with their exact gradient."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from samples import lstm_weights, snapshot

from lstm_probe import analyse
from lstm_probe.analysis import ablate, attribute
from lstm_probe.analysis.stacked import rests_through_layers


def layer(rng, name, x, **fields):
    own = lstm_weights(rng, inputs=x.shape[2], units=4)
    blank = snapshot(rng, batch=len(x), time=x.shape[1], weights=own, layer=name, **fields)
    h = blank.cell.run(x, own, mask=blank.mask, reverse=blank.reverse, dtype=np.float64).h
    return analyse(replace(blank, x=x.astype(np.float32), output=h))


def stack(rng, *, mask=None):
    x = rng.normal(size=(3, 6, 2))
    first = layer(rng, "first", x, mask=mask)
    second = layer(rng, "second", first.snapshot.output, mask=mask)
    third = layer(rng, "third", second.snapshot.output, mask=mask, reverse=True)
    return {each.snapshot.layer: each for each in (first, second, third)}


@pytest.mark.parametrize("masked", [False, True])
def test_a_stack_is_followed_to_its_top(rng, masked):
    mask = np.arange(6) < np.array([6, 4, 6])[:, None] if masked else None
    found = stack(rng, mask=mask)
    rests = rests_through_layers(found)
    assert list(rests) == ["second", "first"]
    top = found["third"].trace.h[:, 0]
    rest, h = rests["first"], found["first"].snapshot.output
    assert rest.outputs(h) == pytest.approx(top, abs=1e-5)
    way, cotangent, step = rng.normal(size=h.shape), rng.normal(size=top.shape), 1e-5
    ahead, behind = (rest.outputs(h + sign * step * way) for sign in (1, -1))
    slope = ((ahead - behind) * cotangent).sum() / (2 * step)
    assert (rest.back(h, cotangent) * way).sum() == pytest.approx(slope, rel=1e-6)
    assert abs(slope) > 1e-4


def test_both_directions_above_are_followed(rng):
    x = rng.normal(size=(3, 6, 2))
    ahead, back = layer(rng, "ahead", x), layer(rng, "back", x, reverse=True)
    both = np.concatenate([ahead.snapshot.output, back.snapshot.output], axis=2)
    tops = layer(rng, "top", both), layer(rng, "top_back", both, reverse=True)
    found = {each.snapshot.layer: each for each in (ahead, back, *tops)}
    rests = rests_through_layers(found)
    assert sorted(rests) == ["ahead", "back"]
    expected = np.concatenate([tops[0].trace.h[:, -1], tops[1].trace.h[:, 0]], axis=1)
    for each in (ahead, back):
        given = rests[each.snapshot.layer].outputs(each.snapshot.output)
        assert given == pytest.approx(expected, abs=1e-5)


def test_sentences_name_what_stands_above(rng):
    found = stack(rng)
    rest = rests_through_layers(found)["first"]
    said = ablate(found["first"], rest=rest).sentences()[0].text
    assert "the last h of the layers above changes by" in said
    attribution = attribute(found["first"], rest=rest, outputs=[2])
    assert attribution.incompleteness < 1e-6
    assert "Value 2 of the last h of the layers above" in attribution.sentences()[0].text


def test_layers_side_by_side_are_not_followed(rng):
    x = rng.normal(size=(3, 6, 2))
    sides = {name: layer(rng, name, x) for name in ("left", "right")}
    assert rests_through_layers(sides) == {}
