"""The part of a tf_keras model after a layer: as of Keras 3, with the means of TensorFlow."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from keras_models import randomise

import lstm_probe
from lstm_probe.analysis import attribute
from lstm_probe.models.live import live_look

tf_keras = pytest.importorskip("tf_keras")
layers = tf_keras.layers

STACKS: dict[str, Any] = {
    "last step": lambda: [layers.LSTM(5, name="memory"), layers.Dense(2, "tanh")],
    "backwards": lambda: [
        layers.SimpleRNN(4, return_sequences=True, go_backwards=True, name="memory"),
        layers.GRU(3),
    ],
    "both ways, masked": lambda: [
        layers.Masking(),
        layers.Bidirectional(layers.GRU(4, name="memory")),
        layers.Dropout(0.5),
        layers.Dense(2),
    ],
    "stateful": lambda: [
        layers.LSTM(4, return_sequences=True, stateful=True, name="memory"),
        layers.BatchNormalization(),
        layers.LSTM(3, stateful=True),
    ],
}


@pytest.mark.parametrize(
    "name",
    [
        each if each == "last step" else pytest.param(each, marks=pytest.mark.long)
        for each in STACKS
    ],
)
def test_the_rest_is_the_models_own_with_its_exact_gradient(
    name: str, rng: np.random.Generator
) -> None:
    entry = layers.InputLayer((6, 3), batch_size=4 if name == "stateful" else None)
    model = randomise(tf_keras.Sequential([entry, *STACKS[name]()]), rng)
    probe = rng.normal(size=(4, 6, 3)).astype(np.float32)
    probe[1, 4:] = 0
    before = [each.numpy() for each in model.variables]
    look = live_look(model, probe)
    rests, why = look.rests()
    assert why == ""
    seen = look.snapshots[0]
    rest, step = rests[seen.layer], 1e-2
    found, way = rest.rows(seen.output), rng.normal(size=seen.output.shape)
    cotangent = rng.normal(size=found.shape)
    ahead, behind = (rest.rows(seen.output + sign * step * way) for sign in (1, -1))
    slope = ((ahead - behind) * cotangent).sum() / (2 * step)
    gradient = (rest.gradient(seen.output, cotangent) * way).sum()
    assert gradient == pytest.approx(slope, rel=1e-2, abs=1e-3)
    assert attribute(seen, rest=rest).incompleteness < 1e-4
    for own, after in zip(before, model.variables, strict=True):
        np.testing.assert_array_equal(after.numpy(), own)  # the states of stateful layers too
    np.testing.assert_allclose(found, np.reshape(model(probe), (4, -1)), atol=1e-5)


def test_what_cannot_be_run_says_why(rng: np.random.Generator) -> None:
    model = tf_keras.Sequential(
        [
            layers.InputLayer((6, 3)),
            layers.LSTM(4, return_sequences=True, time_major=True, name="memory"),
            layers.Dense(1),
        ]
    )
    probe = rng.normal(size=(4, 6, 3)).astype(np.float32)
    found = lstm_probe.explain(model, probe, analyses=["ablation"])["memory"]
    assert "after memory is not run: its first axis is that of the time" in found.notes[0]
    assert found.findings["ablation"].output_norm is None  # type: ignore[attr-defined]
