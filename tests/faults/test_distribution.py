"""Several devices and several processes that train one model with TensorFlow."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import event_reading
import pytest

ROOT = Path(__file__).resolve().parents[2]

ON_TWO_DEVICES = """
import sys, json
import tensorflow as tf
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
import keras, numpy as np
from lstm_probe.callbacks import ProbeCallback

def trained(callbacks):
    keras.utils.set_random_seed(3)
    rng = np.random.default_rng(3)
    x, y = rng.normal(size=(64, 6, 3)).astype("float32"), rng.normal(size=(64, 2)).astype("float32")
    strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
    with strategy.scope():
        model = keras.Sequential([
            keras.Input((6, 3)),
            keras.layers.BatchNormalization(),
            keras.layers.LSTM(5, name="memory", dropout=0.2),
            keras.layers.Dense(2),
        ])
        model.compile("adam", "mse")
    assert strategy.num_replicas_in_sync == 2
    model.fit(x, y, batch_size=8, verbose=0, callbacks=callbacks)
    return [v.numpy() for v in [*model.variables, *model.optimizer.variables]], model

probe = ProbeCallback(np.ones((2, 6, 3), "float32"), sys.argv[1], every=3, max_overhead=None)
(without, _), (probed, model) = trained([]), trained([probe])
until = keras.Model(model.inputs, model.get_layer("memory").output)
shown = probe.analyses["memory"].trace.h[:, -1]
layer = probe.report.layers["memory"]
print(json.dumps({
    "identical": all(np.array_equal(a, b) for a, b in zip(without, probed, strict=True)),
    "captured": probe.report.captured,
    "verdict": layer.verdict,
    "error": layer.max_abs_error,
    "off": float(np.abs(until(np.ones((2, 6, 3), "float32")) - shown).max()),
}))
"""


def run(script: str, *arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", script, *arguments],
        capture_output=True, text=True, cwd=cwd, timeout=300,
    )  # fmt: skip


@pytest.mark.long
def test_mirrored_variables_are_read_and_nothing_changes(tmp_path: Path) -> None:
    done = run(ON_TWO_DEVICES, str(tmp_path), cwd=tmp_path)
    assert done.returncode == 0, done.stderr[-3000:]
    told: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    assert told["error"] < 2e-6
    assert told["off"] < 2e-6
    assert (told["identical"], told["captured"], told["verdict"]) == (True, 4, "match")
    assert event_reading.captured_steps(tmp_path) == [0, 3, 6, 8]


@pytest.mark.long
@pytest.mark.parametrize("workers", [2, 3])
def test_only_the_chief_of_several_workers_logs(workers: int, tmp_path: Path) -> None:
    done = subprocess.run(
        [
            sys.executable, str(ROOT / "examples" / "multi_worker_keras.py"),
            "--workers", str(workers), "--log-dir", str(tmp_path / "logs"),
        ],
        capture_output=True, text=True, cwd=tmp_path, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    losses = {line.split()[-1] for line in done.stdout.splitlines() if ": loss" in line}
    assert len(losses) == 1
    assert done.stdout.count(": loss") == workers
    assert "5 of 5 captures" in done.stdout
    files = list((tmp_path / "logs").rglob("*tfevents*"))
    assert len(files) == 1
    assert event_reading.captured_steps(tmp_path / "logs") == [0, 5, 10, 15, 16]


ON_PARAMETER_SERVERS = """
import os, sys, importlib
import tensorflow as tf
jobs = {job: [f"127.0.0.1:{port}"] for job, port in zip(("worker", "ps"), sys.argv[3:])}
cluster = tf.train.ClusterSpec(jobs)
servers = [tf.distribute.Server(cluster, job_name=job, task_index=0) for job in jobs]
strategy = tf.distribute.ParameterServerStrategy(
    tf.distribute.cluster_resolver.SimpleClusterResolver(cluster, rpc_layer="grpc")
)
import numpy as np
from lstm_probe import LstmProbeError
from lstm_probe.callbacks import ProbeCallback
keras = importlib.import_module(sys.argv[1])
x, y = np.ones((64, 6, 3), "float32"), np.ones((64, 2), "float32")
data = tf.data.Dataset.from_tensor_slices((x, y)).batch(8).repeat()
with strategy.scope():
    model = keras.Sequential([keras.Input((6, 3)), keras.layers.LSTM(5), keras.layers.Dense(2)])
    model.compile("adam", "mse")
before = model.get_weights()
probe = ProbeCallback(x[:1], sys.argv[2])
try:
    if sys.argv[1] == "keras":  # whose fit does not train under this strategy
        probe.step(model)
    else:
        model.fit(data, steps_per_epoch=8, verbose=0, callbacks=[probe])
except LstmProbeError as error:
    same = all(np.array_equal(*pair) for pair in zip(before, model.get_weights()))
    print("refused, untrained:" if same else "refused too late:", error, flush=True)
