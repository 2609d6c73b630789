"""No file decides what runs: through each entrance, whatever is named, nothing is touched."""

from __future__ import annotations

import json
import shutil
import sys
import warnings
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py
import keras
import numpy as np
import pytest
import tensorflow as tf
import tf_keras
from cli_files import one_line, probe, run, write_keras
from hostile_configurations import ENTRANCES, FUNCTIONS, OBJECTS, Entrance, function_layer

import lstm_probe
from lstm_probe import LstmProbeError
from lstm_probe.models import open_model
from lstm_probe.models.files.child import questions, serve
from lstm_probe.models.files.child.allowance import allowance_for
from lstm_probe.models.files.child.pool import end_child


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("good")
    for package in (keras, tf_keras):
        write_keras(root / package.__name__, package, np.random.default_rng(3))
    return root


@pytest.fixture(params=ENTRANCES)
def entrance(request: pytest.FixtureRequest, good: Path) -> Entrance:
    kind, package = ENTRANCES[request.param]
    return kind(good / package, package)


@pytest.fixture
def untouched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder to work in, with a target; both are as they were at the end."""
    folder, target = tmp_path / "here", tmp_path / "target"
    folder.mkdir()
    target.mkdir()
    (target / "precious").write_text("precious")
    monkeypatch.chdir(folder)
    yield target
    assert [each.name for each in folder.iterdir()] == []
    assert {each.name for each in tmp_path.iterdir()} == {"here", "target", "files"}
    assert [each.name for each in target.iterdir()] == ["precious"]
    assert (target / "precious").read_text() == "precious"


def refused(entrance: Entrance, layer: dict[str, Any], folder: Path) -> str:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    return one_line(run("inspect", *entrance.write(folder, layer), "--random", "1,6,3"))


def test_no_function_that_does_more_than_compute_is_called(entrance, untouched):
    assert len(FUNCTIONS) >= 40
    for number, function in enumerate(FUNCTIONS):
        target = untouched / ("new" if number % 2 else "precious")
        line = refused(entrance, function_layer(function, str(target)), untouched.parent / "files")
        assert f"tf.{function}" in line
        assert "--weights-only" in line
        assert "--trusted" in line


def test_no_object_that_is_not_known_is_made(entrance, untouched):
    assert len(OBJECTS) >= 40
    for name, layer in OBJECTS.items():
        target = str(untouched / "precious")
        line = refused(entrance, layer(target), untouched.parent / "files")
        assert "--weights-only" in line, name  # our own refusal, and none of Keras


@pytest.fixture
def in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files are opened as the child does it, but here."""

    def open_here(path: Path, reader: str, *_: Any, **options: Any) -> Any:
        said = {"path": path, "reader": reader, "config": None, "layers": None, **options}
        return serve._plan(said).build()

    monkeypatch.setattr(questions, "open_in_child", open_here)


def test_keras_does_not_see_what_is_refused(entrance, untouched, in_this_process, monkeypatch):
    def never(*_: object) -> None:
        raise AssertionError("Keras was asked")

    for package in (keras, tf_keras):
        for name in ("load_model", "model_from_json"):
            monkeypatch.setattr(package.models, name, never)
    line = refused(
        entrance, function_layer("io.write_file", str(untouched)), untouched.parent / "files"
    )
    assert "tf.io.write_file" in line


KERAS_2 = [name for name, (_, package) in ENTRANCES.items() if package == "tf_keras"]


@pytest.mark.parametrize("name", KERAS_2)
def test_the_payload_is_real_when_the_file_is_trusted(name, good, tmp_path):
    """The same file writes where it wants if nobody looks: what is refused is no straw man."""
    kind, package = ENTRANCES[name]
    target = tmp_path / "written"
    layer = function_layer("io.write_file", str(target))
    folder = tmp_path / "files"
    assert "tf.io.write_file" in refused(kind(good / package, package), layer, folder)
    assert not target.exists()
    shutil.rmtree(folder)
    folder.mkdir()
    opened = kind(good / package, package).write(folder, layer)
    run("inspect", *opened, "--random", "1,6,3", "--trusted")
    assert target.read_text() == "owned"


@pytest.mark.parametrize("ending", [".keras", ".h5"])
def test_code_of_keras_3_is_run_only_when_it_is_trusted(ending, tmp_path):
    target = str(tmp_path / "made")
    x = keras.Input((6, 3))
    h = keras.layers.LSTM(4, name="memory", return_sequences=True)(x)
    layer = keras.layers.Lambda(lambda h: (__import__("os").makedirs(target, exist_ok=True), h)[1])
    model = keras.Model(x, layer(h))
    path = tmp_path / f"model{ending}"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.save(path)
    Path(target).rmdir()
    line = one_line(run("inspect", path, "--random", "1,6,3"))
    assert "a Lambda layer" in line
    assert not Path(target).exists()
    lstm_probe.inspect(path, probe(), trusted=True)
    assert Path(target).is_dir()


