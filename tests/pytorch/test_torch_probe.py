"""`TorchProbe` in loops of a user's own."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import textwrap
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import torch
from event_reading import captured_steps
from torch import nn

from lstm_probe.callbacks import TorchProbe
from lstm_probe.callbacks.schedule import Logarithmic
from lstm_probe.core.errors import LstmProbeError
from lstm_probe.logs.stored.reader import RunReader
from lstm_probe.models.torch.reader import TorchReader

X = torch.randn(8, 5, 3, generator=torch.Generator().manual_seed(2))
TAG = "memory/l0/parity/max_abs_error"


class Model(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.memory, self.head = nn.LSTM(3, 4, batch_first=True), nn.Linear(4, 1)

    def forward(self, x: Any) -> Any:
        return self.head(self.memory(x)[0][:, -1])


@pytest.fixture
def model() -> Model:
    torch.manual_seed(0)
    return Model()


def train(model: nn.Module, optimizer: Any, steps: int) -> None:
    for _ in range(steps):
        optimizer.zero_grad()
        model(X).square().mean().backward()
        optimizer.step()


def steps_in(log_dir: Path) -> list[int]:
    return captured_steps(log_dir, TAG)


def test_steps_of_the_optimizer_are_captured_under_their_numbers(
    model: Model, tmp_path: Path
) -> None:
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    with TorchProbe(model, X[:2], tmp_path, optimizer=optimizer, every=3) as probe:
        train(model, optimizer, 7)
        assert steps_in(tmp_path) == [0, 3, 6]
    assert steps_in(tmp_path) == [0, 3, 6, 7]
    report = probe.report
    assert (report.captured, report.due, report.failed, report.skipped) == (4, 4, 0, 0)
    assert list(probe.analyses) == ["memory/l0"]
    assert probe.analyses["memory/l0"].snapshot.step == 7
    assert not optimizer._optimizer_step_post_hooks
    train(model, optimizer, 3)
    assert steps_in(tmp_path) == [0, 3, 6, 7]


def test_weights_are_those_of_their_step(model: Model, tmp_path: Path) -> None:
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    seen = []
    options: dict[str, Any] = {"optimizer": optimizer, "every": 1, "background": True}
    with TorchProbe(model, X[:2], tmp_path, max_overhead=None, **options) as probe:
        for step in range(1, 4):
            train(model, optimizer, 1)
            expected = TorchReader(model, X[:2]).take(step=step).snapshots()[0]
            probe._run.recorder._worker.drain()  # type: ignore[union-attr]
            seen.append((probe.analyses["memory/l0"].snapshot, expected))
    for snapshot, expected in seen:
        assert snapshot.step == expected.step
        assert (snapshot.weights.kernel == expected.weights.kernel).all()  # type: ignore[union-attr]
        assert (snapshot.output == expected.output).all()


def test_a_loop_without_optimizer_tells_its_steps(model: Model, tmp_path: Path) -> None:
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    probe = TorchProbe(model, X[:2], tmp_path, every=2)
    for _ in range(4):
        train(model, optimizer, 1)
        probe.step()
    probe.step(9)
    probe.step(8)  # a step that goes back hides nothing
    probe.close()
    assert steps_in(tmp_path) == [0, 2, 4, 9]


@pytest.mark.parametrize("counted", [False, True])
def test_losses_stand_beside_the_gates(model: Model, counted: bool, tmp_path: Path) -> None:
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    losses = []
    probe = TorchProbe(model, X[:2], tmp_path, every=1, optimizer=optimizer if counted else None)
    for _ in range(3):
        optimizer.zero_grad()
        loss = model(X).square().mean()
        loss.backward()
        losses.append(loss.item())
        if counted:
            probe.step(logs={"loss": loss, "rate": 0.1})
        optimizer.step()
        if not counted:
            probe.step(logs={"loss": loss, "rate": 0.1})
    probe.close()
    points = RunReader(tmp_path / "lstm_probe").course
    assert [each.training.get("loss") for each in points[1:]] == pytest.approx(losses)
    assert points[2].training["rate"] == pytest.approx(0.1)


def test_words_and_names_are_those_of_the_probe(tmp_path: Path) -> None:
    class Words(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.words, self.memory = nn.Embedding(5, 3), nn.GRU(3, 4, batch_first=True)

        def forward(self, tokens: Any) -> Any:
            return self.memory(self.words(tokens))[0]

    tokens, vocabulary = torch.tensor([[1, 2, 3], [3, 4, 1]]), ["", "a", "good", "film", "bad"]
    options: dict[str, Any] = {"names": ["first", "second"], "decode": vocabulary}
    with TorchProbe(Words(), tokens, tmp_path, **options) as probe:
        trace = probe.analyses["memory/l0"].trace
    assert trace.labels == (("a", "good", "film"), ("film", "bad", "a"))
    assert trace.sequence_names == ("first", "second")
    with TorchProbe(nn.GRU(3, 4), torch.ones(4, 2, 3), tmp_path / "b", labels="abcd") as probe:
        assert probe.analyses["l0"].trace.labels == (tuple("abcd"),) * 2  # the time is first


def test_accumulated_gradients_are_one_step(model: Model, tmp_path: Path) -> None:
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    with TorchProbe(model, X[:2], tmp_path, optimizer=optimizer, every=1):
        for batch in range(6):
            model(X).mean().backward()
            if batch % 3 == 2:
                optimizer.step()
    assert steps_in(tmp_path) == [0, 1, 2]


@pytest.mark.parametrize("fused", [False, True])
def test_steps_that_the_scaler_skips_do_not_count(
    model: Model, fused: bool, tmp_path: Path
) -> None:
    optimizer = torch.optim.SGD(model.parameters(), 0.1, fused=fused)
    scaler = torch.amp.GradScaler("cpu", init_scale=8.0)
    with TorchProbe(model, X[:2], tmp_path, optimizer=optimizer, every=1):
        for batch in range(5):
            optimizer.zero_grad()
            scaler.scale(model(X).mean()).backward()
            if batch in (1, 3):
                model.head.bias.grad.fill_(torch.inf)
            scaler.step(optimizer)
            scaler.update()
    assert steps_in(tmp_path) == [0, 1, 2, 3]


def test_a_resumed_training_continues_the_log(model: Model, tmp_path: Path) -> None:
    optimizer = torch.optim.Adam(model.parameters())
    with TorchProbe(model, X[:2], tmp_path, optimizer=optimizer, every=2):
        train(model, optimizer, 4)
    other = Model()
    other.load_state_dict(model.state_dict())
    resumed = torch.optim.Adam(other.parameters())
    resumed.load_state_dict(optimizer.state_dict())
    with TorchProbe(other, X[:2], tmp_path, optimizer=resumed, every=2) as probe:
        train(other, resumed, 3)
    assert probe.report.directory == tmp_path / "lstm_probe"
    assert sorted(set(steps_in(tmp_path))) == [0, 2, 4, 6, 7]


def test_options_are_those_of_every_callback(model: Model, tmp_path: Path) -> None:
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    with TorchProbe(
        model, X[:2], tmp_path, optimizer=optimizer, every=Logarithmic(per_decade=3),
        detail="scalars", labels="abcde", layers="memory", max_log_bytes=None,
    ):  # fmt: skip
        train(model, optimizer, 5)
    assert steps_in(tmp_path) == [0, 1, 2, 5]
    assert captured_steps(tmp_path, "memory/l0/gates/2_f") == []


def test_an_alert_asks_to_stop(model: Model, tmp_path: Path) -> None:
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    options: dict[str, Any] = {"optimizer": optimizer, "every": 1, "on_alert": "stop"}
    with TorchProbe(model, X[:2], tmp_path, **options) as probe:
        train(model, optimizer, 1)
        assert not probe.should_stop
        with torch.no_grad():
            model.memory.weight_hh_l0.fill_(torch.nan)
        train(model, optimizer, 4)  # an illness has to last
        assert probe.should_stop


def test_switched_off_it_is_nothing(model: Model, tmp_path: Path, monkeypatch: Any) -> None:
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    for options in ({"enabled": False}, {}):
        with TorchProbe("no model", None, tmp_path, optimizer=optimizer, **options) as probe:
            train(model, optimizer, 1)
            probe.step()
        assert probe.report.captured == 0
        assert probe.analyses == {}
        assert not probe.should_stop
        monkeypatch.setenv("LSTM_PROBE", "off")
    assert not list(tmp_path.iterdir())


def test_what_does_not_fit_is_refused_before_the_first_step(model: Model, tmp_path: Path) -> None:
    other = torch.optim.SGD(Model().parameters(), 0.1)
    with pytest.raises(LstmProbeError, match=r"trains another model.*SGD with 6 parameters"):
        TorchProbe(model, X, tmp_path, optimizer=other)
    with pytest.raises(LstmProbeError, match=r"does not tell of its steps\. Received: int"):
        TorchProbe(model, X, tmp_path, optimizer=3)
    with pytest.raises(LstmProbeError, match="no recurrent module"):
        TorchProbe(model.head, X, tmp_path)
    with pytest.raises(LstmProbeError, match="does not take the probe"):
        TorchProbe(model, X[..., :2], tmp_path)
    with pytest.raises(LstmProbeError, match=r"Received: 3 labels in one list.* 5 timesteps"):
        TorchProbe(model, X, tmp_path, labels="abc")
    with pytest.raises(LstmProbeError, match="every=0"):
        TorchProbe(model, X, tmp_path, every=0)
    assert not list(tmp_path.iterdir())
    TorchProbe(model, X, tmp_path).close()  # after all that, the model can be probed


def test_one_model_has_one_probe(model: Model, tmp_path: Path) -> None:
    with TorchProbe(model, X, tmp_path):
        with pytest.raises(LstmProbeError, match="probed already"):
            TorchProbe(model, X, tmp_path / "other")
        with pytest.raises(LstmProbeError, match="probed already"):
            TorchProbe(nn.DataParallel(model), X, tmp_path / "other")
    TorchProbe(model, X, tmp_path / "other").close()


def test_a_closed_probe_is_refused(
    model: Model, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    probe = TorchProbe(model, X, tmp_path)
    probe.close()
    probe.close()
    with pytest.raises(LstmProbeError, match=r"closed.*continues the log"), probe:
        pass
    with pytest.raises(LstmProbeError, match="closed"):
        probe.step()
    trained = TorchProbe(model, X, tmp_path)
    trained.step()
    trained.close()
    with caplog.at_level(logging.WARNING):
        trained.step()  # a training that goes on is not stopped
        trained.step()
    said = [record.getMessage() for record in caplog.records]
    assert said.count("lstm_probe: step() does nothing: the probe is closed.") == 1


def test_nothing_is_raised_into_the_optimizer(
    model: Model, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    with TorchProbe(model, X[:2], tmp_path, optimizer=optimizer, every=1) as probe:
        train(model, optimizer, 1)
        forward, model.forward = model.forward, None  # type: ignore[method-assign,assignment]
        optimizer.step()
        assert probe.report.failed == 1
        model.forward = forward  # type: ignore[method-assign]
        train(model, optimizer, 1)
    assert steps_in(tmp_path) == [0, 1, 3]
    assert "failed while capturing at step 2" in caplog.text
    assert model.training


def test_a_moved_model_is_followed(model: Model, tmp_path: Path) -> None:
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    probe = TorchProbe(model.double(), X[:2].numpy(), tmp_path, optimizer=optimizer, every=1)
    assert probe.analyses["memory/l0"].snapshot.dtype == "float64"
    probe.close()


def test_neither_keras_nor_tensorflow_is_imported(tmp_path: Path) -> None:
    code = """
        import sys
        from lstm_probe.callbacks import TorchProbe
        import torch
        model = torch.nn.LSTM(3, 4)
        TorchProbe(model, torch.ones(5, 1, 3), sys.argv[1]).close()
        print(*sorted({"keras", "tensorflow", "tf_keras", "jax", "lightning"} & set(sys.modules)))
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code), str(tmp_path)],
        capture_output=True, text=True, check=True, cwd=tmp_path,
    )  # fmt: skip
    assert done.stdout.strip() == ""


