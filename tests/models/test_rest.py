"""The part of a Keras model after a layer: run as a pure function, with its exact gradient."""

from __future__ import annotations

import warnings
from typing import Any

import keras
import keras_models
import numpy as np
import pytest
from keras import layers

import lstm_probe
from lstm_probe.analysis import ablate, attribute
from lstm_probe.models.live import live_look


def built(rng: np.random.Generator, *stack: Any, shape: tuple[int, ...] = (6, 3)) -> keras.Model:
    return keras_models.randomise(keras.Sequential([keras.Input(shape), *stack]), rng)


def stacks() -> dict[str, Any]:
    return {
        "last step": lambda: [layers.LSTM(5, name="memory"), layers.Dense(2, "tanh")],
        "all steps": lambda: [
            layers.GRU(5, return_sequences=True, name="memory"),
            layers.Conv1D(3, 2),
            layers.Flatten(),
            layers.Dense(2),
        ],
        "backwards": lambda: [
            layers.SimpleRNN(4, return_sequences=True, go_backwards=True, name="memory"),
            layers.LSTM(3),
        ],
        "backwards, last": lambda: [
            layers.LSTM(4, go_backwards=True, name="memory"),
            layers.Dense(2),
        ],
        "both ways": lambda: [layers.Bidirectional(layers.LSTM(4, name="memory")), layers.Dense(2)],
        "a layer above": lambda: [
            layers.LSTM(4, return_sequences=True, name="memory"),
            layers.Dropout(0.5),
            layers.GRU(3),
            layers.BatchNormalization(),
        ],
        "masked": lambda: [
            layers.Masking(),
            layers.LSTM(4, return_sequences=True, name="memory"),
            layers.GRU(3),
            layers.Dense(1),
        ],
        "states": lambda: [
            layers.ConvLSTM1D(2, 2, return_sequences=True, name="memory"),
            layers.GlobalAveragePooling2D(),
        ],
    }


def looked_at(name: str, rng: np.random.Generator) -> tuple[keras.Model, np.ndarray, Any, Any]:
    shape = (6, 5, 1) if name == "states" else (6, 3)
    model = built(rng, *stacks()[name](), shape=shape)
    probe = rng.normal(size=(4, *shape)).astype(np.float32)
    if name == "masked":
        probe[1, 4:] = 0
    look = live_look(model, probe)
    rests, why = look.rests()
    assert why == ""
    first = look.snapshots[0]
    return model, probe, first, rests[first.layer]


@pytest.mark.parametrize("name", stacks())
def test_the_rest_gives_the_models_own_output_for_the_layers_own(
    name: str, rng: np.random.Generator
) -> None:
    model, probe, seen, rest = looked_at(name, rng)
    expected = keras.ops.convert_to_numpy(model(probe, training=False)).reshape(4, -1)
    assert rest.outputs(seen.output) == pytest.approx(expected, abs=1e-5)
    changed = seen.output + rng.normal(size=seen.output.shape)
    assert np.abs(rest.outputs(changed) - expected).max() > 0.01


@pytest.mark.parametrize("name", stacks())
def test_its_gradient_is_that_of_finite_differences(name: str, rng: np.random.Generator) -> None:
    _, _, seen, rest = looked_at(name, rng)
    cotangent = rng.normal(size=rest.outputs(seen.output).shape)
    way, step = rng.normal(size=seen.output.shape), 1e-2
    ahead, behind = (rest.outputs(seen.output + sign * step * way) for sign in (1, -1))
    slope = ((ahead - behind) * cotangent).sum() / (2 * step)
    assert rest.back is not None
    found = (rest.back(seen.output, cotangent) * way).sum()
    assert found == pytest.approx(slope, rel=1e-2, abs=1e-3)


def test_ablation_through_the_rest_is_that_of_a_head_without_the_unit(
    rng: np.random.Generator,
) -> None:
    model = built(rng, layers.LSTM(5, name="memory"), layers.Dense(2))
    probe = rng.normal(size=(4, 6, 3)).astype(np.float32)
    kernel, recurrent, bias = model.get_layer("memory").get_weights()
    recurrent[2] = 0  # no other unit reads it
    model.get_layer("memory").set_weights([kernel, recurrent, bias])
    look = live_look(model, probe)
    rests, _ = look.rests()
    found = ablate(look.snapshots[0], rest=rests["memory"]).at_zero.on_output
    before = keras.ops.convert_to_numpy(model(probe))
    head, shift = model.layers[-1].get_weights()
    head[2] = 0
    model.layers[-1].set_weights([head, shift])
    change = keras.ops.convert_to_numpy(model(probe)) - before
    assert found is not None
    assert found[2] == pytest.approx(np.sqrt(np.square(change).sum(axis=1).mean()), rel=1e-4)


def test_attributions_of_an_output_add_up(rng: np.random.Generator) -> None:
    model, probe, seen, rest = looked_at("a layer above", rng)
    found = attribute(seen, rest=rest)
    assert found.incompleteness < 1e-4
    zero, own = (keras.ops.convert_to_numpy(model(x)) for x in (np.zeros_like(probe), probe))
    assert pytest.approx(own - zero, abs=1e-3) == found.values.sum(axis=(2, 3)).T


