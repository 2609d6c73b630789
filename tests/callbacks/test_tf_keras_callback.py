"""`ProbeCallback` in tf_keras's `fit`: when it captures, and that it changes nothing."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
import tf_keras
from event_reading import captured_steps
from samples import training_data
from tensorflow.python.framework.config import disable_op_determinism
from tf_keras import layers

from lstm_probe import LstmProbeError, capture
from lstm_probe.callbacks import ProbeCallback


def build() -> tf_keras.Model:
    memory = layers.SimpleRNN(5, name="memory")
    model = tf_keras.Sequential([tf_keras.Input((6, 3)), memory, layers.Dense(2)])
    model.compile("adam", "mse")
    return model


def test_captures_before_the_first_step_at_each_multiple_and_at_the_end(
    tmp_path: Path, rng: np.random.Generator
) -> None:
    x, y = training_data(rng)
    model, probe = build(), ProbeCallback(x[:1], tmp_path, every=5)
    for _ in range(2):
        model.fit(x, y, batch_size=8, epochs=2, verbose=0, callbacks=[probe])
    assert captured_steps(tmp_path, "memory/gates/1_h") == [0, 5, 10, 15, 16, 20, 25, 30, 32]
    assert (probe.report.captured, probe.report.failed) == (9, 0)
    assert probe.report.layers["memory"].max_abs_error < 1e-5
    assert capture(model, x[:1])["memory"].step == 32


@pytest.mark.parametrize("size", [3, 4, 7])
def test_captures_where_the_counter_crosses_when_several_steps_run_at_once(
    size: int, tmp_path: Path, rng: np.random.Generator
) -> None:
    x, y = training_data(rng, 96)
    model = build()
    model.compile("sgd", "mse", steps_per_execution=size)
    model.fit(x, y, batch_size=4, verbose=0, callbacks=[ProbeCallback(x[:1], tmp_path, every=10)])
    steps = captured_steps(tmp_path, "memory/gates/1_h")
    assert steps[0] == 0
    assert steps[-1] == 24
    assert [s // 10 for s in steps] == [0, 1, 2, 2]
    assert all(s % 10 < size for s in steps[1:-1])


@pytest.mark.parametrize(
    "optimizer",
    [
        tf_keras.optimizers.legacy.Adam,
        lambda: tf_keras.mixed_precision.LossScaleOptimizer(tf_keras.optimizers.Adam()),
    ],
)
def test_the_step_is_that_of_any_optimizer(
    optimizer: Any, tmp_path: Path, rng: np.random.Generator
) -> None:
    x, y = training_data(rng)
    model = build()
    model.compile(optimizer(), "mse")
    model.fit(x, y, batch_size=8, verbose=0, callbacks=[ProbeCallback(x[:1], tmp_path, every=3)])
    assert captured_steps(tmp_path, "memory/gates/1_h") == [0, 3, 6, 8]


def test_each_point_shows_the_weights_of_its_step(tmp_path: Path, rng: np.random.Generator) -> None:
    x, y = training_data(rng)
    kernels, seen = {}, {}

    class Record(tf_keras.callbacks.Callback):
        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            kernels[int(self.model.optimizer.iterations)] = self.model.layers[0].get_weights()[0]

    class Check(ProbeCallback):
        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            super().on_train_batch_end(batch, logs)
            snapshot = self.analyses["memory"].snapshot
            seen[snapshot.step] = snapshot.weights.kernel.reshape(3, 5).copy()

    callbacks = [Record(), Check(x[:1], tmp_path, every=2)]
    build().fit(x, y, batch_size=8, verbose=0, callbacks=callbacks)
    assert sorted(seen) == [0, 2, 4, 6, 8]
    assert all((seen[step] == kernels[step]).all() for step in (2, 4, 6, 8))


# Inside of a loop tf_keras draws its dropout in no certain order: trainings from one seed differ
# without any probe. So layers that drop parts of their state, or run step by step, are unrolled.
TRAININGS: dict[str, dict[str, Any]] = {
    "dropout": {"dropout": 0.2, "recurrent_dropout": 0.3, "unroll": True},
    "stateful": {"stateful": True},
    "built by its first batch": {"dropout": 0.2},
    "random generators": {"dropout": 0.2},
}


def trained(kind: str, callbacks: list[Any]) -> dict[str, Any]:
    """Train a fresh model from fixed seeds; everything that a probe might have disturbed."""
    tf_keras.utils.set_random_seed(7)
    x, y = training_data(np.random.default_rng(7))
    inner = [
        layers.GRU(5, name="memory", return_sequences=True, **TRAININGS[kind]),
        layers.BatchNormalization(),
        layers.SimpleRNN(4, dropout=0.2, unroll=True, stateful=kind == "stateful", name="upper"),
        layers.Dropout(0.1),
        layers.Dense(2),
    ]
    if kind != "built by its first batch":
        inner.insert(0, tf_keras.Input((6, 3), batch_size=8 if kind == "stateful" else None))
    model = tf_keras.Sequential(inner)
    model.compile("adam", "mse")
    history = model.fit(x, y, batch_size=8, epochs=2, verbose=0, callbacks=callbacks)
    memories = [each for each in model.layers if isinstance(each, layers.RNN) and each.stateful]
    generators = [each.cell._random_generator for each in model.layers if hasattr(each, "cell")]
    return {
        "weights": [v.numpy() for v in model.variables],
        "optimizer": [v.numpy() for v in model.optimizer.variables],
        "states": [state.numpy() for each in memories for state in each.states],
        "losses": np.array(history.history["loss"]),
        "generators": [g._generator.state.numpy() for g in generators if g._generator is not None],
        "python": np.array([random.random()]),
        "numpy": np.random.random(3),  # noqa: NPY002 - the global state is what is tested
        "tensorflow": tf.random.uniform((3,)).numpy(),
        "keras": tf_keras.backend.random_uniform((3,)).numpy(),
    }


@pytest.mark.parametrize("kind", TRAININGS)
@pytest.mark.daily(1)
def test_training_is_bit_identical_when_the_probe_is_attached(kind: str, tmp_path: Path) -> None:
    tf.config.experimental.enable_op_determinism()
    if kind == "random generators":
        tf_keras.backend.experimental.enable_tf_random_generator()
    try:
        probe = ProbeCallback(np.ones((8, 6, 3), "float32"), tmp_path, every=3)
        without, with_probe = trained(kind, []), trained(kind, [probe])
    finally:
        tf_keras.backend.experimental.disable_tf_random_generator()
        disable_op_determinism()  # which would ask for seeds in the tests that follow
    assert probe.report.captured == 7
    assert kind != "random generators" or without["generators"]
    assert kind != "stateful" or len(without["states"]) == 2
    for name, expected in without.items():
        received = with_probe[name]
        assert len(expected) == len(received)
        assert all(np.array_equal(a, b) for a, b in zip(expected, received, strict=True)), name


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"probe": np.ones((6, 3))}, r"\(6, 3\).*\(any, 6, 3\)"),
        ({"layers": ["no_such"]}, "'no_such'.*'memory'"),
    ],
)
def test_what_does_not_fit_is_refused_before_the_first_step(
    arguments: dict[str, Any], message: str, tmp_path: Path, rng: np.random.Generator
) -> None:
    x, y = training_data(rng)
    model = build()
    callback = ProbeCallback(arguments.pop("probe", x[:1]), tmp_path, **arguments)
    with pytest.raises(LstmProbeError, match=message):
        model.fit(x, y, verbose=0, callbacks=[callback])
    assert int(model.optimizer.iterations) == 0


SCRIPT = """
import sys, tempfile
{before}
import numpy as np
{imports}
from lstm_probe.callbacks import ProbeCallback
x, y = np.ones((8, 5, 1), "float32"), np.ones((8, 3), "float32")
{eager}
model = K.Sequential([K.Input((5, 1)), K.layers.SimpleRNN(3, name="memory")])
model.compile("sgd", "mse")
probe = ProbeCallback(x[:1], tempfile.mkdtemp(), every=1)
model.fit(x, y, batch_size=4, verbose=0, callbacks=[probe])
print(type(model).__module__.split(".")[0], ProbeCallback.__bases__[-1].__module__.split(".")[0],
      probe.report.captured, "keras" in sys.modules)
