"""The switch: `LSTM_PROBE=off` and `enabled=False` turn callbacks and hooks into nothing."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import keras
import pytest

from lstm_probe.callbacks import ProbeCallback
from lstm_probe.core.switch import is_switched_on

#: A program that trains with everything that we attach, all of it given nonsense.
FIT = """
import sys
import numpy as np
{imports}
before = {{name.partition(".")[0] for name in sys.modules}}
from lstm_probe.callbacks import ProbeCallback
probe = ProbeCallback("no probe", "{log_dir}", every=None, layers=7, detail="?", **{options})
x, y = np.ones((8, 5, 1), "float32"), np.ones((8, 3), "float32")
model = keras.Sequential([keras.layers.LSTM(3)])
model.compile("adam", "mse")
probe.step(model)
model.fit(x, y, batch_size=2, epochs=2, verbose=0, callbacks=[probe])
model.fit(x, y, batch_size=2, verbose=0, validation_data=(x, y), callbacks=[probe])
model.evaluate(x, y, verbose=0, callbacks=[probe])
model.predict(x, verbose=0, callbacks=[probe])
probe.close()
assert not probe.analyses and probe.report.due == 0, probe.report
new = {{name.partition(".")[0] for name in sys.modules}} - before
print("imported:", *sorted(new - {{"lstm_probe"}} - sys.stdlib_module_names))
"""
SESSION = """
import sys
import numpy as np
import tensorflow as tf
before = {{name.partition(".")[0] for name in sys.modules}}
from lstm_probe.callbacks import ProbeHook
tf1 = tf.compat.v1
with tf.Graph().as_default():
    step = tf1.train.get_or_create_global_step()
    train = tf1.assign_add(step, 1)
    hook = ProbeHook(
        None, inputs=None, outputs=None, feed_dict=None, log_dir="{log_dir}", **{options}
    )
    with tf1.train.MonitoredTrainingSession(hooks=[hook]) as session:
        session.run(train)
    with tf1.Session() as session:
        hook.after_step(session, 0)
        hook.end(session)
assert not hook.analyses and hook.report.due == 0
new = {{name.partition(".")[0] for name in sys.modules}} - before
print("imported:", *sorted(new - {{"lstm_probe"}} - sys.stdlib_module_names))
"""


def said(program: str, tmp_path: Path, options: dict[str, object], **environment: str) -> str:
    """What a program of its own prints; it is to leave nothing behind."""
    code = program.format(
        imports="import keras", log_dir=(tmp_path / "logs").as_posix(), options=options
    )
    process = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={**os.environ, **environment},
    )
    assert process.returncode == 0, process.stderr
    assert not list(tmp_path.iterdir())
    return process.stdout.splitlines()[-1]


@pytest.mark.parametrize("program", [FIT, SESSION], ids=["fit", "session"])
@pytest.mark.parametrize("how", ["environment", "option"])
@pytest.mark.daily(1)
def test_nothing_is_checked_imported_or_logged_when_the_probe_is_off(
    program: str, how: str, tmp_path: Path
) -> None:
    options = {"enabled": False} if how == "option" else {}
    environment = {"LSTM_PROBE": "off"} if how == "environment" else {}
    assert said(program, tmp_path, options, **environment).strip() == "imported:"


@pytest.mark.long
def test_no_keras_is_imported_for_a_probe_that_is_off(tmp_path: Path) -> None:
    """The program imports its Keras after the callback, which has not imported it."""
    program = FIT.replace("{imports}", "").replace(
        "x, y = np.ones", 'assert "keras" not in sys.modules\nimport keras\nx, y = np.ones'
    )
    code = program.replace("print(", "sys.exit(0)\nprint(")
    process = subprocess.run(
        [sys.executable, "-c", code.format(log_dir=tmp_path / "logs", options={})],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={**os.environ, "LSTM_PROBE": "off"},
    )
    assert process.returncode == 0, process.stderr


def test_a_switched_off_callback_keeps_its_configuration() -> None:
    probe = ProbeCallback([[[1.0]]], "logs", every=7, enabled=False)
    again = ProbeCallback.from_config(probe.get_config())
    assert again.get_config()["every"] == 7
    assert again.get_config()["enabled"] is False
    assert isinstance(again, keras.callbacks.Callback)


@pytest.mark.parametrize("value", ["off", "OFF", "0", "false", " no "])
def test_the_environment_switches_off(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LSTM_PROBE", value)
    assert not is_switched_on()
    assert not is_switched_on(True)


@pytest.mark.parametrize("value", ["", "on", "1"])
def test_the_environment_leaves_the_probe_on(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LSTM_PROBE", value)
    assert is_switched_on()
    assert not is_switched_on(False)
