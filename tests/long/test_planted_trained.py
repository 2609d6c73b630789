"""Trained networks whose task is known: the analyses name the lag, the step, or the series."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
from keras import layers

import lstm_probe

pytestmark = pytest.mark.long

TIME, COUNT = 12, 2000
KINDS = {"lstm": layers.LSTM, "gru": layers.GRU, "simple_rnn": layers.SimpleRNN}
#: A task with its lag, where it has one; and a cell. What a plain network cannot learn is left out.
TRAINED = [
    *((f"lag {lag}", kind) for lag in (2, 4) for kind in KINDS),
    *((task, kind) for task in ("copy", "sum") for kind in ("lstm", "gru")),
    ("sum", "simple_rnn"),
    ("latch", "lstm"),
    ("latch", "gru"),
]


def data(task: str, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, dict[str, Any]]:
    """Inputs, targets, and what is known of them: a lag, a step, or a series."""
    x = rng.normal(size=(COUNT, TIME, 2)).astype(np.float32)
    if task.startswith("lag"):
        lag = int(task[4:])
        return x, x[:, -1 - lag, 0], {"lag": lag}
    if task == "sum":
        return x, x[..., 0].sum(axis=1), {"series": x[..., 0].cumsum(axis=1)}
    when = rng.integers(1, TIME - 3, COUNT)
    x[..., 1] = 0
    if task == "copy":
        x[np.arange(COUNT), when, 1] = 1
        return x, x[np.arange(COUNT), when, 0], {"step": when}
    is_set = rng.random(COUNT) < 0.5
    x[is_set, when[is_set], 1] = 1
    series = (np.arange(TIME) >= when[:, None]) & is_set[:, None]
    return x, is_set.astype(np.float32), {"series": series}


def trained(kind: str, x: np.ndarray, y: np.ndarray, seed: int) -> tuple[keras.Model, float]:
    """A small network, and the part of the target's variance that it leaves."""
    keras.utils.set_random_seed(seed)
    model = keras.Sequential(
        [keras.Input(x.shape[1:]), KINDS[kind](10, name="memory"), layers.Dense(1)]
    )
    steps = keras.optimizers.schedules.CosineDecay(0.01, 40 * COUNT // 50)
    model.compile(keras.optimizers.Adam(steps, clipnorm=1.0), "mse", jit_compile=False)
    model.fit(x, y, batch_size=50, epochs=40, verbose=0)
    left = np.square(model.predict(x, verbose=0)[:, 0] - y).mean() / y.var()
    return model, float(left)


def is_named(found: Any, known: dict[str, Any], x: np.ndarray) -> bool:
    attribution, tracking = found.findings["attribution"], found.findings["tracking"]
    if "lag" in known:
        told = attribution.sentences()[0]
        return bool(told.value == known["lag"] and "comes most from" in told.text)
    if "step" in known:
        steps = known["step"]
        both = (attribution.strongest_by_occlusion[0] == steps) & (
            attribution.strongest[0] == steps
        )
        return bool(both.mean() >= 0.9)
    together = tracking.together.get("series")
    return "series" in tracking.named or (together is not None and together.named)


def test_what_trained_networks_do_is_named() -> None:
    missed, untrained = [], []
    for number, (task, kind) in enumerate(TRAINED):
        x, y, known = data(task, np.random.default_rng(number))
        model, left = trained(kind, x, y, seed=number)
        if left > 0.1:
            untrained.append((task, kind, left))
            continue
        shown = {name: value[:16] for name, value in known.items() if name != "lag"}
        found = lstm_probe.explain(
            model,
            x[:16],
            labels={"series": shown["series"]} if "series" in shown else None,
            target=y[:16],
            analyses=["ablation", "tracking", "attribution"],
        )["memory"]
        if not is_named(found, {**known, **shown}, x[:16]):
            missed.append((task, kind, left, str(found)))
    assert len(TRAINED) - len(untrained) >= 10, untrained
    assert len(missed) <= 1, missed
