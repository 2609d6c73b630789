"""Live modules, and checkpoints of PyTorch's trainers, in `inspect` and on the command line."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from event_reading import captured_steps
from torch import nn
from typer.testing import CliRunner

import lstm_probe
from lstm_probe.cli.app import app
from lstm_probe.core.errors import LstmProbeError

X = torch.randn(2, 5, 3, generator=torch.Generator().manual_seed(2))


class Model(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.memory, self.head = nn.LSTM(3, 4, batch_first=True), nn.Linear(4, 1)

    def forward(self, x: Any) -> Any:
        return self.head(self.memory(x)[0])


class Harmful:
    """Leaves a file behind where a pickle of it is run."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.path),)


def checkpoint(path: Path, model: nn.Module, *, step: int = 30, **others: Any) -> Path:
    """As Lightning's `Trainer.save_checkpoint` writes it."""
    optimizer = torch.optim.Adam(model.parameters())
    model(X).mean().backward()
    optimizer.step()
    held = {
        "epoch": 2, "global_step": step, "pytorch-lightning_version": "2.6.6",
        "state_dict": model.state_dict(), "optimizer_states": [optimizer.state_dict()],
        "callbacks": {}, "loops": {}, "lr_schedulers": [], **others,
    }  # fmt: skip
    torch.save(held, path)
    return path


def test_live_modules_are_inspected_and_captured() -> None:
    model = Model().train()
    analysis = lstm_probe.inspect(model, X.numpy())["memory/l0"]
    assert analysis.parity is not None
    assert str(analysis.parity.verdict) == "match"
    assert list(lstm_probe.capture(model, X, layers=["memory"])) == ["memory/l0"]
    assert model.training
    with pytest.raises(LstmProbeError, match="no recurrent module"):
        lstm_probe.inspect(model.head, X)


def test_hyper_parameters_of_a_checkpoint_are_ignored_and_nothing_is_run(tmp_path: Path) -> None:
    model, trap = Model(), tmp_path / "trap"
    path = checkpoint(
        tmp_path / "last.ckpt", model,
        hyper_parameters={"units": 4, "harm": Harmful(trap), "path": Path("data"), "kind": Model},
        callbacks={"early": {"function": torch.nn.functional.relu, "set": {1, 2}}},
    )  # fmt: skip
    analysis = lstm_probe.inspect(path, X.numpy())["memory"]
    assert not trap.exists()
    assert analysis.snapshot.step == 30
    alive = lstm_probe.capture(model, X)["memory/l0"]
    assert np.allclose(analysis.trace.h, alive.output, atol=1e-6)


def test_what_is_no_checkpoint_of_lightning_is_refused_as_before(tmp_path: Path) -> None:
    trap = tmp_path / "trap"
    torch.save({"state_dict": Model().state_dict(), "harm": Harmful(trap)}, tmp_path / "a.pt")
    torch.save(Model(), tmp_path / "b.pt")
    within = {**Model().state_dict(), "harm": Harmful(trap)}
    checkpoint(tmp_path / "c.ckpt", Model(), state_dict=within)
    for name in ("a.pt", "b.pt", "c.ckpt"):
        with pytest.raises(LstmProbeError, match=r"more than tensors.*Nothing was run"):
            lstm_probe.inspect(tmp_path / name, X.numpy())
    assert not trap.exists()


def test_a_folder_of_checkpoints_is_replayed_under_their_steps(tmp_path: Path) -> None:
    folder = tmp_path / "checkpoints"
    folder.mkdir()
    model = Model()
    for epoch, step in ((0, 10), (1, 20), (2, 35)):
        with torch.no_grad():
            model.memory.weight_hh_l0.add_(0.1)
        name = f"epoch={2 - epoch}.ckpt"  # the names would tell another order
        checkpoint(folder / name, model, step=step, hyper_parameters={"path": Path("data")})
    np.save(tmp_path / "probe.npy", X.numpy())
    done = CliRunner().invoke(
        app,
        [
            "replay",
            str(folder),
            "--probe",
            str(tmp_path / "probe.npy"),
            "-o",
            str(tmp_path / "log"),
        ],
    )
    assert done.exit_code == 0, done.output
    assert captured_steps(tmp_path / "log", "memory/gates/2_f") == [10, 20, 35]


def test_the_command_line_inspects_a_checkpoint(tmp_path: Path) -> None:
    path = checkpoint(tmp_path / "last.ckpt", Model(), hyper_parameters={"kind": Model})
    done = CliRunner().invoke(app, ["inspect", str(path), "--random", "1,5,3", "--json"])
    assert done.exit_code == 0, done.output
    said = json.loads(done.output)
    assert (said["step"], list(said["layers"])) == (30, ["memory"])