# Files that are two things at once ---------------------------------------------------------------


def test_an_archive_behind_an_hdf5_file_is_not_loaded(good, tmp_path):
    """Keras looks for an archive by name and from the end; the HDF5 file before it is harmless."""
    evil = ENTRANCES[".keras of Keras 2"][0](good / "tf_keras", "tf_keras")
    target = tmp_path / "written"
    (tmp_path / "files").mkdir()
    (archive,) = evil.write(tmp_path / "files", function_layer("io.write_file", str(target)))
    path = tmp_path / "both.keras"
    path.write_bytes((good / "tf_keras" / "model.h5").read_bytes() + Path(archive).read_bytes())
    assert zipfile.is_zipfile(path)
    assert "whose name ends with .keras" in one_line(run("inspect", path, "--random", "1,6,3"))
    assert not target.exists()


def test_an_hdf5_file_behind_an_archive_is_not_loaded(good, tmp_path):
    """Keras 2 opens what is not called .keras as HDF5, which may begin at byte 512."""
    evil = ENTRANCES[".h5 of Keras 2"][0](good / "tf_keras", "tf_keras")
    target = tmp_path / "written"
    (tmp_path / "files").mkdir()
    (hidden,) = evil.write(tmp_path / "files", function_layer("io.write_file", str(target)))
    path = tmp_path / "both.zip"
    shutil.copy(good / "tf_keras" / "model.keras", path)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("padding", Path(hidden).read_bytes())
    assert "under another name" in one_line(run("inspect", path, "--random", "1,6,3"))
    assert not target.exists()


