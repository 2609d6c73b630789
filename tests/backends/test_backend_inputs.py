"""Probes and ways to call a model, on whichever backend Keras 3 runs."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest

from lstm_probe import LstmProbeError, analyse, capture

BACKEND = keras.backend.backend()


def read(model: Any, probe: Any, **options: Any) -> np.ndarray:
    (snapshot,) = capture(model, probe, **options).values()
    assert str(analyse(snapshot).parity.verdict) == "match"
    return snapshot.x


@pytest.fixture
def x(rng: np.random.Generator) -> Any:
    return rng.normal(size=(4, 5, 3)).astype("float32")


class Batches(keras.utils.PyDataset):
    def __init__(self, x: np.ndarray) -> None:
        super().__init__()
        self.x = x

    def __len__(self) -> int:
        return 2

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        return self.x[2 * index : 2 * index + 2], np.ones(2)


def test_one_batch_of_inputs_is_taken(x: Any) -> None:
    model = keras.Sequential([keras.Input((5, 3)), keras.layers.LSTM(2)])
    np.testing.assert_array_equal(read(model, Batches(x)), x[:2])
    np.testing.assert_array_equal(read(model, (x, np.ones(4))), x)
    np.testing.assert_array_equal(read(model, keras.ops.convert_to_tensor(x)), x)


def test_sequences_of_different_lengths_are_padded() -> None:
    model = keras.Sequential(
        [keras.layers.Embedding(9, 2, mask_zero=True), keras.layers.LSTM(2, name="reader")]
    )
    snapshot = capture(model, [[1, 2], [3, 4, 5]])["reader"]
    assert snapshot.mask.tolist() == [[True, True, False], [True, True, True]]
    assert str(analyse(snapshot).parity.verdict) == "match"


def test_a_container_is_run_as_the_user_says(x: Any) -> None:
    class Holder(keras.Model):
        def __init__(self) -> None:
            super().__init__()
            self.encoder = keras.Sequential([keras.layers.GRU(3), keras.layers.Dense(2)])

    with pytest.raises(LstmProbeError, match=r"no call of its own.*model\.encoder\(probe\)"):
        capture(Holder(), x)
    way = {"forward": lambda model, probe: model.encoder(probe)}
    np.testing.assert_array_equal(read(Holder(), x, **way), x)


# Keras says so of a subclassed model that is built by a pass without a method `build`.
@pytest.mark.filterwarnings("ignore:`build\\(\\)` was called on layer:UserWarning")
def test_a_call_with_the_size_of_the_batch_and_further_arguments(x: Any) -> None:
    class Model(keras.Model):
        def __init__(self) -> None:
            super().__init__()
            self.memory = keras.layers.GRU(3, name="memory")

        def call(self, x: Any, gain: Any) -> Any:
            return self.memory(x * gain, initial_state=keras.ops.ones((int(x.shape[0]), 3)))

    for probe in ([x, np.full((4, 1, 1), 2.0, "float32")], {"x": x, "gain": np.float32(2.0)}):
        np.testing.assert_array_equal(read(Model(), probe), 2 * x)
    with pytest.raises(LstmProbeError, match=r'probe=\{"x": \.\.\., "gain": \.\.\.\}'):
        capture(Model(), x)


@pytest.mark.skipif(BACKEND == "tensorflow", reason="has strings")
def test_strings_are_refused_where_the_framework_has_none() -> None:
    model = keras.Sequential([keras.layers.Embedding(9, 2), keras.layers.LSTM(2)])
    with pytest.raises(LstmProbeError, match=r"strings.*vectorizer"):
        capture(model, [["a"]])


@pytest.mark.skipif(BACKEND != "torch", reason="is of PyTorch")
def test_a_loader_of_pytorch_does_not_move(x: Any) -> None:
    import torch

    data = torch.utils.data.TensorDataset(torch.tensor(x), torch.ones(4))
    loader = torch.utils.data.DataLoader(data, batch_size=2, shuffle=True)
    model = keras.Sequential([keras.Input((5, 3)), keras.layers.LSTM(2)])
    before = torch.random.get_rng_state()
    np.testing.assert_array_equal(read(model, loader), x[:2])
    assert torch.equal(before, torch.random.get_rng_state())
