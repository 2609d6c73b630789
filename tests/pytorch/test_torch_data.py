"""The probe's own data in logs of PyTorch: inputs, targets, and what the model gives."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from lstm_probe import Probes, inspect
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
    values = capture.arrays["output/0"]
    told = {"name": name, "shape": [4], "range": capture.meta["outputs"][0]["range"]}
    assert capture.meta["outputs"] == [told]
    assert told["range"][0] <= values.min() < values.max() <= told["range"][1]
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


@pytest.mark.parametrize("form", ["batch first", "time first", "packed", "dict"])
def test_named_probes_are_one_batch_and_are_told_apart(form: str, tmp_path: Path) -> None:
    model: Any = Classifier(batch_first=form != "time first")
    parts: dict[str, Any] = {"train": X[:3], "validation": X[3:5]}
    x = X
    if form == "time first":
        parts, x = {name: each.swapaxes(0, 1) for name, each in parts.items()}, X.swapaxes(0, 1)
    elif form == "packed":
        pack = nn.utils.rnn.pack_sequence
        parts = {"train": pack([X[0], X[1], X[2]]), "validation": pack([X[3], X[4]])}
        model.forward = lambda x: model.head(model.memory(x)[1][0][0])
    elif form == "dict":
        parts = {name: {"x": each} for name, each in parts.items()}
    targets = {"train": Y[:3], "validation": Y[3:5]}
    probes = Probes({name: (each, targets[name]) for name, each in parts.items()})
    with TorchProbe(model, probes, tmp_path, every=1, max_overhead=None) as watch:
        train(model, x)
        watch.step(3)
    run = RunReader(tmp_path / "lstm_probe")
    capture = run.capture("memory/l0", 3)
    assert capture.meta["groups"] == [["train", 3], ["validation", 2]]
    np.testing.assert_array_equal(run.probe().arrays["inputs/0"], X[:5].numpy())
    with torch.no_grad():
        right = (Classifier.forward(model, x).argmax(dim=1) == Y)[:5].tolist()
    outcomes = [(each["probe"], each["right"], each["of"]) for each in run.course[-1].outcomes]
    assert outcomes == [("train", sum(right[:3]), 3), ("validation", sum(right[3:]), 2)]


def test_a_bare_module_and_inspect_take_named_probes() -> None:
    module = nn.GRU(3, 4)  # (time, batch, features)
    x = torch.randn(5, 5, 3)
    found = inspect(module, Probes(a=x[:, :2], b=x[:, 2:]))["l0"]
    assert found.trace.groups == (("a", 2), ("b", 3))
    np.testing.assert_array_equal(found.trace.h, inspect(module, x)["l0"].trace.h)


@pytest.mark.parametrize(
    ("probes", "said"),
    [
        (Probes(a=X[:2], b=X[2:4, :, :2]), "do not fit together.*'b': torch.float32"),
        (Probes(a=X[:2], b={"x": X[:2]}), "do not fit together.*one form of input"),
        (Probes(a=({"x": X[:2], "n": Y[:3]}, None)), "not known how many sequences"),
        (Probes(a=(X[:2], Y[:2]), b=X[2:4]), "Some probes have targets"),
    ],
)
def test_named_probes_that_do_not_fit_are_refused(probes: Any, said: str, tmp_path: Path) -> None:
    with pytest.raises(LstmProbeError, match=said):
        TorchProbe(Classifier(), probes, tmp_path)