os._exit(0)
"""


def free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


@pytest.mark.long
@pytest.mark.parametrize("package", ["keras", "tf_keras"])
def test_parameter_servers_are_refused_before_the_first_step(package: str, tmp_path: Path) -> None:
    ports = map(str, free_ports(2))
    done = run(ON_PARAMETER_SERVERS, package, str(tmp_path / "logs"), *ports, cwd=tmp_path)
    assert done.stdout.startswith("refused, untrained: "), done.stderr[-3000:]
    assert "under ParameterServerStrategy, whose steps are not counted" in done.stdout
    assert "MirroredStrategy or MultiWorkerMirroredStrategy; or probe a checkpoint" in done.stdout
    assert not (tmp_path / "logs").exists()


@pytest.mark.long
def test_the_example_ends_at_once_when_a_worker_dies(tmp_path: Path) -> None:
    command = [
        sys.executable, str(ROOT / "examples" / "multi_worker_keras.py"),
        "--epochs", "10000", "--log-dir", str(tmp_path / "logs"),
    ]  # fmt: skip
    with subprocess.Popen(command, stderr=subprocess.DEVNULL, cwd=tmp_path) as parent:
        try:
            run, limit = tmp_path / "logs" / "lstm_probe", time.monotonic() + 120
            while not (run.is_dir() and len(event_reading.captured_steps(tmp_path / "logs")) > 2):
                assert time.monotonic() < limit
                time.sleep(0.5)
            _, other = Path(f"/proc/{parent.pid}/task/{parent.pid}/children").read_text().split()
            os.kill(int(other), signal.SIGKILL)
            began = time.monotonic()
            assert parent.wait(timeout=60) == signal.SIGKILL
            assert time.monotonic() - began < 10
        finally:
            parent.terminate()
    steps = event_reading.captured_steps(tmp_path / "logs")
    assert steps[:3] == [0, 5, 10]
    assert steps == sorted(set(steps))


WORKER = """
import sys, os
import tensorflow as tf
strategy = tf.distribute.MultiWorkerMirroredStrategy()
import numpy as np, tf_keras as keras
from lstm_probe import LstmProbeError
from lstm_probe.callbacks import ProbeCallback
kind, log_dir = sys.argv[1:]
x, y = np.ones((64, 6, 3), "float32"), np.ones((64, 2), "float32")
with strategy.scope():
    stack = [keras.layers.LSTM(5, name="memory"), keras.layers.Dense(2)]
    if kind != "unbuilt":
        stack.insert(0, keras.Input((6, 3)))
    if kind == "batch normalization":
        stack.insert(1, keras.layers.BatchNormalization())
    model = keras.Sequential(stack)
    model.compile("adam", "mse")

class Die(keras.callbacks.Callback):
    def on_train_batch_end(self, batch, logs=None):
        if kind == "one dies" and batch == 5 and strategy.cluster_resolver.task_id == 1:
            os._exit(9)

probe = ProbeCallback(x[:1], log_dir, every=2, max_overhead=None)
data = tf.data.Dataset.from_tensor_slices((x, y)).batch(8).repeat(4)
try:
    model.fit(data, epochs=1, verbose=0, callbacks=[probe, Die()])
except LstmProbeError as error:
    print("refused:", error, flush=True)
except tf.errors.OpError as error:
    print("lost:", type(error).__name__, flush=True)
os._exit(0)
"""


def workers(kind: str, log_dir: Path) -> list[subprocess.Popen[str]]:
    cluster = {"worker": [f"127.0.0.1:{port}" for port in free_ports(2)]}
    started = []
    for index in range(2):
        task = json.dumps({"cluster": cluster, "task": {"type": "worker", "index": index}})
        started.append(
            subprocess.Popen(
                [sys.executable, "-c", WORKER, kind, str(log_dir)],
                env={**os.environ, "TF_CONFIG": task}, cwd=log_dir,
                stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
            )
        )  # fmt: skip
    return started


@pytest.mark.long
@pytest.mark.parametrize("kind", ["unbuilt", "batch normalization"])
def test_what_the_chief_cannot_read_alone_is_refused_by_all_workers(
    kind: str, tmp_path: Path
) -> None:
    both = workers(kind, tmp_path)
    try:
        for worker in both:
            told, _ = worker.communicate(timeout=120)
            assert told.startswith("refused:"), told
            assert "MultiWorkerMirroredStrategy" in told
    finally:
        for worker in both:
            worker.kill()
            worker.communicate()


@pytest.mark.long
def test_nobody_waits_for_a_worker_that_has_died(tmp_path: Path) -> None:
    chief, other = workers("one dies", tmp_path)
    try:
        assert other.wait(timeout=120) == 9
        began = time.monotonic()
        told, _ = chief.communicate(timeout=60)
        assert time.monotonic() - began < 60
        assert told.startswith("lost:"), told
    finally:
        chief.kill()
        for worker in (chief, other):
            worker.communicate()
    assert event_reading.captured_steps(tmp_path)[:3] == [0, 2, 4]
