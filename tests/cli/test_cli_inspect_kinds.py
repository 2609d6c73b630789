"""`inspect` on a file of every kind, written by the framework it belongs to."""

from __future__ import annotations

import json
from pathlib import Path

import keras
import numpy as np
import pytest
import session_graphs as graphs
import tensorflow as tf
import tf_keras
from cli_files import SHAPE, one_line, probe, run, write_keras
from session_graphs import cells, tf1

import lstm_probe
from lstm_probe.weights.bundle import Bundle

#: Kind of file, the option that it needs, and whether there is something to compare with.
WITH_KERAS = [
    ("model.keras", None),
    ("model.h5", None),
    ("model.weights.h5", "model.json"),
    ("objects", "model.json"),
]
OF_KERAS_2 = [("saved", None)]
ALONE = ["objects", "objects.index", "lstm.npz"]


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, np.ndarray]]:
    root = tmp_path_factory.mktemp("models")
    rng = np.random.default_rng(20261122)
    np.save(root / "probe.npy", probe())
    outputs = {
        package.__name__: write_keras(root / package.__name__, package, rng)
        for package in (keras, tf_keras)
    }
    return root, outputs


@pytest.mark.parametrize(
    ("package", "name", "config"),
    [
        *(("keras", *each) for each in WITH_KERAS),
        ("keras", "model.weights.h5", "model.keras"),
        *(("tf_keras", *each) for each in WITH_KERAS + OF_KERAS_2),
    ],
)
@pytest.mark.daily(1)
def test_parity_is_proved_when_the_framework_opens_the_file(files, package, name, config):
    root, outputs = files
    config_path = None if config is None else root / package / config
    analyses = lstm_probe.inspect(root / package / name, probe(), config=config_path)
    assert list(analyses) == ["memory", "reader"]
    for analysis in analyses.values():
        assert analysis.snapshot.step == 3
        assert str(analysis.parity.verdict) == "match"
        assert analysis.parity.float64.max_abs < 1e-6
    # Not only right, but right about this file's weights.
    np.testing.assert_allclose(analyses["memory"].trace.h, outputs[package], atol=1e-6)


def test_the_command_says_what_the_function_returns(files):
    root, _ = files
    path = root / "keras" / "model.weights.h5"
    options = ["--config", root / "keras" / "model.json", "--probe", root / "probe.npy"]
    found = json.loads(run("inspect", path, *options, "--json", "--check").stdout)
    ours = lstm_probe.inspect(path, probe(), config=root / "keras" / "model.json")
    assert found["step"] == 3
    for name, layer in found["layers"].items():
        assert layer["parity"]["verdict"] == "match"
        assert layer["parity"]["max_abs"] == ours[name].parity.float64.max_abs
        assert layer["gates"]["g"]["mean"] == pytest.approx(ours[name].trace.g.mean())
        assert layer["answers"] == [each.plain() for each in ours[name].answers()]
    lines = run("inspect", path, *options).stdout.splitlines()
    for name, analysis in ours.items():
        first = lines.index(f"{name}:") + 1
        said = [f"  {answer}" for answer in analysis.answers()]
        assert lines[first : first + len(said)] == said


@pytest.mark.parametrize(
    ("package", "name"),
    [
        *((package, name) for package in ("keras", "tf_keras") for name in ALONE),
        ("keras", "saved"),
        ("tf_keras", "named"),
    ],
)
def test_gates_are_right_when_weights_are_read_alone(files, package, name):
    root, outputs = files
    analyses = lstm_probe.inspect(root / package / name, probe())
    first, *above = analyses
    assert analyses[first].parity is None
    np.testing.assert_allclose(analyses[first].trace.h, outputs[package], atol=1e-6)
    result = run("inspect", root / package / name, "--probe", root / "probe.npy")
    assert "not compared" in result.stdout
    if name == "lstm.npz":
        assert not above
        return
    # Only the first layer's outputs have the features of the second; that it reads backward is
    # written nowhere.
    (reader,) = above
    assert f"reader: it reads the outputs of {first}: guessed" in " ".join(result.stdout.split())
    backward = lstm_probe.inspect(
        root / package / name, probe(), cell={f"{reader}:reverse": "true"}
    )[reader]
    theirs = np.load(root / package / "reader_output.npy")
    np.testing.assert_allclose(backward.trace.h[:, 0], theirs, atol=1e-6)


