"""Nothing is left of a capture: trainings with and without the probe, bit by bit."""

from __future__ import annotations

import copy
import io
import itertools
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch_zoo import ZOO, trained

from lstm_probe.callbacks import TorchProbe
from lstm_probe.core.errors import LstmProbeError
from lstm_probe.models.torch.purity import TorchTrial
from lstm_probe.models.torch.reader import TorchReader

pytestmark = pytest.mark.filterwarnings("ignore:`torch.nn.utils.weight_norm` is deprecated")

#: Where the protection is taken out, these notice; all of the zoo is trained in the long tests.
SAMPLE = [
    "plain", "hidden state carried", "BatchNorm that is frozen", "weight_norm, old", "buffer",
    "torch.Generator", "random", "hook that appends", "autocast around all", "parameters renormed",
    "background", "accumulated",
]  # fmt: skip


def differences(name: str, log_dir: Path) -> tuple[list[str], list[str]]:
    """What differs between two trainings without the probe, and between one and that with it."""
    control, again, probed = trained(name, None), trained(name, None), trained(name, log_dir)
    assert len(control) > 20

    def unequal(other: dict[str, Any]) -> list[str]:
        names = dict.fromkeys([*control, *other])
        return [key for key in names if control.get(key, ...) != other.get(key, ...)]

    return unequal(again), unequal(probed)


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=() if n in SAMPLE else pytest.mark.long) for n in ZOO]
)
def test_nothing_is_left_of_a_capture(name: str, tmp_path: Path) -> None:
    control, probed = differences(name, tmp_path)
    assert control == []
    assert probed == []


def test_the_zoo_is_large_enough() -> None:
    assert len(ZOO) >= 30


@pytest.mark.parametrize(
    ("name", "broken"),
    [
        ("buffer", "restore"),
        ("hidden state carried", "restore"),
        ("random", "random"),
        ("plain", "inference"),
        ("parameters renormed", "restore"),
    ],
)
def test_what_is_compared_would_notice(
    name: str, broken: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the protection, the trainings differ: the test above can fail."""
    from contextlib import nullcontext

    from lstm_probe.models.torch import purity, reader

    if broken == "restore":
        monkeypatch.setattr(TorchTrial, "later", lambda self: nullcontext())
    if broken == "random":
        monkeypatch.setattr(purity, "restored", nullcontext)
        monkeypatch.setattr("lstm_probe.models.purity.trial.restored", nullcontext)
    if broken == "inference":
        monkeypatch.setattr(reader, "inference", lambda *_: torch.no_grad())
    _, probed = differences(name, tmp_path)
    assert probed


def test_what_cannot_be_put_back_is_refused_before_the_first_step(tmp_path: Path) -> None:
    class Drawing(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.memory = nn.LSTM(3, 4, batch_first=True)
            self.numbers = (number**2 for number in itertools.count())

        def forward(self, x: Any) -> Any:
            return self.memory(x * next(self.numbers))[0]

    with pytest.raises(LstmProbeError, match="'numbers' of module 'Drawing' on"):
        TorchProbe(Drawing(), torch.ones(1, 5, 3), tmp_path)


class Model(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.memory, self.head = nn.LSTM(3, 4, batch_first=True), nn.Linear(4, 1)

    def forward(self, x: Any) -> Any:
        return self.head(self.memory(x)[0])


def test_a_model_is_saved_copied_and_pickled_while_it_is_probed(tmp_path: Path) -> None:
    model = Model()
    optimizer = torch.optim.Adam(model.parameters())
    x = torch.ones(2, 5, 3)
    with TorchProbe(model, x, tmp_path, optimizer=optimizer, every=1) as probe:
        model(x).mean().backward()
        optimizer.step()
        file = io.BytesIO()
        torch.save(model, file)
        file.seek(0)
        copies = [
            torch.load(file, weights_only=False),
            copy.deepcopy(model),
            pickle.loads(pickle.dumps(model)),
        ]
        for each in copies:
            assert torch.equal(each(x), model(x))
            assert not any(module._forward_hooks for module in each.modules())
        other = copy.deepcopy(optimizer)
        other.step()
        pickle.dumps(optimizer.state_dict())
        assert probe.report.captured == 2  # the copy's steps are not the training's
    assert not optimizer._optimizer_step_post_hooks


def test_outputs_may_be_used_in_a_later_backward(tmp_path: Path) -> None:
    """What a model keeps of a pass of ours is put back, and never a tensor of inference mode."""

    class Keeping(Model):
        last: Any = None

        def forward(self, x: Any) -> Any:
            output = super().forward(x)
            self.last, before = output, self.last
            return output if before is None else output + before

    model = Keeping()
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    with TorchProbe(model, torch.ones(2, 5, 3), tmp_path, optimizer=optimizer, every=1) as probe:
        for _ in range(3):
            optimizer.zero_grad()
            model(torch.ones(2, 5, 3)).mean().backward(retain_graph=True)
            model.last = model.last.detach().requires_grad_()
            optimizer.step()
            assert model.last.requires_grad
    assert probe.report.failed == 0


def test_a_backward_may_come_after_a_capture(tmp_path: Path) -> None:
    """A capture between forward and backward changes neither values nor version counters."""
    gradients = []
    for probed in (False, True):
        torch.manual_seed(3)
        model = nn.Sequential(nn.BatchNorm1d(5), Model())
        loss = model(torch.ones(4, 5, 3) * torch.arange(4.0)[:, None, None]).square().mean()
        if probed:
            TorchReader(model, torch.ones(2, 5, 3)).take(step=0)
        loss.backward()
        gradients.append([p.grad.numpy().tobytes() for p in model.parameters()])
    assert gradients[0] == gradients[1]


def test_only_the_probed_modules_are_copied() -> None:
    model = nn.Sequential(nn.Linear(3, 3), nn.LSTM(3, 4, batch_first=True))
    model.large = nn.Linear(2000, 2000)  # 16 MB
    reader = TorchReader(model, torch.ones(2, 5, 3), forward=lambda m, x: m[1](m[0](x)))
    taken = reader.take(step=0)
    (snapshot,) = taken.snapshots()
    arrays = list(model[1].parameters())
    own = sum(p.numel() for p in arrays) + 2 * 5 * (3 + 4) + 2 * 2 * 4
    assert taken.heard.copies.nbytes == 4 * own
    with torch.no_grad():
        model[1].weight_ih_l0.zero_()
    assert np.abs(snapshot.weights.kernel).max() > 0  # type: ignore[union-attr]
