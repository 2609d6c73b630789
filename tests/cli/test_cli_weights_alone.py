"""Weights read alone: which way each layer reads, and what it reads, against what ran them."""

from __future__ import annotations

import json
import pickle
import warnings
import zipfile
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
import tf_keras
from cli_files import one_line, run
from helpers_cells import keras_lstm_arrays, naive_lstm, sigmoid
from safetensors.numpy import save_file
from session_graphs import cells, tf1

import lstm_probe
from lstm_probe.core.errors import LstmProbeError
from lstm_probe.logs.stored.reader import find_runs

STEPS, FEATURES = 7, 3


def probe() -> np.ndarray:
    return np.random.default_rng(3).normal(size=(2, STEPS, FEATURES)).astype(np.float32)


def randomised(model, seed=5):
    rng = np.random.default_rng(seed)
    for variable in model.trainable_variables:
        variable.assign(rng.normal(0, 0.4, variable.shape))
    return model


def three_deep(package):
    """A model of three bidirectional layers, and what each direction of each of them gives."""
    layers = package.layers
    x = below = package.Input((STEPS, FEATURES))
    outputs = []
    for units, kind in ((4, layers.LSTM), (5, layers.GRU), (2, layers.LSTM)):
        wrapper = layers.Bidirectional(kind(units, return_sequences=True), merge_mode=None)
        pair = wrapper(below)
        outputs += pair
        below = layers.Concatenate()(pair)
    model = randomised(package.Model(x, outputs))
    return model, [np.asarray(each) for each in model(probe())]


def write(model, path: Path, kind: str) -> Path:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Keras calls its .h5 files legacy
        if kind == "npz":
            names = [getattr(v, "path", v.name) for v in model.weights]
            np.savez(path, **dict(zip(names, map(np.asarray, model.weights), strict=True)))
            return path.with_name(path.name + ".npz")
        if kind == "sorted npz":
            arrays = {getattr(v, "path", v.name): np.asarray(v) for v in model.weights}
            np.savez(path, **dict(sorted(arrays.items())))
            return path.with_name(path.name + ".npz")
        if kind == "checkpoint":
            return Path(tf.train.Checkpoint(model=model).save(str(path)))
        if kind == "SavedModel":
            is_keras_3 = hasattr(model, "export") and model.__class__.__module__.startswith("keras")
            if is_keras_3:
                model.export(path, verbose=False)
            else:
                tf.saved_model.save(model, str(path))
            return path
        path = path.with_name(path.name + kind)
        (model.save_weights if kind == ".weights.h5" else model.save)(path)
        return path


