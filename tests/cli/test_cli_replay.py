"""`replay`: the log that the callback would have written, out of checkpoints."""

from __future__ import annotations

import shutil
from pathlib import Path

import keras
import keras_models
import numpy as np
import pytest
from cli_files import one_line, run
from samples import training_data

from lstm_probe.callbacks import ProbeCallback
from lstm_probe.logs.stored.reader import RunReader, find_runs
from lstm_probe.models.files.steps import in_order


class Saver(keras.callbacks.Callback):
    """Saves whenever the probe captures: at step 0, 3, 6 and 8."""

    def __init__(self, directory: Path) -> None:
        super().__init__()
        self.directory = directory

    def save(self) -> None:
        step = int(self.model.optimizer.iterations)
        self.model.save(self.directory / f"model-{step}.keras")
        self.model.save_weights(self.directory / f"{step}.weights.h5")

    def on_train_begin(self, logs=None):
        self.save()

    def on_train_batch_end(self, batch, logs=None):
        if int(self.model.optimizer.iterations) in (3, 6):
            self.save()

    def on_train_end(self, logs=None):
        self.save()


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("trained")
    (root / "saved").mkdir()
    rng = np.random.default_rng(20261122)
    x, y = training_data(rng)
    np.save(root / "probe.npy", x[:2])
    model = keras_models.randomise(keras_models.trainable(), rng)
    # Of what the model itself gives, files of weights know nothing.
    probe = ProbeCallback(x[:2], root / "logs", every=3, log_data=False)
    callbacks = [Saver(root / "saved"), probe]
    model.fit(x, y, batch_size=8, verbose=0, callbacks=callbacks)
    return root


def only_run(log_dir: Path) -> RunReader:
    (reader,) = find_runs(log_dir).values()
    return reader


def assert_same_log(ours: RunReader, theirs: RunReader) -> None:
    assert ours.layers == theirs.layers == ("memory",)
    assert ours.steps("memory") == theirs.steps("memory") == [0, 3, 6, 8]
    costs = {tag for tag in theirs.scalars if tag.startswith("cost/")}
    assert set(ours.scalars) == set(theirs.scalars) - costs
    for tag in ours.scalars:
        # A file holds its weights bit for bit; the model is compiled anew.
        assert ours.scalar(tag) == pytest.approx(theirs.scalar(tag), abs=2e-6), tag
    for step in ours.steps("memory"):
        mine, other = (each.capture("memory", step).arrays for each in (ours, theirs))
        assert mine.keys() == other.keys()
        for name in mine:
            if name.startswith("gates/"):
                np.testing.assert_array_equal(mine[name], other[name])
    assert [len(p.alerts) for p in ours.course] == [len(p.alerts) for p in theirs.course]


@pytest.mark.parametrize("kind", ["*.keras", "*.weights.h5"])
@pytest.mark.daily(1)
def test_the_log_is_that_of_the_callback(trained, tmp_path, kind):
    for path in (trained / "saved").glob(kind):
        shutil.copy(path, tmp_path)
    model = ["--model", trained / "saved" / "model-8.keras"] if kind != "*.keras" else []
    options = ["--probe", trained / "probe.npy", "-o", tmp_path / "logs", *model]
    result = run("replay", tmp_path, *options)
    assert result.exit_code == 0, result.output
    assert "4 of 4 captures" in result.stdout
    assert_same_log(only_run(tmp_path / "logs"), only_run(trained / "logs"))


def test_nothing_is_left_when_one_checkpoint_is_damaged(trained, tmp_path):
    for step in (0, 3):
        shutil.copy(trained / "saved" / f"model-{step}.keras", tmp_path)
    damaged = tmp_path / "model-6.keras"
    damaged.write_bytes((trained / "saved" / "model-6.keras").read_bytes()[:9000])
    options = ["--probe", trained / "probe.npy", "-o", tmp_path / "logs"]
    assert "model-6.keras" in one_line(run("replay", tmp_path, *options))
    assert not (tmp_path / "logs").exists()


def test_diff_finds_what_training_changed(trained):
    sides = [trained / "saved" / f"model-{step}.keras" for step in (0, 8)]
    result = run("diff", *sides, "--probe", trained / "probe.npy", "--check")
    assert result.exit_code == 1
    assert "forget gate f" in result.stdout


def test_steps_are_read_from_names_when_files_do_not_tell(tmp_path, rng):
    paths = [tmp_path / f"weights-v2-epoch{k:03d}.npz" for k in (10, 9, 100)]
    for path in paths:
        path.touch()
        np.savez(path, **{"a/kernel": np.ones((3, 8)), "a/recurrent_kernel": np.ones((2, 8))})
    assert [step for step, _ in in_order(paths)] == [9, 10, 100]
    result = run("replay", tmp_path, "--random", "1,5,3", "-o", tmp_path / "logs")
    assert result.exit_code == 0, result.output
    assert only_run(tmp_path / "logs").steps("a") == [9, 10, 100]


def test_it_is_said_when_steps_are_not_known(tmp_path):
    paths = [tmp_path / "best.npz", tmp_path / "last.npz"]
    for path in paths:
        np.savez(path, **{"a/kernel": np.ones((3, 8)), "a/recurrent_kernel": np.ones((2, 8))})
    line = one_line(run("replay", *paths, "--random", "1,5,3", "-o", tmp_path / "logs"))
    assert "steps of the checkpoints are not known" in line
    (tmp_path / "empty").mkdir()
    line = one_line(run("replay", tmp_path / "empty", "--random", "1,5,3", "-o", tmp_path / "logs"))
    assert "no checkpoints" in line
    assert not (tmp_path / "logs").exists()