def test_what_is_reported_survives_the_end_of_the_process(tmp_path: Path) -> None:
    code = """
        import os, signal, sys, torch
        from lstm_probe.callbacks import TorchProbe
        model = torch.nn.LSTM(3, 4)
        optimizer = torch.optim.SGD(model.parameters(), 0.1)
        probe = TorchProbe(model, torch.ones(5, 1, 3), sys.argv[1], optimizer=optimizer, every=1)
        for _ in range(20):
            model(torch.ones(5, 1, 3))[0].mean().backward()
            optimizer.step()
            print(probe.report.captured, flush=True)
        os.kill(os.getpid(), signal.SIGKILL)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code), str(tmp_path)],
        capture_output=True, text=True, check=False, cwd=tmp_path, env={**os.environ},
    )  # fmt: skip
    assert done.returncode == -signal.SIGKILL
    reported = int(done.stdout.split()[-1])
    assert len(captured_steps(tmp_path, "l0/parity/max_abs_error")) == reported >= 15


def test_every_second_capture_is_analysed_and_the_training_goes_on(
    model: Model, tmp_path: Path
) -> None:
    other = deepcopy(model)
    options: dict[str, Any] = {"every": 2, "max_overhead": None, "analyses": ["ablation"]}
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    with TorchProbe(
        model, X[:4], tmp_path, optimizer=optimizer, analyses_every=2, **options
    ) as probe:
        train(model, optimizer, 6)
        assert probe.explained["memory/l0"].step == 4
    run = RunReader(tmp_path / "lstm_probe")
    assert run.findings_steps("memory/l0") == [0, 4, 6]
    train(other, torch.optim.SGD(other.parameters(), 0.1), 6)
    for one, without in zip(model.parameters(), other.parameters(), strict=True):
        assert torch.equal(one, without)
