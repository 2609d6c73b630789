"""The part of a PyTorch model after a layer: run as a pure function, with its exact gradient."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import lstm_probe
from lstm_probe.callbacks import TorchProbe
from lstm_probe.models.live import live_look


class Reads(nn.Module):
    """A recurrent module, and a head on its last step, on all steps, or on its final states."""

    def __init__(self, recurrent: Any, reads: str, width: int) -> None:
        super().__init__()
        self.recurrent, self.reads, self.head = recurrent, reads, nn.Linear(width, 2)
        self.noise = nn.Dropout(0.5)

    def forward(self, x: Any) -> Any:
        if not self.recurrent.batch_first:
            x = x.transpose(0, 1)
        steps, states = self.recurrent(x)
        if not self.recurrent.batch_first:
            steps = steps.transpose(0, 1)
        final = states[0] if isinstance(states, tuple) else states
        read = {"last": steps[:, -1], "all": steps.mean(1), "state": final[-1]}[self.reads]
        return {"score": self.head(self.noise(torch.tanh(read)))}


MODELS = {
    "lstm": lambda: Reads(nn.LSTM(3, 4, batch_first=True), "last", 4),
    "gru, time first": lambda: Reads(nn.GRU(3, 4), "all", 4),
    "rnn, states": lambda: Reads(nn.RNN(3, 4, batch_first=True), "state", 4),
    "both ways": lambda: Reads(nn.LSTM(3, 4, batch_first=True, bidirectional=True), "all", 8),
    "backwards state": lambda: Reads(nn.GRU(3, 4, bidirectional=True), "state", 4),
    "two layers": lambda: Reads(nn.LSTM(3, 4, 2, batch_first=True), "last", 4),
    "projected": lambda: Reads(nn.LSTM(3, 5, batch_first=True, proj_size=2), "last", 2),
}


def looked_at(name: str) -> tuple[Any, np.ndarray, Any, dict[str, Any], str]:
    torch.manual_seed(3)
    model = MODELS[name]()
    probe = np.random.default_rng(4).normal(size=(5, 6, 3)).astype(np.float32)
    look = live_look(model, probe)
    rests, why = look.rests()
    return model, probe, look.snapshots, rests, why


@pytest.mark.filterwarnings("ignore:LSTM with projections is not supported with oneDNN")
@pytest.mark.parametrize("name", MODELS)
def test_the_rest_gives_the_models_own_output_and_its_gradient(name: str) -> None:
    model, probe, snapshots, rests, why = looked_at(name)
    assert bool(why) == (name == "two layers")
    expected = model.eval()(torch.from_numpy(probe))["score"].detach().numpy()
    model.train()
    top = [each for each in snapshots if each.layer in rests]
    assert len(top) == len(rests) == (2 if "back" in name or "both" in name else 1)
    rng, moved = np.random.default_rng(0), 0.0
    for seen in top:
        rest, way = rests[seen.layer], rng.normal(size=seen.output.shape)
        assert rest.outputs(seen.output) == pytest.approx(expected, abs=1e-5)
        cotangent = rng.normal(size=expected.shape)
        ends = [(rest.outputs(seen.output + s * 0.01 * way) * cotangent).sum() for s in (1, -1)]
        slope = (ends[0] - ends[1]) / 0.02
        assert (rest.back(seen.output, cotangent) * way).sum() == pytest.approx(
            slope, rel=1e-2, abs=1e-3
        )
        moved = max(moved, abs(slope))
    assert moved > 0.01
    assert model.training
    assert not model.recurrent._forward_hooks


def test_nothing_of_the_model_or_of_random_numbers_changes() -> None:
    model, probe, *_ = looked_at("lstm")
    optimizer = torch.optim.Adam(model.parameters())
    model(torch.from_numpy(probe))["score"].sum().backward()
    before = {name: each.clone() for name, each in model.state_dict().items()}
    gradients = [each.grad.clone() for each in model.parameters()]
    state = torch.get_rng_state()
    found = lstm_probe.explain(model, probe, target=np.zeros((5, 2)))
    layer = found["recurrent/l0"]
    assert list(layer.findings)[:3] == ["ablation", "tracking", "attribution"]
    assert layer.findings["ablation"].loss is not None  # type: ignore[attr-defined]
    assert layer.findings["attribution"].word == "output"  # type: ignore[attr-defined]
    assert layer.findings["attribution"].incompleteness < 1e-4  # type: ignore[attr-defined]
    assert all(torch.equal(each, before[name]) for name, each in model.state_dict().items())
    assert all(
        torch.equal(each.grad, old)
        for each, old in zip(model.parameters(), gradients, strict=True)
        if each.grad is not None
    )
    assert torch.equal(torch.get_rng_state(), state)
    optimizer.step()


def test_a_layer_whose_rest_cannot_be_run_says_why() -> None:
    *_, rests, why = looked_at("two layers")
    assert list(rests) == ["recurrent/l1"]
    assert why == "The model after recurrent/l0 is not run: another layer of its module reads it."


def test_a_probe_explains_the_layers_when_it_is_closed(tmp_path: Any) -> None:
    model, probe, *_ = looked_at("lstm")
    optimizer = torch.optim.Adam(model.parameters())
    x = torch.from_numpy(probe)
    with TorchProbe(
        model, x, tmp_path, optimizer=optimizer, every=2, analyses=["ablation", "attribution"]
    ) as shown:
        for _ in range(4):
            optimizer.zero_grad()
            model(x)["score"].square().mean().backward()
            optimizer.step()
    layer = shown.explained["recurrent/l0"]
    assert layer.findings["ablation"].step == 4  # type: ignore[attr-defined]
    assert layer.findings["ablation"].output_norm > 0  # type: ignore[attr-defined]
    assert layer.findings["attribution"].word == "output"  # type: ignore[attr-defined]