KINDS = ["npz", "sorted npz", "checkpoint", "SavedModel", ".weights.h5", ".h5", ".keras"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("package", [keras, tf_keras], ids=["keras", "tf_keras"])
def test_three_bidirectional_layers_are_chained(package, kind, tmp_path):
    model, outputs = three_deep(package)
    path = write(model, tmp_path / "saved", kind)
    analyses = lstm_probe.inspect(path, probe(), weights_only=True)
    assert len(analyses) == 6
    for number, theirs in enumerate(outputs):
        nearest = min(
            analyses.values(),
            key=lambda each: (
                np.abs(each.trace.h - theirs).max()
                if each.trace.h.shape == theirs.shape
                else np.inf
            ),
        )
        np.testing.assert_allclose(nearest.trace.h, theirs, atol=2e-6)
        assert nearest.snapshot.reverse == bool(number % 2)
        told = " ".join(nearest.snapshot.guessed)
        assert ("it reads the outputs of" in told) == (number > 1)
        known = kind in ("checkpoint", ".weights.h5", ".keras")  # they keep `backward_layer`
        assert ("from its name" in told) == (number % 2 == 1 and not known)


def two_layers(tmp_path, first=(FEATURES, 4), second=(4, 5), names=("lstm", "lstm_1"), **more):
    """A file with two LSTMs of Keras, and other arrays."""
    rng = np.random.default_rng(1)
    arrays = {}
    for name, (size, units) in zip(names, (first, second), strict=True):
        arrays[f"{name}/lstm_cell/kernel"] = rng.normal(0, 0.5, (size, 4 * units))
        arrays[f"{name}/lstm_cell/recurrent_kernel"] = rng.normal(0, 0.5, (units, 4 * units))
        arrays[f"{name}/lstm_cell/bias"] = rng.normal(0, 0.5, 4 * units)
    arrays |= {name: rng.normal(size=shape) for name, shape in more.items()}
    np.savez(tmp_path / "weights.npz", **arrays)
    return tmp_path / "weights.npz", arrays


def of(arrays, name, x):
    cell = f"{name}/lstm_cell"
    names = ("kernel", "recurrent_kernel", "bias")
    return naive_lstm(x, *(arrays[f"{cell}/{each}"] for each in names))["h"]


def test_the_second_layer_reads_the_first_where_only_that_fits(tmp_path):
    path, arrays = two_layers(tmp_path)
    analyses = lstm_probe.inspect(path, probe())
    first = of(arrays, "lstm", probe())
    np.testing.assert_allclose(analyses["lstm"].trace.h, first, atol=1e-12)
    np.testing.assert_allclose(analyses["lstm_1"].trace.h, of(arrays, "lstm_1", first), atol=1e-12)
    assert analyses["lstm"].snapshot.guessed == ()
    assert "guessed, as no other layer" in analyses["lstm_1"].snapshot.guessed[0]


def test_three_equal_layers_stand_in_the_order_of_their_numbers(tmp_path):
    path, arrays = two_layers(tmp_path, second=(4, 4), names=("lstm_9", "lstm_10"))
    analyses = lstm_probe.inspect(path, probe())
    x = probe()
    for name in ("lstm_9", "lstm_10"):
        x = of(arrays, name, x)
        np.testing.assert_allclose(analyses[name].trace.h, x, atol=1e-12)


def test_a_layer_that_may_read_the_probe_or_another_is_not_drawn(tmp_path):
    path, arrays = two_layers(tmp_path, first=(3, 3), second=(3, 3))
    assert list(lstm_probe.inspect(path, probe())) == ["lstm"]
    result = run("inspect", path, "--random", "1,5,3")
    assert "lstm_1 is not run: it takes 3 features, which the probe and lstm have" in " ".join(
        result.stdout.split()
    )
    alone = lstm_probe.inspect(path, probe(), layers=["lstm_1"])["lstm_1"]
    assert alone.snapshot.guessed == ("it reads the probe: taken so, as it was asked for",)
    np.testing.assert_allclose(alone.trace.h, of(arrays, "lstm_1", probe()), atol=1e-12)


def test_layers_of_a_sequential_model_stand_in_a_row(tmp_path):
    names = "sequential/lstm", "sequential/lstm_1"
    path, arrays = two_layers(tmp_path, first=(3, 3), second=(3, 3), names=names)
    analyses = lstm_probe.inspect(path, probe())
    upper = of(arrays, names[1], of(arrays, names[0], probe()))
    np.testing.assert_allclose(analyses[names[1]].trace.h, upper, atol=1e-12)
    assert "guessed, from the name of the model" in analyses[names[1]].snapshot.guessed[0]
    chosen = lstm_probe.inspect(path, probe(), layers=[names[1]])[names[1]]
    np.testing.assert_array_equal(chosen.trace.h, analyses[names[1]].trace.h)


def test_nothing_is_chained_over_another_layer(tmp_path):
    path, arrays = two_layers(tmp_path, **{"dense/kernel": (4, 4), "dense/bias": (4,)})
    np.savez(path, **dict(sorted(arrays.items())))  # an order that tells nothing
    assert list(lstm_probe.inspect(path, probe())) == ["lstm"]
    result = run("inspect", path, "--random", "1,5,3")
    assert "lstm_1 is not run" in result.stdout
    assert "dense may stand between them" in " ".join(result.stdout.split())


def test_a_head_does_not_stand_between(tmp_path):
    path, _ = two_layers(tmp_path, **{"dense/kernel": (5, 4), "dense/bias": (4,)})
    assert list(lstm_probe.inspect(path, probe())) == ["lstm", "lstm_1"]


@pytest.mark.parametrize("kind", ["npz", "checkpoint", ".keras", ".h5"])
def test_the_order_of_the_file_tells_what_stands_between(kind, tmp_path):
    """The same sizes twice: a Dense between two LSTMs, and one after them."""
    for between in (True, False):
        layers = [keras.layers.LSTM(4, return_sequences=True), keras.layers.Dense(4)]
        layers.insert(2 if between else 1, keras.layers.LSTM(4, return_sequences=True))
        model = keras.Sequential([keras.Input((STEPS, FEATURES)), *layers])
        path = write(randomised(model), tmp_path / f"saved{between}", kind)
        found = lstm_probe.inspect(path, probe(), weights_only=True)
        assert len(found) == 2 - between, (between, found)


def test_what_two_candidates_give_is_not_guessed(tmp_path):
    path, _ = two_layers(tmp_path, second=(3, 4), names=("left", "right"))
    rng = np.random.default_rng(2)
    arrays = dict(np.load(path))
    arrays |= {
        "top/kernel": rng.normal(size=(4, 8)),
        "top/recurrent_kernel": rng.normal(size=(2, 8)),
    }
    np.savez(path, **arrays)
    assert list(lstm_probe.inspect(path, probe())) == ["left", "right"]
    notes = json.loads(run("inspect", path, "--random", "1,5,3", "--json").stdout)["notes"]
    assert any("top is not run" in each and "left and right have" in each for each in notes)


def test_a_guess_is_shown_wherever_the_layer_is(tmp_path):
    path, _ = two_layers(tmp_path, second=(3, 4), names=("forward_a", "backward_a"))
    told = "it reads from the last timestep to the first: guessed from its name"
    analysis = lstm_probe.inspect(path, probe())["backward_a"]
    assert analysis.snapshot.guessed == (told,)
    assert told in repr(analysis)
    result = run("inspect", path, "--random", "1,5,3", "--log-dir", tmp_path / "logs")
    words = " ".join(result.stdout.split())
    assert f"backward_a: {told}" in words
    assert "(backward, guessed)" in words
    layers = json.loads(run("inspect", path, "--random", "1,5,3", "--json").stdout)["layers"]
    assert layers["backward_a"]["guessed"] == [told]
    assert "guessed" not in layers["forward_a"]
    (log,) = find_runs(tmp_path / "logs").values()
    assert log.capture("backward_a", 0).meta["guessed"] == [told]
    assert "guessed" not in log.capture("forward_a", 0).meta
    path.rename(tmp_path / "step-3.npz")
    replayed = run("replay", tmp_path / "step-3.npz", "--random", "1,5,3", "-o", tmp_path / "r")
    assert f"backward_a: {told}" in replayed.stdout


def test_a_guess_can_be_corrected(tmp_path):
    path, arrays = two_layers(tmp_path, second=(3, 4), names=("forward_a", "backward_a"))
    found = lstm_probe.inspect(path, probe(), cell={"backward_a:reverse": "false"})["backward_a"]
    np.testing.assert_allclose(found.trace.h, of(arrays, "backward_a", probe()), atol=1e-12)
    assert found.snapshot.guessed == ()
    with pytest.raises(LstmProbeError, match="reverse=true or reverse=false"):
        lstm_probe.inspect(path, probe(), cell={"reverse": "back"})
    with pytest.raises(LstmProbeError, match="No cell has such an option"):
        lstm_probe.inspect(path, probe(), cell={"other:reverse": "true"})


@pytest.mark.parametrize("name", ["bw", "bwd_lstm", "lstm_reverse", "enc/backward", "BackwardLSTM"])
def test_names_that_tell_the_direction(name, tmp_path):
    path, arrays = two_layers(tmp_path, second=(3, 4), names=("other", name))
    found = lstm_probe.inspect(path, probe())[name]
    theirs = of(arrays, name, probe()[:, ::-1])[:, ::-1]
    np.testing.assert_allclose(found.trace.h, theirs, atol=1e-12)


@pytest.mark.parametrize("name", ["reverse_translator/lstm", "forward_lstm", "bwana", "lookback"])
def test_names_that_tell_no_backward_direction(name, tmp_path):
    path, arrays = two_layers(tmp_path, second=(3, 4), names=("other", name))
    found = lstm_probe.inspect(path, probe())[name]
    np.testing.assert_allclose(found.trace.h, of(arrays, name, probe()), atol=1e-12)


@pytest.mark.parametrize("ending", [".safetensors", ".npz"])
def test_torch_layers_are_chained_whatever_the_order_of_their_keys(ending, tmp_path):
    """Three bidirectional layers with a projection, in the reverse order of their names."""
    rng = np.random.default_rng(4)
    units, size, output = 4, FEATURES, 2
    state, x = {}, probe().astype(np.float64)
    theirs = {}
    for layer in range(3):
        pair = []
        for suffix in ("", "_reverse"):
            shapes = {"weight_ih": (4 * units, size), "weight_hh": (4 * units, output)}
            shapes |= {"bias_ih": (4 * units,), "bias_hh": (4 * units,)}
            shapes |= {"weight_hr": (output, units)}
            own = {name: rng.normal(0, 0.5, shape) for name, shape in shapes.items()}
            state |= {f"rnn.{name}_l{layer}{suffix}": array for name, array in own.items()}
            order = -1 if suffix else 1
            pair.append(torch_lstm(x[:, ::order], own)[:, ::order])
            theirs[f"rnn.l{layer}{suffix}" if layer or suffix else "rnn"] = pair[-1]
        x, size = np.concatenate(pair, -1), 2 * output
    state = dict(sorted(state.items(), reverse=True))
    path = tmp_path / f"state{ending}"
    save_file(state, path) if ending == ".safetensors" else np.savez(path, **state)
    analyses = lstm_probe.inspect(path, probe())
    assert analyses.keys() == theirs.keys()
    for name, analysis in analyses.items():
        np.testing.assert_allclose(analysis.trace.h, theirs[name], atol=1e-7)
        assert analysis.snapshot.guessed == ()


def torch_lstm(x, state):
    units = len(state["bias_ih"]) // 4
    h, c = np.zeros((len(x), len(state["weight_hr"]))), np.zeros((len(x), units))
    hs = []
    for t in range(x.shape[1]):
        a = x[:, t] @ state["weight_ih"].T + h @ state["weight_hh"].T
        i, f, g, o = np.split(a + state["bias_ih"] + state["bias_hh"], 4, axis=1)
        c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
        h = (sigmoid(o) * np.tanh(c)) @ state["weight_hr"].T
        hs.append(h)
    return np.stack(hs, 1)


def test_a_module_of_torch_is_not_fed_by_another_one(tmp_path):
    rng = np.random.default_rng(6)
    shapes = {"a.weight_ih_l0": (16, 3), "a.weight_hh_l0": (16, 4)}
    shapes |= {"b.weight_ih_l0": (12, 4), "b.weight_hh_l0": (12, 3)}
    np.savez(tmp_path / "state.npz", **{k: rng.normal(size=s) for k, s in shapes.items()})
    assert list(lstm_probe.inspect(tmp_path / "state.npz", probe())) == ["a"]
    words = " ".join(run("inspect", tmp_path / "state.npz", "--random", "1,5,3").stdout.split())
    assert "b is not run: it takes 4 features, which a may give it, but modules of torch" in words


def test_a_missing_layer_of_torch_is_said(tmp_path):
    rng = np.random.default_rng(6)
    shapes = {"weight_ih_l0": (16, 3), "weight_hh_l0": (16, 4)}
    shapes |= {"weight_ih_l2": (16, 3), "weight_hh_l2": (16, 4)}
    np.savez(tmp_path / "state.npz", **{k: rng.normal(size=s) for k, s in shapes.items()})
    assert list(lstm_probe.inspect(tmp_path / "state.npz", probe())) == ["l0"]
    result = run("inspect", tmp_path / "state.npz", "--random", "1,5,3")
    assert "l2 is not run: the layer below it is not in the file" in " ".join(result.stdout.split())


@pytest.mark.filterwarnings("ignore:.tf.nn.rnn_cell:UserWarning")
def test_stacks_within_both_directions_of_tf1_are_run(tmp_path):
    def stack():
        return cells.MultiRNNCell([cells.BasicLSTMCell(4), cells.GRUCell(3)])

    rng = np.random.default_rng(8)
    with tf.Graph().as_default(), tf1.Session() as session:
        x = tf1.placeholder("float32", [None, STEPS, FEATURES])
        pair, _ = tf1.nn.bidirectional_dynamic_rnn(stack(), stack(), x, dtype="float32")
        for variable in tf1.global_variables():
            variable.load(rng.normal(0, 0.5, variable.shape), session)
        path = tf1.train.Saver().save(session, str(tmp_path / "model.ckpt"))
        theirs = session.run(pair, {x: probe()})
    analyses = lstm_probe.inspect(path, probe())
    assert len(analyses) == 4
    for direction, expected in zip(("fw", "bw"), theirs, strict=True):
        name = f"bidirectional_rnn/{direction}/multi_rnn_cell/cell_1/gru_cell"
        np.testing.assert_allclose(analyses[name].trace.h, expected, atol=1e-6)


def test_layers_of_a_bidirectional_stack_of_tf1_read_both_directions(tmp_path):
    """`stack_bidirectional_dynamic_rnn` is in tf.contrib alone: its names, and the equations."""
    rng = np.random.default_rng(9)
    arrays, x, size, theirs = {}, probe().astype(np.float64), FEATURES, {}
    for layer in range(3):
        pair = []
        for direction, order in (("bw", -1), ("fw", 1)):
            scope = f"stack_bidirectional_rnn/cell_{layer}/bidirectional_rnn/{direction}/lstm_cell"
            kernel, bias = rng.normal(0, 0.5, (size + 4, 16)), rng.normal(0, 0.5, 16)
            arrays |= {f"{scope}/kernel": kernel, f"{scope}/bias": bias}
            i, g, f, o = np.split(kernel, 4, axis=1)
            as_keras = np.hstack([i, f, g, o])
            i, g, f, o = np.split(bias, 4)
            bias = np.hstack([i, f + 1, g, o])
            read = naive_lstm(x[:, ::order], as_keras[:size], as_keras[size:], bias)
            h = read["h"][:, ::order]
            theirs[scope] = h
            pair.append(h)
        x, size = np.concatenate(pair[::-1], -1), 8
    np.savez(tmp_path / "weights.npz", **arrays)
    analyses = lstm_probe.inspect(tmp_path / "weights.npz", probe())
    assert analyses.keys() == theirs.keys()
    for name, analysis in analyses.items():
        np.testing.assert_allclose(analysis.trace.h, theirs[name], atol=1e-12)


@pytest.mark.parametrize("package", [keras, tf_keras], ids=["keras", "tf_keras"])
@pytest.mark.parametrize("kind", ["npz", "SavedModel", ".weights.h5"])
def test_cells_of_a_stack_are_shown_one_by_one(package, kind, tmp_path):
    layers = package.layers
    stack = layers.StackedRNNCells([layers.LSTMCell(4), layers.GRUCell(5)])
    model = package.Sequential(
        [package.Input((STEPS, FEATURES)), layers.RNN(stack, return_sequences=True)]
    )
    theirs = np.asarray(randomised(model)(probe()))
    path = write(model, tmp_path / "saved", kind)
    analyses = lstm_probe.inspect(path, probe(), weights_only=True)
    assert len(analyses) == 2
    np.testing.assert_allclose(
        next(each for each in analyses.values() if each.trace.units == 5).trace.h, theirs, atol=1e-6
    )


def test_layers_that_share_their_names_are_all_shown(tmp_path):
    """Two models in one, whose variables tf_keras calls the same."""
    layers = tf_keras.layers
    x = tf_keras.Input((STEPS, FEATURES))
    inner = [
        tf_keras.Sequential([layers.LSTM(4, return_sequences=True, name="lstm")], name=name)
        for name in ("left", "right")
    ]
    outputs = [each(x) for each in inner]
    model = randomised(tf_keras.Model(x, outputs))
    for kind in ("checkpoint", "SavedModel"):
        path = write(model, tmp_path / kind, kind)
        found = lstm_probe.inspect(path, probe(), weights_only=True).values()
        assert len(found) == 2
        for theirs in map(np.asarray, model(probe())):
            errors = [np.abs(each.trace.h - theirs).max() for each in found]
            assert min(errors) < 1e-6


def test_a_cell_that_cannot_be_shown_hides_no_other(tmp_path):
    path, arrays = two_layers(
        tmp_path,
        **{"conv/kernel": (3, 3, 1, 8), "conv/recurrent_kernel": (3, 3, 2, 8)},
        **{"odd/kernel": (3, 7), "odd/recurrent_kernel": (2, 9)},
        **{"t.weight_ih_l0": (7, 3), "t.weight_hh_l0": (9, 3)},
    )
    assert list(lstm_probe.inspect(path, probe())) == ["lstm", "lstm_1"]
    notes = json.loads(run("inspect", path, "--random", "1,5,3", "--json").stdout)["notes"]
    for name, reason in (("conv", "strides"), ("odd", "(3, 7)"), ("t", "(7, 3)")):
        assert any(each.startswith(f"{name} is not shown") and reason in each for each in notes)
    np.savez(path, **{name: each for name, each in arrays.items() if name.startswith("conv")})
    with pytest.raises(LstmProbeError, match="conv is not shown: A ConvLSTM's arrays"):
        lstm_probe.inspect(path, probe())


def test_a_gru_without_bias_is_guessed_to_be_keras_s_own(tmp_path):
    layer = keras.layers.GRU(4, use_bias=False, return_sequences=True)
    model = randomised(keras.Sequential([keras.Input((STEPS, FEATURES)), layer]))
    path = write(model, tmp_path / "saved", "npz")
    (found,) = lstm_probe.inspect(path, probe()).values()
    np.testing.assert_allclose(found.trace.h, np.asarray(model(probe())), atol=1e-6)
    assert "a GRU without a bias does not tell" in found.snapshot.guessed[0]
    (other,) = lstm_probe.inspect(path, probe(), cell={"reset_after": "false"}).values()
    assert np.abs(other.trace.h - found.trace.h).max() > 1e-3
    assert other.snapshot.guessed == ()


def test_weights_alone_of_a_tf_keras_file_have_the_names_of_their_layers(tmp_path):
    layers = tf_keras.layers
    model = tf_keras.Sequential(
        [
            tf_keras.Input((STEPS, FEATURES)),
            layers.Bidirectional(layers.LSTM(4, return_sequences=True, name="l"), name="both"),
            tf_keras.Sequential([layers.GRU(5, name="reader")], name="inner"),
        ]
    )
    path = write(randomised(model), tmp_path / "saved", ".keras")
    names = list(lstm_probe.inspect(path, probe(), weights_only=True))
    assert sorted(names) == ["both/backward_l", "both/forward_l", "inner/reader"]


def test_the_names_of_tensorflow_1_0_stand_for_later_ones(tmp_path):
    rng, shapes = np.random.default_rng(0), {}
    for scope in ("rnn/basic_lstm_cell", "rnn2/lstm_cell"):
        shapes |= {f"{scope}/kernel": (7, 16), f"{scope}/bias": (16,)}
    shapes |= {f"rnn2/lstm_cell/w_{each}_diag": (4,) for each in "fio"}
    shapes |= {"rnn3/gru_cell/gates/kernel": (7, 8), "rnn3/gru_cell/gates/bias": (8,)}
    shapes |= {"rnn3/gru_cell/candidate/kernel": (7, 4), "rnn3/gru_cell/candidate/bias": (4,)}
    shapes |= {"rnn4/basic_rnn_cell/kernel": (7, 4), "rnn4/basic_rnn_cell/bias": (4,)}
    arrays = {name: rng.normal(0, 0.5, shape) for name, shape in shapes.items()}
    older = {
        name.replace("kernel", "weights").replace("bias", "biases"): array
        for name, array in arrays.items()
    }
    older |= {"fully_connected/weights": rng.normal(size=(4, 2))}
    np.savez(tmp_path / "new.npz", **arrays)
    np.savez(tmp_path / "old.npz", **older)
    new, old = (lstm_probe.inspect(tmp_path / f"{each}.npz", probe()) for each in ("new", "old"))
    assert len(new) == 4
    assert new.keys() == old.keys()
    for name, analysis in new.items():
        np.testing.assert_array_equal(analysis.trace.h, old[name].trace.h)
    weights = lstm_probe.weights.from_variables(older, "rnn/basic_lstm_cell")
    np.testing.assert_array_equal(
        weights.kernel,
        lstm_probe.weights.from_variables(arrays, "rnn/basic_lstm_cell").kernel,
    )
    with pytest.raises(LstmProbeError, match="'rnn/basic_lstm_cell'"):
        lstm_probe.weights.from_variables(older, "elsewhere")


def test_a_shuffled_file_tells_no_order(tmp_path):
    """Thirty bidirectional layers of one size, whose arrays stand anyhow."""
    rng = np.random.default_rng(12)
    arrays, x = {}, probe().astype(np.float64)
    for layer in range(30):
        pair = []
        for direction in ("forward", "backward"):
            name = f"bidirectional_{layer}/{direction}_l"
            own = keras_lstm_arrays(rng, x.shape[-1], 2)
            ends = ("kernel", "recurrent_kernel", "bias")
            arrays |= {f"{name}/{end}": each for end, each in zip(ends, own, strict=True)}
            order = -1 if direction == "backward" else 1
            pair.append(naive_lstm(x[:, ::order], *own)["h"][:, ::order])
        x = np.concatenate(pair, -1)
    for shuffled in (rng.permutation(sorted(arrays)), sorted(arrays, reverse=True)):
        np.savez(tmp_path / "weights.npz", **{name: arrays[name] for name in shuffled})
        found = lstm_probe.inspect(tmp_path / "weights.npz", probe())
        assert len(found) == 60
        last = [found[f"bidirectional_29/{each}_l"].trace.h for each in ("forward", "backward")]
        np.testing.assert_allclose(np.concatenate(last, -1), x, atol=1e-9)


def test_two_directions_of_other_inputs_are_no_pair(tmp_path):
    path, _ = two_layers(tmp_path, second=(7, 4), names=("b/forward_l", "b/backward_l"))
    arrays = dict(np.load(path))
    arrays |= {"top/kernel": np.ones((8, 8)), "top/recurrent_kernel": np.ones((2, 8))}
    np.savez(path, **arrays)
    assert list(lstm_probe.inspect(path, probe())) == ["b/forward_l"]


def test_directions_that_may_be_added_are_not_joined(tmp_path):
    path, _ = two_layers(tmp_path, second=(3, 4), names=("b/forward_l", "b/backward_l"))
    arrays = dict(np.load(path))
    arrays |= {"top/kernel": np.ones((4, 8)), "top/recurrent_kernel": np.ones((2, 8))}
    np.savez(path, **arrays)
    assert "top" not in lstm_probe.inspect(path, probe())
    words = " ".join(run("inspect", path, "--random", "1,5,3").stdout.split())
    assert "but its two directions may be merged in several ways" in words


def test_a_layer_of_torch_that_does_not_fit_the_one_below_is_said(tmp_path):
    rng = np.random.default_rng(6)
    shapes = {"weight_ih_l0": (16, 3), "weight_hh_l0": (16, 4)}
    shapes |= {"weight_ih_l1": (16, 7), "weight_hh_l1": (16, 4)}
    np.savez(tmp_path / "state.npz", **{k: rng.normal(size=s) for k, s in shapes.items()})
    assert list(lstm_probe.inspect(tmp_path / "state.npz", probe())) == ["l0"]
    words = " ".join(run("inspect", tmp_path / "state.npz", "--random", "1,5,3").stdout.split())
    assert "l1 is not run: it takes 7 features, and l0, which it should read, has 4" in words


def test_weights_that_torch_normalises_are_shown_and_others_not_hidden(tmp_path):
    rng = np.random.default_rng(7)
    own = {"weight_ih": rng.normal(size=(16, 3)), "weight_hh": rng.normal(size=(16, 4))}
    state = {"bad.weight_ih_l0_g": np.ones((16, 1)), "bad.weight_hh_l0": own["weight_hh"]}
    state |= {"plain.weight_ih_l0": own["weight_ih"], "plain.weight_hh_l0": own["weight_hh"]}
    for name, weight in own.items():
        length = np.linalg.norm(weight, axis=1, keepdims=True)
        state |= {f"norm.{name}_l0_g": length, f"norm.{name}_l0_v": weight / 5}
    save_file(state, tmp_path / "state.safetensors")
    found = lstm_probe.inspect(tmp_path / "state.safetensors", probe())
    assert list(found) == ["norm", "plain"]
    np.testing.assert_allclose(found["norm"].trace.h, found["plain"].trace.h, atol=1e-12)
    words = run("inspect", tmp_path / "state.safetensors", "--random", "1,5,3").stdout
    assert "bad is not shown: bad.weight_ih_l0 is normalised" in " ".join(words.split())


def test_arrays_that_hold_no_numbers_are_named(tmp_path):
    texts = np.array([["a"] * 16] * 3)
    path, arrays = two_layers(tmp_path)
    np.savez(path, **{**arrays, "odd/kernel": texts, "odd/recurrent_kernel": texts})
    assert list(lstm_probe.inspect(path, probe())) == ["lstm", "lstm_1"]
    words = " ".join(run("inspect", path, "--random", "1,5,3").stdout.split())
    assert "odd is not shown: its array kernel holds no real numbers. Received: <U1" in words


def test_an_input_by_name_must_have_the_layer_s_features(tmp_path):
    path, arrays = two_layers(tmp_path)
    x = np.random.default_rng(1).normal(size=(2, 5, 4))
    found = lstm_probe.inspect(path, {"lstm_1": x})
    assert list(found) == ["lstm_1"]
    np.testing.assert_allclose(found["lstm_1"].trace.h, of(arrays, "lstm_1", x), atol=1e-12)
    assert found["lstm_1"].snapshot.guessed == ()
    with pytest.raises(LstmProbeError, match=r"layer 'lstm_1'. Received: shape \(2, 5, 3\)"):
        lstm_probe.inspect(path, {"lstm_1": x[..., :3]})


def test_torch_s_older_format_is_named_with_the_line_that_saves_it_again(tmp_path):
    for name in ("old.pt", "old.bin"):
        path = tmp_path / name
        path.write_bytes(pickle.dumps(0x1950A86A20F9469CFC6C, 2) + pickle.dumps(1001, 2))
        line = one_line(run("inspect", path, "--random", "1,5,3"))
        assert "is in torch's legacy format, which torch before 1.6 wrote" in line
        assert f'torch.save(torch.load("{name}", map_location="cpu", weights_only=True)' in line


@pytest.mark.parametrize("config", [None, b"{", b"[" * 100_000, b'{"config": {"layers": 3}}'])
def test_weights_are_read_whatever_the_configuration_is(config, tmp_path):
    model, outputs = three_deep(keras)
    model.save(tmp_path / "m.keras")
    path = tmp_path / "n.keras"
    with zipfile.ZipFile(tmp_path / "m.keras") as old, zipfile.ZipFile(path, "w") as new:
        for name in old.namelist():
            if name != "config.json":
                new.writestr(name, old.read(name))
        if config is not None:
            new.writestr("config.json", config)
    found = lstm_probe.inspect(path, probe(), weights_only=True)
    forward = [each for name, each in found.items() if "forward" in name and each.trace.units == 4]
    np.testing.assert_allclose(forward[0].trace.h, outputs[0], atol=1e-6)
