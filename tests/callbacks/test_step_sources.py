"""Captures are due by the batches that were trained, whoever counts the steps.

The number of captures that are due is computed here from the batches alone: neither the optimizer
nor the report is asked for it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
import tf_keras

from lstm_probe.callbacks import ProbeCallback

EVERY, BATCHES = 3, 12
#: Captures at 0, 3, 6, 9, 12; the last one is the end of the training as well.
DUE = BATCHES // EVERY + 1

Package = Any
#: Trains a model for `BATCHES` batches with the probe.
Training = Callable[[Package, ProbeCallback, np.ndarray], Any]


def network(package: Package, **options: Any) -> Any:
    return package.Sequential(
        [package.Input((4, 3)), package.layers.LSTM(3, name="memory", **options)]
    )


def gradient_step(model: Any, optimizer: Any, x: Any) -> None:
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean((model(x) - 1.0) ** 2)
    variables = model.trainable_variables
    optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))


def batches(x: np.ndarray) -> Iterator[np.ndarray]:
    return (x[4 * i : 4 * i + 4] for i in range(BATCHES))


def own_optimizers(package: Package, count: int) -> Any:
    """A model that trains two networks, as a GAN does, with so many optimizers of its own."""

    class Gan(package.Model):  # type: ignore[misc,name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.generator = network(package, return_sequences=True)
            self.critic = package.Sequential(
                [package.Input((4, 3)), package.layers.GRU(3, name="judge")]
            )

        def compile(self, **options: Any) -> None:
            super().compile(**options)
            self.own = [package.optimizers.SGD(0.1) for _ in range(count)]

        def call(self, x: Any) -> Any:
            return self.critic(self.generator(x))

        def train_step(self, data: Any) -> dict[str, Any]:
            for part, optimizer in zip((self.critic, self.generator), self.own, strict=False):
                with tf.GradientTape() as tape:
                    loss = tf.reduce_mean((self(data) - 1.0) ** 2)
                variables = part.trainable_variables
                optimizer.apply_gradients(
                    zip(tape.gradient(loss, variables), variables, strict=True)
                )
            return {"loss": loss}

    return Gan()


def fitted_by_two_own(package: Package, probe: ProbeCallback, x: np.ndarray) -> Any:
    model = own_optimizers(package, 2)
    model.compile()
    model.fit(x, batch_size=4, verbose=0, shuffle=False, callbacks=[probe])
    return model


def fitted_by_one_own(package: Package, probe: ProbeCallback, x: np.ndarray) -> Any:
    model = own_optimizers(package, 1)
    model.compile(steps_per_execution=3)
    model.fit(x, batch_size=4, verbose=0, callbacks=[probe])
    return model


def loop_with_another(package: Package, probe: ProbeCallback, x: np.ndarray) -> Any:
    model, other = network(package), package.optimizers.Adam(0.1)
    model.compile("adam", "mse")
    probe.step(model)
    for batch in batches(x):
        gradient_step(model, other, batch)
        probe.step(model)
    probe.close()
    return model


def loop_without_any(package: Package, probe: ProbeCallback, x: np.ndarray) -> Any:
    model, other = network(package), package.optimizers.Adam(0.1)
    probe.step(model)
    for batch in batches(x):
        gradient_step(model, other, batch)
        probe.step(model)
    probe.close()
    return model


def loop_that_changes_its_optimizer(package: Package, probe: ProbeCallback, x: np.ndarray) -> Any:
    """The first half with the model's own optimizer, the second with another."""
    model, other = network(package), package.optimizers.SGD(0.1)
    model.compile("sgd", "mse")
    probe.step(model)
    for index, batch in enumerate(batches(x)):
        if index < BATCHES // 2:
            model.train_on_batch(batch, np.ones((4, 3)))
        else:
            gradient_step(model, other, batch)
        probe.step(model)
    probe.close()
    return model


def fits_that_change_their_optimizer(package: Package, probe: ProbeCallback, x: np.ndarray) -> Any:
    """The model that is probed is trained as a part of others, which are compiled."""
    part = network(package)
    part.compile("sgd", "mse")
    whole = package.Sequential([part, package.layers.Dense(1)])
    whole.compile("sgd", "mse")
    whole.train_on_batch(x[:4], np.ones((4, 1)))
    probe.step(part)
    for batch in batches(x):
        whole.train_on_batch(batch, np.ones((4, 1)))
        probe.step(part)
    probe.close()
    return part


def own_optimizer_of_the_model(package: Package, probe: ProbeCallback, x: np.ndarray) -> Any:
    model = network(package)
    model.compile("sgd", "mse")
    model.fit(x, np.ones((len(x), 3)), batch_size=4, verbose=0, callbacks=[probe])
    return model


TRAININGS: dict[str, Training] = {
    each.__name__: each
    for each in (
        fitted_by_two_own,
        fitted_by_one_own,
        loop_with_another,
        loop_without_any,
        loop_that_changes_its_optimizer,
        fits_that_change_their_optimizer,
        own_optimizer_of_the_model,
    )
}
#: Those in which the model's own optimizer counts every step, or there is none.
COUNTED = ("loop_without_any", "own_optimizer_of_the_model")


@pytest.mark.parametrize("package", [keras, tf_keras], ids=["keras", "tf_keras"])
@pytest.mark.parametrize("training", TRAININGS)
@pytest.mark.daily(3)
def test_captures_are_due_by_the_batches(
    training: str,
    package: Package,
    tmp_path: Path,
    rng: np.random.Generator,
    caplog: pytest.LogCaptureFixture,
) -> None:
    x = rng.normal(size=(4 * BATCHES, 4, 3)).astype("float32")
    probe = ProbeCallback(x[:1], tmp_path, every=EVERY, detail="scalars", max_overhead=None)
    with caplog.at_level(logging.WARNING):
        model = TRAININGS[training](package, probe, x)
    assert (probe.report.captured, probe.report.skipped, probe.report.failed) == (DUE, 0, 0)
    (shown, *_) = probe.analyses.values()
    assert shown.snapshot.step == BATCHES
    # The last capture shows the weights that the training has come to.
    layer = next(each for each in model._flatten_layers() if hasattr(each, "cell"))
    h = np.asarray(layer(x[:1]))
    np.testing.assert_allclose(shown.trace.h[:, -1], h if h.ndim == 2 else h[:, -1], atol=1e-6)
    said = caplog.text.count("another optimizer trains it")
    assert said == (training not in COUNTED)