def test_nothing_of_the_model_changes(rng: np.random.Generator) -> None:
    model = built(
        rng,
        layers.GRU(4, return_sequences=True, dropout=0.3, recurrent_dropout=0.2, name="memory"),
        layers.Dropout(0.5),
        layers.BatchNormalization(),
        layers.LSTM(3, stateful=False),
        layers.Dense(1),
    )
    probe = rng.normal(size=(8, 6, 3)).astype(np.float32)
    before = [keras.ops.convert_to_numpy(each).copy() for each in model.variables]
    numbers = np.random.get_state()[1].copy()  # noqa: NPY002
    found = lstm_probe.explain(
        model, probe, target=np.zeros(8), analyses=["ablation", "attribution"]
    )
    assert list(found["memory"].findings) == ["ablation", "attribution"]
    assert found["memory"].findings["ablation"].loss is not None  # type: ignore[attr-defined]
    after = [keras.ops.convert_to_numpy(each) for each in model.variables]
    assert all((a == b).all() for a, b in zip(before, after, strict=True))
    assert (np.random.get_state()[1] == numbers).all()  # noqa: NPY002


def test_a_layer_whose_rest_cannot_be_run_says_why(rng: np.random.Generator) -> None:
    entry = keras.Input((6, 3))
    shared = layers.LSTM(4, name="twice", return_sequences=True)
    h, *states = layers.LSTM(3, return_sequences=True, return_state=True, name="encoder")(entry)
    again = layers.LSTM(3, name="decoder")(h, initial_state=states)
    out = layers.concatenate([shared(entry)[:, -1], shared(h[:, :, :3])[:, -1], again])
    model = keras.Model(entry, layers.Dense(1)(out))
    found = lstm_probe.explain(
        model, rng.normal(size=(4, 6, 3)).astype(np.float32), analyses=["ablation"]
    )
    notes = " ".join(found["encoder"].notes)
    assert "is not run. It reads a state of the layer that is more than its output" in notes
    assert "after twice is not run: the model calls it more than once" in notes
    ablations = {name: each.findings["ablation"] for name, each in found.items()}
    assert ablations["encoder"].output_norm is None  # type: ignore[attr-defined]
    assert ablations["decoder"].output_norm > 0  # type: ignore[attr-defined]


def assert_same(found: Any, expected: Any) -> None:
    """That the numbers behind the sentences are the same."""
    assert list(found) == list(expected)
    for name, each in expected.items():
        other = found[name]
        assert (each.missing, each.notes, each.asked_of) == (
            other.missing,
            other.notes,
            other.asked_of,
        )
        ours, theirs = (e.findings["ablation"] for e in (each, other))
        for part in ("on_output", "loss", "on_others"):
            pair = [getattr(clamp, part) for clamp in (ours.at_mean, theirs.at_mean)]
            np.testing.assert_allclose(*pair, rtol=1e-4, atol=1e-6)
        assert theirs.loss == pytest.approx(ours.loss, rel=1e-5)
        ours, theirs = (e.findings["attribution"] for e in (each, other))
        assert ours.word == theirs.word == "output"
        np.testing.assert_allclose(ours.values, theirs.values, rtol=1e-3, atol=1e-5)
        assert theirs.incompleteness < 1e-4


FILES: dict[str, Any] = {
    "lstm": lambda of: [of.LSTM(5, name="memory"), of.Dense(2)],
    "both ways": lambda of: [
        of.Bidirectional(of.GRU(3, return_sequences=True), name="both"),
        of.LSTM(4, name="top"),
        of.Dense(3, activation="softmax"),
    ],
}


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("lstm", "keras"),
        *(
            pytest.param(name, kind, marks=pytest.mark.long)
            for kind in ("keras", "h5", "tf_keras", "saved_model")
            for name in FILES
            if (name, kind) != ("lstm", "keras")
        ),
    ],
)
def test_a_file_is_run_as_a_live_model(name: str, kind: str, tmp_path: Any, rng: Any) -> None:
    is_keras_2 = kind in ("tf_keras", "saved_model")
    package = pytest.importorskip("tf_keras") if is_keras_2 else keras
    entry = package.layers.InputLayer if is_keras_2 else package.Input
    model = package.Sequential([entry((6, 3)), *FILES[name](package.layers)])
    keras_models.randomise(model, rng)
    probe = rng.normal(size=(8, 6, 3)).astype(np.float32)
    target = rng.integers(0, 2, 8)
    asked = {"target": target, "analyses": ["ablation", "attribution"]}
    live = lstm_probe.explain(model, probe, **asked)
    path = tmp_path / {"keras": "model.keras", "saved_model": "model"}.get(kind, "model.h5")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # both Kerases say that HDF5 is of the past
        model.save(path)
    assert_same(lstm_probe.explain(path, probe, **asked), live)


def test_a_cell_state_that_nobody_reads_does_not_matter(rng: np.random.Generator) -> None:
    entry = keras.Input((6, 3))
    h, last, _ = layers.LSTM(3, return_sequences=True, return_state=True, name="memory")(entry)
    model = keras.Model(entry, layers.Dense(1)(layers.concatenate([h[:, 0], last])))
    probe = rng.normal(size=(4, 6, 3)).astype(np.float32)
    look = live_look(model, probe)
    rests, why = look.rests()
    assert why == ""
    rest, seen = rests["memory"], look.snapshots[0]
    expected = keras.ops.convert_to_numpy(model(probe))
    assert rest.outputs(seen.output) == pytest.approx(expected, abs=1e-5)
    changed = np.array(seen.output)
    changed[:, -1] += 1  # the last step is read as the last state alone
    assert np.abs(rest.outputs(changed) - expected).max() > 0.01
