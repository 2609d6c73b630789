"""What the callback does in a short training: log, report, warnings, and the weights after it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import trained
from logs import note_log, warnings_of
from masking import masked
from observations import Observations

import lstm_probe
from lstm_probe.callbacks import ProbeCallback
from lstm_probe.callbacks.schedule import Logarithmic

__all__ = ["note_training", "observe"]

#: What the callback is given, by the name of the training.
TRAININGS: dict[str, dict[str, Any]] = {
    "scalars": {"detail": "scalars", "every": 2},
    "gates": {"detail": "gates", "every": 3},
    "full": {"detail": "full", "every": 4, "labels": list("abcdefghi")},
    "without images": {"write_images": False, "every": Logarithmic(per_decade=3)},
    "one layer": {"layers": ["reader"], "every": 5, "detail": "full"},
    "small log": {"max_log_bytes": 60_000, "every": 2},
}


def observe(seen: Observations) -> None:
    """A training for each set of options; a second `fit`; an ill network; a loop of one's own."""
    x, y = trained.data()
    for name, options in TRAININGS.items():
        note_training(seen, name, keras, options)
    model = trained.model(keras)
    with warnings_of(seen, "twice"):
        for _ in range(2):
            probe = ProbeCallback(x[:2], "twice", every=4, max_overhead=None)
            model.fit(x, y, batch_size=8, shuffle=False, verbose=0, callbacks=[probe])
        again = ProbeCallback(x[:2], "twice", every=4, max_overhead=None, detail="scalars")
        trained.model(keras).fit(x, y, batch_size=8, shuffle=False, verbose=0, callbacks=[again])
    note_log(seen, "twice", Path("twice"))
    _note_ill(seen)
    _note_loop(seen)


def note_training(seen: Observations, name: str, package: Any, options: dict[str, Any]) -> None:
    """A `fit` of 12 steps with a probe, and all that comes of it."""
    x, y = trained.data()
    model, log_dir = trained.model(package), name.replace(" ", "_")
    with warnings_of(seen, name):
        probe = ProbeCallback(x[:3], log_dir, max_overhead=None, **options)
        history = model.fit(
            x, y, batch_size=8, epochs=2, shuffle=False, verbose=0, callbacks=[probe]
        )
    note_log(seen, name, Path(log_dir))
    seen.note("text", f"{name}/report", masked(str(probe.report)))
    layers = {
        key: [a.cell, a.units, a.captures, a.verdict] for key, a in probe.report.layers.items()
    }
    counts = [probe.report.captured, probe.report.failed, probe.report.skipped, probe.report.due]
    seen.note("report", name, {"layers": layers, "counts": counts})
    seen.note("layers", name, list(probe.analyses))
    seen.note("digest", name, [trained.digest(model), repr(history.history["loss"])])


def _note_ill(seen: Observations) -> None:
    """A training that breaks: its alerts, what is logged of them, and what a function is told."""
    rng = np.random.default_rng(63)
    x, y = rng.normal(size=(32, 30, 3)), 10 * rng.normal(size=(32, 2))
    for then in ("log", "stop", "function"):
        model = keras.Sequential(
            [
                keras.Input((30, 3)),
                keras.layers.SimpleRNN(8, activation="relu", return_sequences=True, name="low"),
                keras.layers.LSTM(4, name="high"),
                keras.layers.Dense(2),
            ]
        )
        trained.randomise(model, rng)
        trained.compile_without_xla(keras, model, 0.5)
        told: list[Any] = []
        rules = lstm_probe.AlertRules(
            told.append if then == "function" else then, lstm_probe.Thresholds(dead=0.05)
        )
        with warnings_of(seen, f"ill {then}"):
            probe = ProbeCallback(x[:2], f"ill_{then}", every=1, max_overhead=None, on_alert=rules)
            model.fit(x, y, batch_size=8, shuffle=False, verbose=0, callbacks=[probe])
        note_log(seen, f"ill {then}", Path(f"ill_{then}"))
        seen.note("alerts", f"ill {then}", [alert.plain() for alert in told])
        seen.note("text", f"ill {then}/report", masked(str(probe.report)))
        seen.note("digest", f"ill {then}", trained.digest(model))


def _note_loop(seen: Observations) -> None:
    x, y = trained.data()
    model = trained.model(keras)
    probe = ProbeCallback(x[:2], "loop", every=2, max_overhead=None)
    with warnings_of(seen, "loop"):
        probe.step(model)
        for start in range(0, 40, 8):
            model.train_on_batch(x[start : start + 8], y[start : start + 8])
            probe.step(model)
        probe.close()
    note_log(seen, "loop", Path("loop"))
    seen.note("digest", "loop", trained.digest(model))
    seen.note(
        "text",
        "config",
        masked(repr({k: v for k, v in probe.get_config().items() if k != "probe"})),
    )