"""
WITHOUT_KERAS_3 = """
from importlib.machinery import PathFinder
find = PathFinder.find_spec
PathFinder.find_spec = lambda name, *rest: None if name == "keras" else find(name, *rest)
"""


def run(script: dict[str, str], **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", SCRIPT.format(**{"before": "", "eager": ""} | script)],
        cwd=Path(__file__).parent,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_tf_keras_is_probed_as_tf_keras_of_tensorflow() -> None:
    done = run({"imports": "from tensorflow import keras as K"}, TF_USE_LEGACY_KERAS="1")
    assert done.stdout.split()[:3] == ["tf_keras", "tf_keras", "3"], done.stderr


def test_tf_keras_is_probed_where_keras_3_is_not_installed() -> None:
    done = run({"before": WITHOUT_KERAS_3, "imports": "import tf_keras as K"})
    assert done.stdout.split() == ["tf_keras", "tf_keras", "3", "False"], done.stderr


def test_the_error_names_the_hook_when_tf_keras_runs_in_a_graph() -> None:
    eager = "import tensorflow as tf; tf.compat.v1.disable_eager_execution()"
    done = run({"imports": "import tf_keras as K", "eager": eager})
    assert "LstmProbeError: tf_keras does not run eagerly here" in done.stderr
    assert "ProbeHook" in done.stderr
