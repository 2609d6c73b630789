"""What happens in training when a layer falls ill."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from keras_models import trainable
from samples import training_data

from lstm_probe import AlertRules, LstmProbeError
from lstm_probe.analysis import Thresholds
from lstm_probe.callbacks import ProbeCallback


class Poison(keras.callbacks.Callback):
    """Puts a NaN into the recurrent kernel before the fourth step."""

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        if batch == 3:
            kernel = self.model.layers[0].cell.recurrent_kernel
            value = kernel.numpy()
            value[1, 2] = np.nan
            kernel.assign(value)


def test_an_alert_is_logged_once_when_a_weight_is_no_longer_finite(
    tmp_path: Path, rng: np.random.Generator, caplog: pytest.LogCaptureFixture
) -> None:
    x, y = training_data(rng)
    probe = ProbeCallback(x[:1], tmp_path, every=1)
    trainable().fit(x, y, batch_size=8, verbose=0, callbacks=[Poison(), probe])
    assert probe.report.captured == 9
    warnings = [r.getMessage() for r in caplog.records if "not_finite" in r.getMessage()]
    assert len(warnings) == 1
    assert "step 4" in warnings[0]
    assert "'memory'" in warnings[0]


def test_training_stops_when_an_alert_asks_for_it(tmp_path: Path, rng: np.random.Generator) -> None:
    x, y = training_data(rng)
    probe = ProbeCallback(x[:1], tmp_path, every=1, on_alert="stop")
    model = trainable()
    model.fit(x, y, batch_size=8, epochs=5, verbose=0, callbacks=[Poison(), probe])
    assert int(model.optimizer.iterations) < 40
    assert probe.report.captured < 40


def test_a_function_is_called_with_each_alert_and_may_fail(
    tmp_path: Path, rng: np.random.Generator, caplog: pytest.LogCaptureFixture
) -> None:
    x, y = training_data(rng)
    seen = []

    def on_alert(alert: Any) -> None:
        seen.append((alert.rule, alert.layer, alert.step))
        raise RuntimeError("the pager is broken")

    probe = ProbeCallback(x[:1], tmp_path, every=1, on_alert=on_alert)
    trainable().fit(x, y, batch_size=8, verbose=0, callbacks=[Poison(), probe])
    assert ("not_finite", "memory", 4) in seen
    assert probe.report.captured == 9
    assert "the pager is broken" in caplog.text


def test_thresholds_and_rules_are_those_of_the_user_when_they_are_given(
    tmp_path: Path, rng: np.random.Generator
) -> None:
    x, y = training_data(rng)
    seen: list[Any] = []
    never = Thresholds(saturated=2, dead=2)
    quiet = AlertRules(seen.append, never, rules=["saturated_gates", "dead_units"])
    strict = AlertRules(seen.append, Thresholds(update_ratio=1e-9), rules=["update_ratio"])
    for rules, expected in ((quiet, set()), (strict, {"update_ratio"})):
        probe = ProbeCallback(x[:1], tmp_path, every=1, on_alert=rules)
        trainable().fit(x, y, batch_size=8, verbose=0, callbacks=[probe])
        assert {alert.rule for alert in seen} == expected
    assert seen[0].threshold == 1e-9
    with pytest.raises(LstmProbeError, match=r"'dead_gates'.*dead_units"):
        AlertRules(rules=["dead_gates"])
    with pytest.raises(LstmProbeError, match="shout"):
        AlertRules("shout")


def test_an_alert_is_not_lost_when_the_log_cannot_be_written(
    tmp_path: Path,
    rng: np.random.Generator,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    x, y = training_data(rng)
    probe = ProbeCallback(x[:1], tmp_path, every=1)

    class FullDisk(keras.callbacks.Callback):
        def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
            if batch == 3:
                monkeypatch.setattr("lstm_probe.logs.RunLog.write", refuse)

    def refuse(*_: Any, **__: Any) -> None:
        raise OSError("no space left")

    callbacks = [Poison(), FullDisk(), probe]
    trainable().fit(x, y, batch_size=8, verbose=0, callbacks=callbacks)
    assert (probe.report.captured, probe.report.failed) == (4, 5)
    assert sum("not_finite" in record.getMessage() for record in caplog.records) == 1
