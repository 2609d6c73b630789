"""What a model of either Keras takes as a probe, and what is said where it takes none."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tf_keras

from lstm_probe import LstmProbeError, analyse, capture, inspect
from lstm_probe.callbacks import ProbeCallback
from lstm_probe.models.files.keras_model import KerasModel

tf = pytest.importorskip("tensorflow")

Package = Any
KERASES = pytest.mark.parametrize("package", [keras, tf_keras], ids=["keras", "tf_keras"])
TEXTS = [["good film"], ["bad bad film"]]


def reader_of(package: Package, text: Any, **options: Any) -> Any:
    """A model that looks words up: 1 is for the unknown, 2 for `good`, 3 for `bad`."""
    return package.Sequential(
        [
            package.Input(dtype="string", **options),
            text,
            package.layers.Embedding(20, 4),
            package.layers.LSTM(4, name="reader"),
        ]
    )


def vectorized(package: Package, *, shape: tuple[int, ...] = (1,)) -> Any:
    text = package.layers.TextVectorization(output_sequence_length=4, vocabulary=["good", "bad"])
    return reader_of(package, text, shape=shape)


def read(model: Any, probe: Any, **options: Any) -> np.ndarray:
    """What the only recurrent layer reads, when NumPy and the framework agree."""
    (snapshot,) = capture(model, probe, **options).values()
    assert str(analyse(snapshot).parity.verdict) == "match"
    return snapshot.x


@KERASES
@pytest.mark.parametrize(
    "form",
    [
        np.array(TEXTS, object),
        np.array(TEXTS),
        np.array([[text.encode() for text in row] for row in TEXTS]),
        tf.constant(TEXTS),
        TEXTS,
        [row[0] for row in TEXTS],  # a column
        tf.data.Dataset.from_tensor_slices((TEXTS, [0, 1])).batch(2),
    ],
    ids=["object", "U", "S", "tensor", "lists", "list", "dataset"],
)
def test_strings_are_looked_up(package: Package, form: Any) -> None:
    model = vectorized(package)
    embedding = next(each for each in model.layers if hasattr(each, "embeddings"))
    expected = embedding.embeddings.numpy()[[[2, 1, 0, 0], [3, 3, 1, 0]]]
    np.testing.assert_array_equal(read(model, form), expected)


@KERASES
@pytest.mark.parametrize("kind", ["StringLookup", "Hashing"])
@pytest.mark.daily(1)
def test_words_are_looked_up(package: Package, kind: str) -> None:
    options = {"num_bins": 7} if kind == "Hashing" else {"vocabulary": ["good", "bad"]}
    model = reader_of(package, getattr(package.layers, kind)(**options), shape=(2,))
    assert read(model, [["good", "bad"]]).shape == (1, 2, 4)
    (analysis,) = inspect(model, np.array([[b"good", b"bad"]])).values()
    np.testing.assert_array_equal(analysis.snapshot.x, read(model, [["good", "bad"]]))


@KERASES
def test_random_strings_are_those_that_the_model_knows(package: Package) -> None:
    rng = np.random.default_rng(0)
    sentences = KerasModel(vectorized(package), "a model").random_probe((3, 1), rng)
    assert {word for each in sentences.ravel() for word in each.split()} == {"good", "bad"}
    lookup = package.layers.StringLookup(vocabulary=["good", "bad"])
    words = KerasModel(reader_of(package, lookup, shape=(9,)), "").random_probe((1, 9), rng)
    assert set(words.ravel()) == {"good", "bad"}
    numbers = package.Sequential(
        [
            package.Input((5,), dtype="int64"),
            package.layers.IntegerLookup(vocabulary=[30, 40]),
            package.layers.Embedding(9, 2),
            package.layers.LSTM(2),
        ]
    )
    assert set(KerasModel(numbers, "").random_probe((4, 5), rng).ravel()) == {30, 40}


@KERASES
def test_kinds_of_values_that_do_not_fit_are_refused(package: Package) -> None:
    with pytest.raises(LstmProbeError, match=r"Received: float64. Expected: strings"):
        capture(vectorized(package), np.ones((1, 1)))
    model = package.Sequential([package.Input((5, 3)), package.layers.LSTM(2)])
    with pytest.raises(LstmProbeError, match=r"Received: <U1. Expected: numbers \(float32\)"):
        capture(model, [[["a"] * 3] * 5])


RAGGED = tf.RaggedTensor.from_row_lengths(
    np.random.default_rng(5).normal(size=(9, 3)).astype("float32"), [2, 4, 3]
)
MASK = [[1, 1, 0, 0], [1, 1, 1, 1], [1, 1, 1, 0]]


@pytest.mark.parametrize("backwards", [False, True])
@pytest.mark.parametrize("sequences", [False, True])
@pytest.mark.parametrize("cell", ["LSTM", "GRU", "SimpleRNN"])
def test_a_layer_that_reads_ragged_tensors_is_shown(
    cell: str, sequences: bool, backwards: bool
) -> None:
    layer = getattr(tf_keras.layers, cell)(
        4, return_sequences=sequences, go_backwards=backwards, name="reader"
    )
    model = tf_keras.Sequential([tf_keras.Input((None, 3), ragged=True), layer])
    analysis = analyse(capture(model, RAGGED)["reader"])
    assert str(analysis.parity.verdict) == "match"
    assert analysis.snapshot.mask.astype(int).tolist() == MASK
    # Each sequence by itself gives the same, whatever the lengths of the others.
    alone = tf_keras.Sequential([tf_keras.Input((None, 3)), layer])
    for row, sequence in enumerate(RAGGED):
        h = alone(sequence[None])[0]
        seen = analysis.trace.h[row, : len(sequence)]
        if sequences:
            order = slice(None, None, -1) if backwards else slice(None)
            np.testing.assert_allclose(seen, h[order], atol=1e-6)
        else:
            np.testing.assert_allclose(seen[0 if backwards else -1], h, atol=1e-6)


def test_wrapped_and_stacked_layers_read_ragged_tensors() -> None:
    layers = tf_keras.layers
    model = tf_keras.Sequential(
        [
            tf_keras.Input((None, 3), ragged=True),
            layers.Bidirectional(layers.LSTM(4, return_sequences=True)),
            layers.RNN([layers.LSTMCell(3), layers.GRUCell(2)]),
        ]
    )
    found = [analyse(each) for each in capture(model, RAGGED).values()]
    assert [str(each.parity.verdict) for each in found] == ["match"] * 4
    assert all(each.snapshot.mask.astype(int).tolist() == MASK for each in found)


@KERASES
@pytest.mark.daily(1)
def test_sequences_of_different_lengths_are_padded_with_what_the_model_masks(
    package: Package,
) -> None:
    layers = package.layers
    masking = package.Sequential(
        [package.Input((None, 3)), layers.Masking(-1.0), layers.LSTM(2, name="reader")]
    )
    expected = RAGGED.to_tensor(-1.0).numpy()
    for form in (RAGGED, list(RAGGED.to_list()), [np.array(each) for each in RAGGED]):
        snapshot = capture(masking, form)["reader"]
        assert snapshot.mask.astype(int).tolist() == MASK
        np.testing.assert_array_equal(snapshot.x[snapshot.mask], expected[snapshot.mask])
        assert str(analyse(snapshot).parity.verdict) == "match"
    embedding = package.Sequential(
        [layers.Embedding(9, 2, mask_zero=True), layers.LSTM(2, name="reader")]
    )
    seen = capture(embedding, [[1, 2], [3, 4, 5]])["reader"]
    assert seen.mask.tolist() == [[True, True, False], [True, True, True]]


@KERASES
def test_sequences_of_different_lengths_are_refused_where_nothing_masks(package: Package) -> None:
    model = package.Sequential([package.Input((None, 3)), package.layers.LSTM(2)])
    with pytest.raises(LstmProbeError, match=r"masks no padding.*probe=keras.utils.pad_sequences"):
        capture(model, RAGGED)


def test_time_before_batch() -> None:
    x = np.random.default_rng(6).normal(size=(7, 2, 3)).astype("float32")
    layers = tf_keras.layers
    model = tf_keras.Sequential(
        [
            tf_keras.Input((None, 3)),
            layers.LSTM(4, time_major=True, return_sequences=True, name="first"),
            layers.GRU(3, time_major=True, name="second"),
        ]
    )
    found = capture(model, x)
    np.testing.assert_array_equal(found["first"].x, x.swapaxes(0, 1))
    assert [str(analyse(each).parity.verdict) for each in found.values()] == ["match", "match"]
    np.testing.assert_allclose(
        analyse(found["second"]).trace.h[:, -1], model.predict(x, verbose=0), atol=1e-6
    )


@KERASES
def test_targets_are_left_out_where_that_is_certain(
    package: Package, rng: np.random.Generator, caplog: pytest.LogCaptureFixture
) -> None:
    x, y = rng.normal(size=(2, 5, 3)).astype("float32"), rng.normal(size=(2, 5, 2))
    one = package.Sequential([package.Input((5, 3)), package.layers.LSTM(2)])
    np.testing.assert_array_equal(read(one, (x, y)), x)
    assert caplog.text.count("the inputs are looked at, the targets are not") == 1
    a, b = package.Input((5, 3), name="a"), package.Input((5, 2), name="b")
    joined = package.layers.Concatenate()([a, b])
    two = package.Model([a, b], package.layers.LSTM(2)(joined))
    both = np.concatenate([x, y.astype("float32")], -1)
    for form in ((x, y), [x, y], {"b": y, "a": x}, {"a": x, "b": y, "other": y}):
        np.testing.assert_array_equal(read(two, form), both)
    assert caplog.text.count("the targets are not") == 1


def test_batches_of_loaders_are_taken(rng: np.random.Generator) -> None:
    x = rng.normal(size=(6, 5, 3)).astype("float32")
    model = keras.Sequential([keras.Input((5, 3)), keras.layers.LSTM(2)])

    class Batches(keras.utils.PyDataset):
        def __len__(self) -> int:
            return 3

        def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
            return x[2 * index : 2 * index + 2], np.ones(2)

    np.testing.assert_array_equal(read(model, Batches()), x[:2])
    torch = pytest.importorskip("torch")
    data = torch.utils.data.TensorDataset(torch.tensor(x), torch.ones(6))
    before = torch.random.get_rng_state()
    loader = torch.utils.data.DataLoader(data, batch_size=2, shuffle=True)
    np.testing.assert_array_equal(read(model, loader), x[:2])
    assert torch.equal(before, torch.random.get_rng_state())


def test_a_configuration_holds_sequences_of_different_lengths(tmp_path: Path) -> None:
    words = ["a", "b"], ["c", "d", "e"]
    probe = ProbeCallback([[1, 2], [3, 4, 5]], tmp_path, labels=words)
    saved = keras.saving.serialize_keras_object(probe)
    again = keras.saving.deserialize_keras_object(saved)
    assert again.get_config()["probe"] == [[1, 2], [3, 4, 5]]
    model = keras.Sequential(
        [keras.layers.Embedding(9, 2, mask_zero=True), keras.layers.LSTM(2, name="reader")]
    )
    again.step(model)
    again.close()
    assert again.analyses["reader"].trace.labels == (("a", "b", ""), ("c", "d", "e"))
