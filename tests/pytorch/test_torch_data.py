"""The probe's own data in logs of PyTorch: inputs, targets, and what the model gives."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from lstm_probe.callbacks import TorchProbe
from lstm_probe.core.errors import LstmProbeError
from lstm_probe.logs.stored.reader import RunReader

X = torch.randn(8, 5, 3, generator=torch.Generator().manual_seed(2))
Y = torch.arange(8) % 4


class Classifier(nn.Module):
    """Four classes of whole sequences; its LSTM takes the batch first, or the time."""

    def __init__(self, batch_first: bool = True, named: bool = False) -> None:
        super().__init__()
        self.memory, self.head = nn.LSTM(3, 4, batch_first=batch_first), nn.Linear(4, 4)
        self.batch_first, self.named = batch_first, named

    def forward(self, x: Any) -> Any:
        steps = self.memory(x)[0]
        logits = self.head(steps[:, -1] if self.batch_first else steps[-1])
        return {"logits": logits, "loss": logits.sum()} if self.named else logits


def train(model: Any, x: Any = X, steps: int = 3) -> list[float]:
    optimizer, losses = torch.optim.Adam(model.parameters(), 0.1), []
    for _ in range(steps):
        optimizer.zero_grad()
        out = model(x)
        loss = nn.functional.cross_entropy(out["logits"] if model.named else out, Y)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


def probed(directory: Path, probe: Any, model: Any, x: Any = X, **options: Any) -> RunReader:
    with TorchProbe(model, probe, directory, every=1, max_overhead=None, **options) as watch:
        train(model, x)
        watch.step(3)
    return RunReader(directory / "lstm_probe")


@pytest.mark.parametrize("named", [False, True])
@pytest.mark.parametrize("form", ["pair", "option"])
def test_inputs_targets_and_outputs_are_logged(form: str, named: bool, tmp_path: Path) -> None:
    model = Classifier(named=named)
    options = {"targets": Y} if form == "option" else {}
    run = probed(tmp_path, X if form == "option" else (X, Y), model, **options)
    stored, capture = run.probe(), run.capture("memory/l0", 3)
    assert stored is not None
    np.testing.assert_array_equal(stored.arrays["inputs/0"], X.numpy())
    assert stored.arrays["targets/0"].ravel().tolist() == Y.tolist()
    name = "logits" if named else ""
    assert capture.meta["outputs"] == [{"name": name, "shape": [4]}]
    out = model(X)
    logits = (out["logits"] if named else out).detach().numpy()
    np.testing.assert_allclose(capture.arrays["output/0"], logits, atol=1e-6)
    assert np.abs(run.capture("memory/l0", 0).arrays["output/0"] - logits).max() > 0.01


def test_the_batch_comes_first_where_the_module_reads_the_time_first(tmp_path: Path) -> None:
    x = X.transpose(0, 1).contiguous()
    run = probed(tmp_path, (x, Y), Classifier(batch_first=False), x)
    stored = run.probe()
    assert stored is not None
    np.testing.assert_array_equal(stored.arrays["inputs/0"], X.numpy())
    assert run.capture("memory/l0", 3).arrays["output/0"].shape == (8, 4)


def test_a_second_argument_of_the_forward_is_no_target(tmp_path: Path) -> None:
    class Gated(Classifier):
        def forward(self, x: Any, scale: Any = None) -> Any:
            return super().forward(x if scale is None else x * scale)

    run = probed(tmp_path, (X, torch.ones(8, 5, 1)), Gated())
    stored = run.probe()
    assert stored is not None
    assert (len(stored.meta["inputs"]), stored.meta["targets"]) == (2, [])


def test_a_model_that_is_a_recurrent_module_has_no_output_of_its_own(tmp_path: Path) -> None:
    model = nn.GRU(3, 4, batch_first=True)
    TorchProbe(model, X, tmp_path, targets=Y).close()
    run = RunReader(tmp_path / "lstm_probe")
    assert run.probe() is not None
    assert "outputs" not in run.capture("l0", 0).meta


def test_nothing_is_logged_of_data_that_shall_not_be(tmp_path: Path) -> None:
    run = probed(tmp_path, (X, Y), Classifier(), log_data=False, detail="full")
    assert run.probe() is None
    assert "outputs" not in run.capture("memory/l0", 3).meta
    [file] = (tmp_path / "lstm_probe").glob("*tfevents*")
    content = file.read_bytes()
    for row in X.reshape(-1, 3).numpy():
        for kind in ("f2", "f4", "f8"):
            assert row.astype(kind).tobytes() not in content


def test_targets_that_do_not_fit_are_refused_before_the_training(tmp_path: Path) -> None:
    for options in ({"probe": (X, Y[:3])}, {"probe": X, "targets": Y[:3]}):
        with pytest.raises(LstmProbeError, match=r"targets with 3 of them.*its 8 sequences"):
            TorchProbe(Classifier(), log_dir=tmp_path, **options)
    assert not list(tmp_path.rglob("*tfevents*"))


def test_not_a_bit_of_the_training_changes(tmp_path: Path) -> None:
    trained = []
    for is_probed in (False, True):
        torch.manual_seed(0)
        model = Classifier()
        if is_probed:
            probe = TorchProbe(model, (X, Y), tmp_path, every=1, max_overhead=None)
            losses = train(model)
            probe.step(3)
            probe.close()
        else:
            losses = train(model)
        trained.append((losses, [each.detach().numpy() for each in model.parameters()]))
    assert trained[0][0] == trained[1][0]
    for without, with_probe in zip(trained[0][1], trained[1][1], strict=True):
        np.testing.assert_array_equal(without, with_probe)