def test_our_reader_of_checkpoints_agrees_with_tensorflow(files):
    root, _ = files
    for package in ("keras", "tf_keras"):
        prefix = root / package / "objects"
        bundle, theirs = Bundle(prefix), tf.train.load_checkpoint(str(prefix))
        assert len(bundle) > 8
        for name, array in bundle.items():
            key = bundle._names[name]
            np.testing.assert_array_equal(array, theirs.get_tensor(key))


def test_a_live_model_is_inspected_as_its_file_is(files):
    root, _ = files
    model = keras.saving.load_model(root / "keras" / "model.keras")
    ours = lstm_probe.inspect(model, root / "probe.npy")
    theirs = lstm_probe.inspect(root / "keras" / "model.keras", probe())
    assert ours["memory"].snapshot.step == theirs["memory"].snapshot.step == 3
    np.testing.assert_array_equal(ours["reader"].trace.h, theirs["reader"].trace.h)


@pytest.mark.filterwarnings("ignore:.tf.nn.rnn_cell:UserWarning")
def test_a_stack_of_tf1_cells_is_run_when_a_saver_wrote_it(tmp_path, rng):
    with tf.Graph().as_default(), tf1.Session() as session:
        x = tf1.placeholder("float32", [None, *SHAPE[1:]])
        stack = cells.MultiRNNCell([cells.BasicLSTMCell(5), cells.GRUCell(4)])
        outputs, _ = tf1.nn.dynamic_rnn(stack, x, dtype="float32")
        tf1.train.AdamOptimizer().minimize(tf.reduce_mean(outputs))
        graphs.randomise(session, rng)
        path = tf1.train.Saver().save(session, str(tmp_path / "model.ckpt"), global_step=600)
        theirs = session.run(outputs, {x: probe()})
    analyses = lstm_probe.inspect(path, probe())
    *_, top = analyses.values()
    assert len(analyses) == 2
    assert top.snapshot.step == 600
    np.testing.assert_allclose(top.trace.h, theirs, atol=1e-6)
    without = lstm_probe.inspect(path, probe(), cell={"forget_bias": "0"})
    *_, top = without.values()
    assert np.abs(top.trace.h - theirs).max() > 1e-3


def test_log_and_plots_are_written_when_they_are_asked_for(files, tmp_path):
    root, _ = files
    options = ["--random", "1,6,3", "--log-dir", tmp_path / "logs", "--plot", tmp_path / "g.svg"]
    result = run("inspect", root / "keras" / "model.keras", *options)
    assert result.exit_code == 0, result.output
    from lstm_probe.logs.stored.reader import find_runs

    (log,) = find_runs(tmp_path / "logs").values()
    assert log.layers == ("memory", "reader")
    assert log.steps("memory") == [3]
    assert sorted(each.name for each in tmp_path.glob("g*")) == ["g.memory.svg", "g.reader.svg"]


def test_a_probe_that_does_not_fit_is_told_what_the_model_wants(files):
    root, _ = files
    line = one_line(run("inspect", root / "keras" / "model.keras", "--random", "1,6,4"))
    assert "Received: shape (1, 6, 4). Expected: (any, 6, 3)" in line
    line = one_line(run("inspect", root / "keras" / "objects", "--random", "1,6,4"))
    assert "takes 3, 'sequential" in line or "takes 3," in line


@pytest.mark.parametrize("package", ["keras", "tf_keras"])
@pytest.mark.parametrize("trusted", [False, True])
def test_weights_alone_in_an_h5_file_are_read_like_other_weights(files, package, trusted):
    root, outputs = files
    path = root / package / "model.weights.h5"
    analyses = lstm_probe.inspect(path, probe(), trusted=trusted)
    first, *_ = analyses.values()
    np.testing.assert_allclose(first.trace.h, outputs[package], atol=1e-6)
    assert first.parity is None
    result = run("inspect", path, "--random", "1,6,3", *(["--trusted"] if trusted else []))
    assert "nothing to compare with; --config" in " ".join(result.stdout.split())


def test_words_are_drawn_at_random_when_the_model_reads_words(tmp_path, rng):
    model = keras.Sequential(
        [keras.Input((8,), dtype="int32"), keras.layers.Embedding(7, 3), keras.layers.GRU(4)]
    )
    model.save(tmp_path / "words.keras")
    result = run("inspect", tmp_path / "words.keras", "--random", "2,8", "--json")
    (layer,) = json.loads(result.stdout)["layers"].values()
    assert layer["input_shape"] == [2, 8, 3]


def test_a_model_without_recurrent_layer_is_refused(tmp_path):
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    model.save(tmp_path / "dense.keras")
    assert "no recurrent layer" in one_line(
        run("inspect", tmp_path / "dense.keras", "--random", "1,3")
    )
