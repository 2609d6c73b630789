"""`inspect` without a probe: what a file of each kind holds, and what a probe must be like."""

from __future__ import annotations

import json
from pathlib import Path

import keras
import numpy as np
import pytest
import tf_keras
from cli_files import DATA, one_line, run, write_keras, write_onnx

import lstm_probe


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("contents")
    rng = np.random.default_rng(1)
    for package in (keras, tf_keras):
        write_keras(root / package.__name__, package, rng)
    pytest.importorskip("onnx")
    write_onnx(root / "model.onnx", rng)
    return root


def listed(path: Path, *options: object) -> dict:
    result = run("inspect", path, *options, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


WITH_SHAPE = [
    ("keras/model.keras", "(any, 6, 3) float32"),
    ("keras/model.h5", "(any, 6, 3) float32"),
    ("tf_keras/model.keras", "(any, 6, 3) float32"),
    ("tf_keras/saved", "(any, 6, 3) float32"),
    ("keras/objects", "(batch, time, 3)"),
    ("keras/saved", "(batch, time, 3)"),
    ("keras/model.weights.h5", "(batch, time, 3)"),
    ("tf_keras/named", "(batch, time, 3)"),
]


@pytest.mark.parametrize(("name", "expected"), WITH_SHAPE)
def test_layers_and_sizes_are_listed_for_every_kind_of_keras_file(root, name, expected):
    found = listed(root / name)
    memory, reader = (
        next(layer for key, layer in found["layers"].items() if end in (key, key.split("/")[-1]))
        for end in ("memory", "reader")
    )
    assert (memory["cell"], memory["features"], memory["units"]) == ("lstm", 3, 5)
    assert (reader["cell"], reader["features"], reader["units"]) == ("gru", 5, 4)
    assert memory["shapes"]["kernel"][0] == 3
    assert found["probe"][0].startswith(expected)
    table = " ".join(run("inspect", root / name).stdout.split())
    assert f"probe: {expected}" in table
    assert "kernel 3x" in table


def test_the_layers_of_an_onnx_file_are_listed(root):
    found = listed(root / "model.onnx")
    assert list(found["layers"]) == ["encoder/LSTM/forward", "encoder/LSTM/backward", "reader"]
    assert found["layers"]["encoder/LSTM/backward"]["reverse"]
    assert found["layers"]["reader"]["features"] == 10
    assert found["probe"] == ["(2, 6, 3) float32, for its input 'x'"]


def test_what_layers_read_is_listed_for_weights_alone(root, tmp_path):
    found = listed(DATA / "torch_state.pt")["layers"]
    assert found["encoder"]["reads"] == "the probe"
    assert found["encoder.l1"]["reads"] == "encoder and encoder.l0_reverse"
    assert found["reader"]["reads"] == "not known"
    assert found["encoder.l1_reverse"]["reverse"]
    only = listed(DATA / "torch_state.pt", "--layer", "reader")["layers"]
    assert list(only) == ["reader"]
    guess = listed(root / "keras" / "objects")
    assert any("guessed, as no other layer" in note for note in guess["notes"])


def test_a_probe_that_is_listed_is_taken(root):
    """What the command says of a probe is what the model takes."""
    for name, expected in WITH_SHAPE:
        shape = "1,6,3" if "6" in expected else "1,4,3"
        assert run("inspect", root / name, "--random", shape).exit_code == 0


@pytest.mark.parametrize("package", [keras, tf_keras], ids=["keras", "tf_keras"])
@pytest.mark.parametrize("with_input", [True, False])
def test_words_are_listed_and_drawn_for_an_embedding(package, with_input, tmp_path):
    layers = package.layers
    first = [layers.InputLayer((12,))] if with_input else []
    model = package.Sequential([*first, layers.Embedding(26, 8), layers.LSTM(4, name="l")])
    model.build((None, 12))
    model.save(tmp_path / "m.keras")
    found = listed(tmp_path / "m.keras")
    assert "whole numbers from 0 to 25" in found["probe"][0]
    result = run("inspect", tmp_path / "m.keras", "--random", "4,12", "--check", "--json")
    (layer,) = json.loads(result.stdout)["layers"].values()
    assert layer["parity"]["verdict"] == "match"
    np.save(tmp_path / "tokens.npy", np.full((2, 12), 26))
    line = one_line(run("inspect", tmp_path / "m.keras", "--probe", tmp_path / "tokens.npy"))
    assert "Expected: whole numbers from 0 to 25, the tokens of its Embedding" in line
    assert "values from 26 to 26" in line


def test_inner_layers_of_a_file_are_called_as_in_the_training(tmp_path):
    layers = keras.layers
    inner = keras.Sequential([layers.LSTM(3, return_sequences=True, name="deep")], name="inner")
    model = keras.Sequential(
        [
            keras.Input((6, 3)),
            layers.Bidirectional(layers.GRU(4, return_sequences=True, name="gru"), name="both"),
            inner,
            layers.RNN(layers.StackedRNNCells([layers.LSTMCell(2), layers.GRUCell(2)]), name="st"),
        ],
        name="m",
    )
    x = np.random.default_rng(0).normal(size=(1, 6, 3)).astype(np.float32)
    live = lstm_probe.inspect(model, x)
    assert "both/forward_gru" in live
    assert "inner/deep" in live
    for ending in (".keras", ".h5"):
        path = tmp_path / f"m{ending}"
        model.save(path)
        loaded = lstm_probe.inspect(path, x)
        assert list(loaded) == list(live)
        assert list(lstm_probe.inspect(path, x, layers=["both/backward_gru"])) == [
            "both/backward_gru"
        ]
        assert list(lstm_probe.inspect(path, x, layers=["deep"])) == ["inner/deep"]
        for name, analysis in live.items():
            np.testing.assert_allclose(loaded[name].trace.h, analysis.trace.h, atol=1e-6)
            assert loaded[name].snapshot.layer == loaded[name].trace.layer == name


@pytest.mark.parametrize("version", ["2.0.8", "2.1.6", "1.2.2"])
@pytest.mark.parametrize("kind", ["plain", "bidirectional", "cell", "configuration"])
def test_a_gru_of_older_keras_has_its_reset_gate_before_the_product(version, kind, tmp_path):
    import h5py

    layers = tf_keras.layers
    options = {"reset_after": False, "return_sequences": True}
    layer = layers.GRU(4, **options)
    if kind == "bidirectional":
        layer = layers.Bidirectional(layer)
    if kind == "cell":
        layer = layers.RNN(layers.GRUCell(4, reset_after=False), return_sequences=True)
    model = tf_keras.Sequential([layers.InputLayer((6, 3)), layer])
    rng = np.random.default_rng(3)
    for variable in model.trainable_variables:
        variable.assign(rng.normal(0, 0.5, variable.shape))
    x = rng.normal(size=(2, 6, 3)).astype(np.float32)
    path, config = tmp_path / "m.h5", None

    def without(node):
        if isinstance(node, dict):
            return {k: without(v) for k, v in node.items() if k != "reset_after"}
        return [without(each) for each in node] if isinstance(node, list) else node

    if kind == "configuration":
        path, config = tmp_path / "m.weights.h5", tmp_path / "m.json"
        model.save_weights(path)
        described = without(json.loads(model.to_json()))
        config.write_text(json.dumps({**described, "keras_version": version}))
    else:
        with pytest.warns(UserWarning, match="legacy"):
            model.save(path)
        with h5py.File(path, "a") as file:
            described = without(json.loads(file.attrs["model_config"]))
            file.attrs["model_config"] = json.dumps(described)
            file.attrs["keras_version"] = version
    analyses = lstm_probe.inspect(path, x, config=config)
    joined = np.concatenate([each.trace.h for each in analyses.values()], -1)
    np.testing.assert_allclose(joined, np.asarray(model(x)), atol=1e-6)
    assert all(str(each.parity.verdict) == "match" for each in analyses.values())


@pytest.mark.parametrize("kind", ["LSTM", "GRU", "SimpleRNN"])
@pytest.mark.parametrize("layout", ["gate by gate", "joined"])
def test_weights_alone_of_older_keras_are_those_of_the_layer(kind, layout, tmp_path):
    """Keras 1 kept each gate apart; both it and Keras 2.0 had hard sigmoids by default."""
    import h5py

    layers, gates = tf_keras.layers, {"LSTM": "ifco", "GRU": "zrh", "SimpleRNN": ""}[kind]
    options = {} if kind == "SimpleRNN" else {"recurrent_activation": "hard_sigmoid"}
    options |= {"reset_after": False} if kind == "GRU" else {}
    wrapped = getattr(layers, kind)(4, return_sequences=True, **options)
    layer = layers.Bidirectional(wrapped, merge_mode=None)
    x = np.random.default_rng(2).normal(size=(2, 6, 3)).astype(np.float32)
    rng = np.random.default_rng(3)
    layer.build(x.shape)
    for variable in layer.trainable_variables:
        variable.assign(rng.normal(0, 0.5, variable.shape))
    theirs = dict(zip(("forward", "backward"), map(np.asarray, layer(x)), strict=True))
    path = tmp_path / "weights.h5"
    with h5py.File(path, "w") as file:
        names = []
        group = file.create_group("bidirectional_1")
        for direction in theirs:
            own = getattr(layer, f"{direction}_layer").get_weights()
            name = f"{direction}_{kind.lower()}_1"
            for letter, last, array in zip(
                "WUb", ("kernel", "recurrent_kernel", "bias"), own, strict=True
            ):
                if layout == "joined":
                    parts = {f"{name}/{last}:0": array}
                elif gates:
                    cut = np.split(array, len(gates), axis=-1)
                    parts = {f"{name}_{letter}_{g}:0": a for g, a in zip(gates, cut, strict=True)}
                else:
                    parts = {f"{name}_{letter}:0": array}
                for part, values in parts.items():
                    names.append(part.encode())
                    group[part] = values
        group.attrs["weight_names"] = names
        file.attrs["layer_names"] = [b"bidirectional_1"]
        if layout == "joined":
            file.attrs["keras_version"] = b"2.0.8"
    found = lstm_probe.inspect(path, x)
    assert len(found) == 2
    for direction, h in theirs.items():
        (analysis,) = (each for name, each in found.items() if direction in name)
        np.testing.assert_allclose(analysis.trace.h, h, atol=1e-6)
        told = " ".join(analysis.snapshot.guessed)
        assert ("its recurrent activation is a hard sigmoid: guessed" in told) == bool(gates)
    if gates:
        other = lstm_probe.inspect(path, x, cell={"recurrent_activation": "sigmoid"})
        assert not any("hard" in each for a in other.values() for each in a.snapshot.guessed)


def test_a_model_of_keras_1_is_named_as_one(tmp_path):
    import h5py

    config = {"class_name": "Sequential", "config": [{"class_name": "GRU", "config": {
        "name": "g", "output_dim": 4, "inner_init": "orthogonal"}}]}  # fmt: skip
    with h5py.File(tmp_path / "m.h5", "w") as file:
        file.attrs["model_config"] = json.dumps(config)
        file.attrs["keras_version"] = "1.2.2"
    line = one_line(run("inspect", tmp_path / "m.h5", "--random", "1,6,3"))
    assert "is a model of Keras 1" in line
    assert "--weights-only" in line
