"""Nothing is left of a capture, whatever the probe is and however the model is called."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
import tf_keras

from lstm_probe.callbacks import ProbeCallback

Package = Any
#: Makes a model, the data that it is trained on, and the probe with its options.
Case = Callable[[Package, Any], tuple[Any, Any, Any, dict[str, Any]]]


def network(package: Package) -> Any:
    layers = package.layers
    return package.Sequential(
        [package.Input((5, 2)), layers.LSTM(4, dropout=0.2, name="memory"), layers.Dense(1)]
    )


def shuffled_dataset(package: Package, x: Any) -> tuple[Any, Any, Any, dict[str, Any]]:
    """The dataset of the training is the probe: neither its order nor its noise may change."""

    def noisy(x: Any) -> Any:
        return x + tf.random.normal(tf.shape(x)), tf.reduce_sum(x, [1, 2])

    data = tf.data.Dataset.from_tensor_slices(x).cache().shuffle(16).batch(4).map(noisy)
    return network(package), data, data, {}


def drawing_batches(package: Package, x: Any) -> tuple[Any, Any, Any, dict[str, Any]]:
    """Batches with random numbers of their own, and from the global generators."""
    base = getattr(package.utils, "PyDataset", package.utils.Sequence)

    class Drawing(base):  # type: ignore[misc,valid-type]
        def __init__(self) -> None:
            super().__init__()
            self.rng, self.order = np.random.default_rng(4), list(range(4))

        def __len__(self) -> int:
            return 4

        def __getitem__(self, index: int) -> tuple[Any, Any]:
            self.rng.shuffle(self.order)
            noise = np.random.normal(size=(4, 5, 2))  # noqa: NPY002
            return x[4 * self.order[index] :][:4] + noise, np.ones(4)

    data = Drawing()
    return network(package), data, data, {}


def compiled_call(package: Package, x: Any) -> tuple[Any, Any, Any, dict[str, Any]]:
    """What `tf.function` has traced of a method is used by the training again."""

    class Compiled(package.Model):  # type: ignore[misc,name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.memory = package.layers.GRU(3, dropout=0.2, name="memory")
            self.memory.build((None, 5, 2))
            self.built, self.calls = True, 0

        @tf.function
        def remember(self, x: Any, training: Any) -> Any:
            self.calls += 1
            return self.memory(x, training=training)

        def call(self, x: Any, training: bool = False) -> Any:
            return self.remember(x, training)

    return Compiled(), (x, np.ones((16, 3))), x[:4], {}


def size_of_batch(package: Package, x: Any) -> tuple[Any, Any, Any, dict[str, Any]]:
    """The first pass that is to build the model fails."""

    class Reading(package.Model):  # type: ignore[misc,name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.first = package.layers.Dense(3)
            self.memory = package.layers.LSTM(3, name="memory")
            self.passes = [0]

        def call(self, x: Any) -> Any:
            self.passes[0] += 1
            zeros = tf.zeros((x.shape[0], 3)) + np.random.normal()  # noqa: NPY002
            return self.memory(self.first(x), initial_state=[zeros, zeros])

    data = tf.data.Dataset.from_tensor_slices((x, np.ones((16, 3)))).batch(4, drop_remainder=True)
    return Reading(), data, x[:2], {}


def users_way(package: Package, x: Any) -> tuple[Any, Any, Any, dict[str, Any]]:
    class Holder(package.Model):  # type: ignore[misc,name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.part, self.built = network(package), True
            self.noise = tf.random.Generator.from_seed(2)

        def train_step(self, data: Any) -> dict[str, Any]:
            with tf.GradientTape() as tape:
                loss = tf.reduce_mean((self.part(data[0], training=True) - 1) ** 2)
            variables = self.part.trainable_variables
            gradients = tape.gradient(loss, variables)
            self.optimizer.apply_gradients(zip(gradients, variables, strict=True))
            return {"loss": loss + 0 * self.noise.normal(())}

    def forward(model: Any, probe: Any) -> Any:
        return model.part(probe + model.noise.normal(()))

    return Holder(), (x, np.ones(16)), x[:2], {"forward": forward}


CASES = {
    each.__name__: each
    for each in (shuffled_dataset, drawing_batches, compiled_call, size_of_batch, users_way)
}


def trained(case: Case, package: Package, log_dir: Path | None) -> dict[str, Any]:
    package.utils.set_random_seed(11)
    x = np.random.default_rng(11).normal(size=(16, 5, 2)).astype("float32")
    model, data, probe, options = case(package, x)
    model.compile("adam", "mse")
    callbacks = []
    if log_dir is not None:
        callbacks.append(
            ProbeCallback(probe, log_dir, every=2, max_overhead=None, detail="scalars", **options)
        )
    arrays = data if isinstance(data, tuple) else (data,)
    kwargs = {"shuffle": False, "verbose": 0, "callbacks": callbacks}
    kwargs |= {"batch_size": 4} if isinstance(data, tuple) else {}
    losses = model.fit(*arrays, epochs=2, **kwargs).history["loss"]
    if callbacks:
        assert callbacks[0].report.captured >= 4
        assert callbacks[0].report.failed == 0
    optimizer = model.optimizer.variables
    return {
        "weights": [each.numpy() for each in model.variables],
        "optimizer": [v.numpy() for v in (optimizer() if callable(optimizer) else optimizer)],
        "losses": losses,
        "numpy": np.random.get_state()[1],  # noqa: NPY002
        "tensorflow": tf.random.uniform((3,)).numpy(),
        "python": [getattr(model, name, None) for name in ("calls", "passes")],
        "batches": [vars(data).get("order"), data.rng.random()] if hasattr(data, "rng") else [],
        "generator": model.noise.state.numpy() if hasattr(model, "noise") else [],
    }


# Keras says so of a subclassed model that is built by a pass without a method `build`.
@pytest.mark.filterwarnings("ignore:`build\\(\\)` was called on layer:UserWarning")
@pytest.mark.parametrize("package", [keras, tf_keras], ids=["keras", "tf_keras"])
@pytest.mark.parametrize("name", CASES)
@pytest.mark.daily(1)
def test_nothing_is_left_of_a_capture(name: str, package: Package, tmp_path: Path) -> None:
    without = trained(CASES[name], package, None)
    probed = trained(CASES[name], package, tmp_path)
    for what, expected in without.items():
        np.testing.assert_equal(probed[what], expected, err_msg=what)


@pytest.mark.parametrize("package", [keras, tf_keras], ids=["keras", "tf_keras"])
def test_what_a_capture_has_traced_is_not_called_again(package: Package, tmp_path: Path) -> None:
    """A decorated method that the pass calls in the way in which the user calls it later."""
    x = np.random.default_rng(12).normal(size=(16, 5, 2)).astype("float32")
    model, data, probe, _ = compiled_call(package, x)
    model.compile("adam", "mse")
    callback = ProbeCallback(probe, tmp_path, every=2, max_overhead=None, detail="scalars")
    model.fit(*data, batch_size=4, verbose=0, callbacks=[callback])
    assert callback.report.failed == 0
    np.testing.assert_array_equal(model(tf.constant(probe)), model.memory(probe))
