"""The callback among Keras's own: in one list with them, in one log directory, and in a config."""

from __future__ import annotations

import json
from pathlib import Path

import event_reading
import keras
import keras_models
import numpy as np
import pytest
import tensorflow as tf
from samples import training_data

from lstm_probe.callbacks import ProbeCallback
from lstm_probe.callbacks.schedule import Linear, Logarithmic


@keras.saving.register_keras_serializable(package="tests")
def told(alert: object) -> None:
    """What a user's function for alerts may be."""


def test_callback_is_made_anew_out_of_its_configuration(tmp_path: Path) -> None:
    probe = ProbeCallback(
        np.arange(30, dtype="float32").reshape(2, 5, 3),
        tmp_path,
        every=Logarithmic(per_decade=4),
        layers=["memory"],
        on_alert=told,
        detail="full",
        labels=list("abcde"),
        max_overhead=None,
    )
    text = json.dumps(keras.saving.serialize_keras_object(probe))
    again = keras.saving.deserialize_keras_object(json.loads(text))
    ours, theirs = probe.get_config(), again.get_config()
    np.testing.assert_array_equal(theirs.pop("probe"), ours.pop("probe"))
    assert theirs == ours
    assert again._recorder._options.detail == "full"
    assert again._watch._schedule == Logarithmic(per_decade=4)


def test_configuration_of_several_inputs_is_whole(tmp_path: Path) -> None:
    several = {"words": np.arange(5)[None], "weights": np.ones((1, 5), "float32")}
    data = keras.saving.serialize_keras_object(ProbeCallback(several, tmp_path))
    again = keras.saving.deserialize_keras_object(json.loads(json.dumps(data)))
    for name, array in again.get_config()["probe"].items():
        np.testing.assert_array_equal(array, several[name])


@pytest.mark.parametrize("every", [7, Linear(5, first=2), Logarithmic()])
def test_configuration_holds_every_argument_as_it_was_given(tmp_path: Path, every: object) -> None:
    several = {"words": np.ones((1, 5), "int32"), "weights": np.ones((1, 5), "float32")}
    probe = ProbeCallback(several, tmp_path, every=every)
    again = ProbeCallback.from_config(probe.get_config())
    assert again.get_config()["every"] == probe.get_config()["every"]
    assert again.get_config()["probe"].keys() == several.keys()


def test_probe_works_among_keras_own_callbacks_and_no_tags_collide(
    tmp_path: Path, rng: np.random.Generator
) -> None:
    x, y = training_data(rng)
    logs = tmp_path / "logs"
    model = keras_models.trainable()
    probe = ProbeCallback(x[:1], logs, every=5)
    own = [
        keras.callbacks.TensorBoard(logs, histogram_freq=1, write_graph=False, update_freq=2),
        keras.callbacks.ModelCheckpoint(tmp_path / "{epoch}.keras"),
        keras.callbacks.BackupAndRestore(tmp_path / "backup"),
        keras.callbacks.EarlyStopping("loss", patience=0, start_from_epoch=1, min_delta=1e9),
    ]
    model.fit(
        x, y, batch_size=8, epochs=5, verbose=0, validation_data=(x, y), callbacks=[*own, probe]
    )
    assert int(model.optimizer.iterations) == 24  # stopped early, in its third epoch
    assert event_reading.captured_steps(logs) == [0, 5, 10, 15, 20, 24]
    assert (tmp_path / "3.keras").is_file()
    tags = {
        str(path.parent.relative_to(logs)): {
            value.tag
            for event in event_reading.events(path.parent)
            for value in event.summary.value
        }
        for path in logs.rglob("*tfevents*")
    }
    assert set(tags) == {"lstm_probe", "train", "validation"}
    assert any(tag.startswith("epoch_") for tag in tags["train"])
    assert not tags["lstm_probe"] & (tags["train"] | tags["validation"])


def test_events_are_read_by_what_trackers_read_them_with(
    tmp_path: Path, rng: np.random.Generator
) -> None:
    """Trackers that follow TensorBoard's logs read tf.Event, and nothing else of ours."""
    x, y = training_data(rng)
    model = keras_models.trainable()
    model.fit(x, y, verbose=0, callbacks=[ProbeCallback(x[:1], tmp_path, every=1)])
    (path,) = (tmp_path / "lstm_probe").iterdir()
    events = list(tf.compat.v1.train.summary_iterator(str(path)))
    assert events[0].file_version == "brain.Event:2"
    tags = {value.tag for event in events for value in event.summary.value}
    assert {"memory/parity/max_abs_error", "memory/gates/2_f"} <= tags