def test_a_module_beside_the_model_is_not_imported(good, tmp_path, monkeypatch):
    """Files are loaded in a process of their own, which must not import what lies around."""
    shutil.copy(good / "keras" / "model.keras", tmp_path)
    (tmp_path / "elsewhere").mkdir()
    mark = tmp_path / "was_imported"
    for name in ("json", "h5py", "zipfile", "keras", "sitecustomize"):
        (tmp_path / f"{name}.py").write_text(f"import os\nos.mkdir({str(mark)!r})\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    for place in (tmp_path, tmp_path / "elsewhere"):
        monkeypatch.chdir(place)
        monkeypatch.setattr("sys.path", ["", str(tmp_path), *sys.path])
        end_child()
        model = tmp_path / "model.keras"
        questions.try_hdf5(model, "model.weights.h5", allowance_for(model))
        assert questions.step_in_child(model, allowance_for(model)) == 3
    assert not mark.exists()


def test_a_checkpoint_is_not_read_as_hdf5_by_its_name(good, tmp_path):
    """Of `w.h5.index` beside `w.h5`, only the checkpoint has been looked at."""
    secret = tmp_path / "secret"
    secret.write_bytes(np.arange(60, dtype=np.float32).tobytes())
    for ending in ("index", "data-00000-of-00001"):
        shutil.copy(good / "tf_keras" / f"objects.{ending}", tmp_path / f"w.h5.{ending}")
    shutil.copy(good / "tf_keras" / "model.weights.h5", tmp_path / "w.h5")
    with h5py.File(tmp_path / "w.h5", "a") as file:
        kernel = next(name for name in _datasets(file) if file[name].shape == (3, 20))
        del file[kernel]
        file.create_dataset(kernel, (3, 20), "f4", external=[(str(secret), 0, 240)])
    config = good / "tf_keras" / "model.json"
    (read,) = [
        each.snapshot.weights.kernel
        for name, each in lstm_probe.inspect(
            tmp_path / "w.h5.index", probe(), config=config, layers=["memory"]
        ).items()
    ]
    assert not np.array_equal(read.ravel(), np.arange(60, dtype=np.float32))


def _datasets(file: h5py.File) -> list[str]:
    found: list[str] = []
    file.visititems(lambda name, item: found.append(name) if hasattr(item, "shape") else None)
    return found


def test_weights_called_hdf5_open_with_their_configuration(good, tmp_path):
    tf_keras.models.load_model(good / "tf_keras" / "model.keras").save_weights(tmp_path / "w.hdf5")
    found = lstm_probe.inspect(
        tmp_path / "w.hdf5", probe(), config=good / "tf_keras" / "model.json"
    )
    assert str(found["memory"].parity.verdict) == "match"


def test_a_vocabulary_by_address_is_refused(good, tmp_path, monkeypatch):
    """TensorFlow reads `file://...`; a folder of that name in the model is another file."""
    (tmp_path / "files").mkdir()
    (tmp_path / "words").write_text("my\nsecret\n")
    entrance = ENTRANCES["SavedModel of Keras 2"][0](good / "tf_keras", "tf_keras")
    address = f"file://{tmp_path / 'words'}"
    layer = {"class_name": "StringLookup", "config": {"name": "look", "vocabulary": address}}
    (path,) = entrance.write(tmp_path / "files", {**layer, "name": "look", "inbound_nodes": []})
    decoy = Path(path) / f"file:{tmp_path / 'words'}"
    decoy.parent.mkdir(parents=True)
    decoy.write_text("a\n")
    monkeypatch.chdir(path)
    assert "not the model's own" in one_line(run("inspect", ".", "--random", "1,6,3"))


@pytest.mark.parametrize("way", ["config", "saved"])
def test_a_lambda_of_keras_2_is_run_only_when_it_is_trusted(way, tmp_path):
    x = tf_keras.Input((6, 3))
    h = tf_keras.layers.LSTM(4, name="memory", return_sequences=True)(x)
    model = tf_keras.Model(x, tf_keras.layers.Lambda(lambda h: h * 2.0)(h))
    config = None
    if way == "saved":
        path = tmp_path / "saved"
        model.save(path, save_format="tf")
    else:
        path, config = tmp_path / "model.weights.h5", tmp_path / "model.json"
        model.save_weights(path)
        config.write_text(model.to_json())
    with pytest.raises(LstmProbeError, match="a Lambda layer"):
        lstm_probe.inspect(path, probe(), config=config)
    found = lstm_probe.inspect(path, probe(), config=config, trusted=True)
    assert str(found["memory"].parity.verdict) == "match"


# What is known still opens -----------------------------------------------------------------------


def with_operators_of_keras_3() -> Any:
    x = keras.Input((6, 3))
    h = keras.layers.LSTM(4, name="memory", return_sequences=True)(x)
    ops = keras.ops
    y = ops.concatenate([h * 2.0, ops.reshape(h, (-1, 6, 4)) - 1.0], axis=-1)
    y = ops.tanh(y[:, -1]) + ops.einsum("ab,cb->ab", y[:, 0], y[:, 1])
    return keras.Model(x, [ops.softmax(y), ops.mean(h, axis=1), ops.cast(y > 0, "int32")])


def with_operators_of_tensorflow() -> Any:
    x = tf_keras.Input((6, 3))
    h = tf_keras.layers.LSTM(4, name="memory", return_sequences=True)(x)
    y = tf.concat([h * 2.0, tf.reshape(h, (-1, 6, 4)) - 1.0], axis=-1)
    y = tf.tanh(y[:, -1]) + tf.nn.relu(y[:, 0]) / 3.0
    return tf_keras.Model(x, [tf.nn.softmax(y), tf.reduce_mean(h, axis=1), tf.transpose(y)])


def with_ragged_words() -> Any:
    words = tf_keras.Input((None, 3), ragged=True)
    h = tf_keras.layers.LSTM(4, name="memory", return_sequences=True)(words.to_tensor())
    model = tf_keras.Model(words, h)
    model.add_loss(tf.reduce_mean(h))
    return model


def with_nested_models(package: Any) -> Any:
    layers = package.layers
    inner = package.Sequential([layers.Dense(3, activation="relu"), layers.ReLU()], name="inner")
    if package is tf_keras:  # Keras 3 does not open a model with another optimizer inside
        inner.compile("adam", "mse", metrics=["mae"])
    x = package.Input((6, 3))
    y = layers.TimeDistributed(inner)(x)
    cells = layers.StackedRNNCells([layers.LSTMCell(4), layers.GRUCell(3)])
    y = layers.RNN(cells, return_sequences=True, name="memory")(y)
    regularizer = package.regularizers.L1L2(0.1, 0.1)
    recurrent = layers.LSTM(2, kernel_regularizer=regularizer, kernel_constraint="non_neg")
    y = layers.Bidirectional(recurrent, name="both")(y)
    return package.Model(x, layers.Dense(1, kernel_initializer=package.initializers.Ones())(y))


@pytest.mark.parametrize("way", [".keras", ".h5", "config", "saved"])
@pytest.mark.parametrize(
    "build",
    [
        with_operators_of_keras_3,
        with_operators_of_tensorflow,
        lambda: with_nested_models(keras),
        lambda: with_nested_models(tf_keras),
    ],
    ids=["keras.ops", "tensorflow", "nested", "nested of Keras 2"],
)
def test_what_keras_computes_with_opens(build, way, tmp_path):
    if way == ".h5" and build is with_operators_of_keras_3:
        pytest.skip("Keras 3 itself does not open its operators in .h5 files")
    model = build()
    of_keras_2 = isinstance(model, tf_keras.Model)
    path, config = tmp_path / f"model{'.weights.h5' if way == 'config' else way}", None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Keras calls its .h5 files legacy
        if way == "config":
            model.save_weights(path)
            config = tmp_path / "model.json"
            config.write_text(model.to_json())
        elif way == "saved":
            if not of_keras_2:
                pytest.skip("Keras 3 keeps no configuration in a SavedModel")
            path = tmp_path / "saved"
            model.save(path, save_format="tf")
        else:
            model.save(path)
    analyses = lstm_probe.inspect(path, probe(), config=config)
    assert any(name.startswith("memory") for name in analyses)
    assert all(str(each.parity.verdict) == "match" for each in analyses.values())


def test_ragged_words_and_a_loss_of_the_models_own_open(tmp_path):
    path = tmp_path / "model.keras"
    with_ragged_words().save(path)
    assert open_model(path).kind.startswith("a .keras file")


@pytest.mark.parametrize("package", [keras, tf_keras], ids=["keras", "tf_keras"])
def test_a_vocabulary_in_the_file_opens(package, tmp_path):
    layers = package.layers
    words = package.Input((1,), dtype="string")
    text = layers.TextVectorization(
        output_sequence_length=5, vocabulary=["time", "goes", "/etc/passwd"]
    )
    h = layers.LSTM(4, name="memory")(layers.Embedding(6, 3)(text(words)))
    path = tmp_path / "model.keras"
    package.Model(words, h).save(path)
    assert open_model(path).kind.startswith("a .keras file")


def test_a_vocabulary_opens_when_it_lies_in_the_saved_model(good, tmp_path):
    """A SavedModel keeps its vocabularies in its own folder; one beside it is not the model's."""
    (tmp_path / "files").mkdir()
    entrance = ENTRANCES["SavedModel of Keras 2"][0](good / "tf_keras", "tf_keras")
    own = tmp_path / "files" / "bad" / "assets" / "words.txt"
    layer = {"class_name": "StringLookup", "config": {"name": "look", "vocabulary": str(own)}}
    layer |= {"name": "look", "inbound_nodes": []}
    (path,) = entrance.write(tmp_path / "files", layer)
    assert "not the model's own" in one_line(run("inspect", path, "--random", "1,6,3"))
    own.parent.mkdir(exist_ok=True)
    own.write_text("a\nb\n")
    result = run("inspect", path, "--random", "1,6,3")
    assert "not the model's own" not in result.output
    beside = tmp_path / "words.txt"
    own.rename(beside)
    own.symlink_to(beside)
    assert "not the model's own" in one_line(run("inspect", path, "--random", "1,6,3"))


# The weights alone -------------------------------------------------------------------------------


@pytest.mark.parametrize("package", ["keras", "tf_keras"])
@pytest.mark.parametrize("name", ["model.keras", "model.h5", "model.weights.h5"])
def test_the_gates_are_right_when_the_weights_are_read_alone(good, package, name):
    path = good / package / name
    alone = lstm_probe.inspect(path, probe(), weights_only=True)
    config = good / package / "model.json" if "weights" in name else None
    loaded = lstm_probe.inspect(path, probe(), config=config)
    # Keras 2 notes no names beside the weights in its newer files; a configuration has them.
    memory = "lstm" if package == "tf_keras" and name == "model.weights.h5" else "memory"
    assert next(iter(alone)) == memory
    assert alone[memory].parity is None
    assert alone[memory].snapshot.step == loaded["memory"].snapshot.step
    np.testing.assert_allclose(
        alone[memory].trace.f, loaded["memory"].trace.f, rtol=1e-12, atol=1e-14
    )


def test_a_file_that_is_refused_shows_its_weights(good, tmp_path):
    (tmp_path / "files").mkdir()
    entrance = ENTRANCES[".keras of Keras 3"][0](good / "keras", "keras")
    (path,) = entrance.write(tmp_path / "files", OBJECTS["Lambda"]("x"))
    result = run("inspect", path, "--random", "1,6,3", "--weights-only", "--json")
    assert result.exit_code == 0, result.output
    assert "memory" in json.loads(result.stdout)["layers"]


def test_a_configuration_is_of_no_use_for_the_weights_alone(good):
    with pytest.raises(LstmProbeError, match="one of both"):
        lstm_probe.inspect(
            good / "keras" / "model.weights.h5",
            probe(),
            config=good / "keras" / "model.json",
            weights_only=True,
        )
