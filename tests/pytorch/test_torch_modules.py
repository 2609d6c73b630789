"""What is found and shown of PyTorch's modules, wherever they stand and however they are called."""

from __future__ import annotations

import copy
import sys
import warnings
from collections.abc import Callable
from dataclasses import fields, replace
from typing import Any

import numpy as np
import pytest
import torch
from processors import in_bfloat16
from torch import nn
from torch.nn.utils import parametrizations, prune
from torch.nn.utils.rnn import pack_sequence

import lstm_probe
from lstm_probe import Snapshot, analyse
from lstm_probe.cells import custom
from lstm_probe.core.errors import LstmProbeError
from lstm_probe.models.torch.reader import TorchReader, capture_torch

X = torch.randn(2, 6, 3, generator=torch.Generator().manual_seed(1))


@pytest.fixture(autouse=True)
def seeded() -> None:
    torch.manual_seed(5)


def verdicts(snapshots: list[Snapshot]) -> dict[str, str]:
    found = {}
    for snapshot in snapshots:
        parity = analyse(snapshot).parity
        found[snapshot.layer] = "none" if parity is None else str(parity.verdict)
    return found


def matches(model: nn.Module, probe: Any = X, **options: Any) -> dict[str, Snapshot]:
    """The snapshots by name, all of which match."""
    snapshots = capture_torch(model, probe, **options)
    assert set(verdicts(snapshots).values()) == {"match"}, verdicts(snapshots)
    return {snapshot.layer: snapshot for snapshot in snapshots}


class Encoder(nn.Module):
    """Recurrent modules below each other, in lists, and in a sequence."""

    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(3, 4, 2, batch_first=True, bidirectional=True)
        self.list = nn.ModuleList([nn.GRU(8, 5, batch_first=True), nn.RNN(5, 2, batch_first=True)])
        self.head = nn.Sequential(nn.Linear(2, 2), nn.ReLU())

    def forward(self, x: Any) -> Any:
        x = self.lstm(x)[0]
        for each in self.list:
            x = each(x)[0]
        return self.head(x)


def test_names_are_those_of_named_modules() -> None:
    model = nn.Sequential(Encoder(), nn.Identity())
    assert list(matches(model)) == [
        "0.lstm/l0", "0.lstm/l0_reverse", "0.lstm/l1", "0.lstm/l1_reverse",
        "0.list.0/l0", "0.list.1/l0",
    ]  # fmt: skip


@pytest.mark.parametrize("chosen", [["list.0"], ["list.0/l0"], "list.0"])
def test_layers_are_chosen_by_name(chosen: Any) -> None:
    names = [chosen] if isinstance(chosen, str) else chosen
    assert list(matches(Encoder(), layers=names)) == ["list.0/l0"]
    assert list(matches(Encoder(), layers=["lstm/l1_reverse"])) == ["lstm/l1_reverse"]


def test_what_is_named_wrongly_is_refused() -> None:
    with pytest.raises(LstmProbeError, match=r"no module of that name.*'lstm', 'list.0', 'list.1'"):
        capture_torch(Encoder(), X, layers=["memory"])
    with pytest.raises(LstmProbeError, match=r"No layer .* is chosen"):
        capture_torch(Encoder(), X, layers=["lstm/l7"])


class ByHand(nn.Module):
    """Cells in a loop; `change` is done to the states between the steps."""

    def __init__(self, change: Callable[[Any], Any] = lambda state: state) -> None:
        super().__init__()
        self.lower, self.upper = nn.LSTMCell(3, 4), nn.GRUCell(4, 5)
        self.change = change

    def forward(self, x: Any) -> Any:
        state = h = None
        for t in range(x.shape[1]):
            state = self.lower(x[:, t], state)
            h = self.upper(state[0], h)
            h = self.change(h)
        return h


def test_steps_of_cells_are_one_trace() -> None:
    found = matches(ByHand())
    assert {name: each.x.shape for name, each in found.items()} == {
        "lower": (2, 6, 3),
        "upper": (2, 6, 4),
    }
    assert np.array_equal(found["lower"].x, X.numpy())
    assert np.array_equal(found["upper"].x, found["lower"].output)


def test_steps_are_joined_also_when_the_states_are_not_finite() -> None:
    model = ByHand()
    nn.init.constant_(model.lower.bias_hh, torch.nan)
    assert [each.x.shape for each in capture_torch(model, X)] == [(2, 6, 3), (2, 6, 4)]


def test_a_state_that_the_loop_changes_begins_another_sequence() -> None:
    found = matches(ByHand(lambda h: h * 0.5))
    assert found["lower"].timesteps == 6
    assert [name for name in found if name.startswith("upper")] == [
        "upper", *(f"upper/call_{number}" for number in range(2, 7)),
    ]  # fmt: skip
    state = found["upper/call_3"].initial_state
    assert state is not None
    assert np.array_equal(state[0], 0.5 * found["upper/call_2"].output[:, -1])


def test_many_short_sequences_are_a_batch() -> None:
    found = matches(ByHand(lambda h: h * 0.5), X.repeat(1, 3, 1))
    assert found["upper"].x.shape == (36, 1, 4)


class OneStepAtATime(nn.Module):
    """A decoder: `nn.LSTM` is called once for each step."""

    def __init__(self, layers: int = 1) -> None:
        super().__init__()
        self.lstm = nn.LSTM(3, 4, layers)

    def forward(self, x: Any) -> Any:
        state, outputs = None, []
        for t in range(x.shape[1]):
            output, state = self.lstm(x[:, t][None], state)
            outputs.append(output)
        return torch.cat(outputs)


@pytest.mark.parametrize("layers", [1, 2])
def test_calls_that_go_on_from_each_other_are_one_trace(layers: int) -> None:
    found = matches(OneStepAtATime(layers))
    assert [each.timesteps for each in found.values()] == [6] * layers


class Twice(nn.Module):
    """One module on two inputs, under two names."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.LSTM(3, 4, batch_first=True)
        self.second = self.first

    def forward(self, x: Any) -> Any:
        return self.first(x)[0] + self.second(x.flip(1))[0]


def test_a_shared_module_has_one_name_and_a_place_for_each_call() -> None:
    found = matches(Twice())
    assert list(found) == ["first/l0", "first/l0/call_2"]
    assert np.array_equal(found["first/l0/call_2"].x, X.flip(1).numpy())


def test_tied_weights_are_shown_in_both_modules() -> None:
    model = nn.ModuleDict({"a": nn.GRU(3, 3), "b": nn.GRU(3, 3)})
    model["b"].weight_hh_l0 = model["a"].weight_hh_l0
    reader = TorchReader(model, X, forward=lambda m, x: m["b"](m["a"](x)[0]))
    found = {each.layer: each for each in reader.take(step=0).snapshots()}
    assert set(verdicts(list(found.values())).values()) == {"match"}
    a, b = (found[name].weights.recurrent_kernel for name in ("a/l0", "b/l0"))  # type: ignore[union-attr]
    assert np.array_equal(a, b)


NORMED: dict[str, Callable[[nn.Module], Any]] = {
    "weight_norm": lambda m: parametrizations.weight_norm(m, "weight_hh_l0"),
    "spectral_norm": lambda m: parametrizations.spectral_norm(m, "weight_hh_l0"),
    "orthogonal": lambda m: parametrizations.orthogonal(m, "weight_ih_l0"),
    "pruned": lambda m: prune.random_unstructured(m, "weight_hh_l0", 0.5),
}


@pytest.mark.parametrize("name", NORMED)
def test_weights_are_those_that_the_module_computes_with(name: str) -> None:
    model = nn.LSTM(3, 4, batch_first=True)
    NORMED[name](model)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(1.7)
    model(X)  # which computes the weights anew
    (found,) = matches(model).values()
    own = model.weight_hh_l0.detach().numpy()
    assert np.allclose(lstm_probe.weights.to_torch(found.weights)["weight_hh_l0"], own)


@pytest.mark.filterwarnings("ignore:`torch.nn.utils.weight_norm` is deprecated")
def test_weights_of_the_old_weight_norm_are_put_back_as_they_were() -> None:
    model = nn.utils.weight_norm(nn.LSTM(3, 4, batch_first=True), "weight_hh_l0")
    model(X)
    before = model.weight_hh_l0
    assert before.requires_grad
    matches(model)
    assert model.weight_hh_l0 is before
    assert model._flat_weights[1] is before


class Scaled(nn.Module):
    """A layer whose equations nobody knows, until they are registered."""

    batch_first = True

    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.Linear(3, 4)
        self.decay = nn.Parameter(torch.rand(4))

    def forward(self, x: Any, state: Any = None) -> Any:
        state = x.new_zeros(len(x), 4) if state is None else state
        outputs = []
        for t in range(x.shape[1]):
            state = self.decay * state + torch.tanh(self.inner(x[:, t]))
            outputs.append(state)
        return torch.stack(outputs, 1), state


class ScaledCell(Scaled):
    def forward(self, x: Any, state: Any = None) -> Any:
        state = x.new_zeros(len(x), 4) if state is None else state
        return self.decay * state + torch.tanh(self.inner(x))


class InALoop(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.cell = ScaledCell()

    def forward(self, x: Any) -> Any:
        state = None
        for t in range(x.shape[1]):
            state = self.cell(x[:, t], state)
        return state


def _recurrence(x: Any, states: Any, weights: Any) -> Any:
    g = np.tanh(x @ weights["inner.weight"].T + weights["inner.bias"])
    h = weights["decay"] * states[0] + g
    return {"g": g, "h": h}, [h]


@pytest.mark.parametrize(("kind", "model"), [("Scaled", Scaled), ("ScaledCell", InALoop)])
def test_a_registered_module_shows_its_gates(
    kind: str, model: Callable[[], nn.Module], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(custom, "_registered", {})
    with pytest.raises(LstmProbeError, match="no recurrent module"):
        capture_torch(model(), X)
    lstm_probe.register_cell(kind, ranges={"g": (-1, 1), "h": None})(_recurrence)
    (found,) = matches(model()).values()
    assert set(analyse(found).trace.arrays) == {"g", "h"}
    assert found.x.shape == (2, 6, 3)


@pytest.mark.parametrize("model", [Scaled, InALoop])
def test_a_module_that_is_named_shows_its_output_alone(model: Callable[[], nn.Module]) -> None:
    name = "" if model is Scaled else "cell"
    (found,) = capture_torch(model(), X, layers=[name])
    assert verdicts([found]) == {found.layer: "none"}
    assert found.output.shape[0] == 2


class Dropped(nn.LSTM):
    def forward(self, x: Any, hx: Any = None) -> Any:
        return super().forward(2 * x, hx)


def test_a_subclass_that_computes_something_else_is_not_recomputed() -> None:
    class Same(nn.LSTM):
        """Computes as nn.LSTM does."""

    assert verdicts(capture_torch(Same(3, 4, batch_first=True), X)) == {"l0": "match"}
    assert verdicts(capture_torch(Dropped(3, 4, batch_first=True), X)) == {"Dropped": "none"}


def test_compiled_models_show_their_modules() -> None:
    model = Encoder()
    names = list(matches(model))
    assert list(matches(torch.compile(model, backend="eager"))) == names
    inside = nn.Sequential(torch.compile(nn.GRU(3, 4, batch_first=True), backend="eager"))
    inside(X)
    assert list(matches(inside)) == ["0/l0"]
    model.compile(backend="eager")
    model(X)
    assert list(matches(model)) == names


def test_compiled_models_are_not_compiled_anew_because_of_captures() -> None:
    compiled = []

    def backend(graph: Any, example: Any) -> Any:
        compiled.append(graph)
        return graph.forward

    torch.compiler.reset()
    model = nn.Sequential(nn.Linear(3, 3), nn.Dropout(0.5))
    whole = nn.Sequential(model, nn.GRU(3, 4, batch_first=True))
    fast = torch.compile(model, backend=backend)
    fast(X)
    count = len(compiled)
    reader = TorchReader(whole, X)
    for step in range(3):
        reader.take(step=step)
        fast(X)
    assert len(compiled) == count >= 1


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_scripted_models_are_refused_and_the_way_is_named() -> None:
    class Plain(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.lstm = nn.LSTM(3, 4, batch_first=True)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.lstm(x)[0]

    model = Plain()
    scripted = torch.jit.script(model)
    for refused in (scripted, nn.Sequential(scripted)):
        with pytest.raises(LstmProbeError, match=r"torch\.jit\.script was given.*same parameters"):
            capture_torch(refused, X)
    with torch.no_grad():  # the way that is named: they do have the same parameters
        scripted.lstm.weight_hh_l0.zero_()
    assert not matches(model)["lstm/l0"].weights.recurrent_kernel.any()  # type: ignore[union-attr]


def test_probes_are_tensors_tuples_dicts_arrays_and_packed_sequences() -> None:
    lstm = nn.LSTM(3, 4)
    state = (torch.rand(1, 6, 4), torch.rand(1, 6, 4))
    for probe in (X, X.numpy(), X.double().numpy(), {"input": X}, (X, state), [[[0.1, 0.2, 0.3]]]):
        assert list(matches(lstm, probe)) == ["l0"]
    given = matches(lstm, {"input": X, "hx": state})["l0"].initial_state
    assert given is not None
    assert np.array_equal(given[1], state[1][0].numpy())
    packed = pack_sequence([X[0], X[1, :4]])
    mask = matches(lstm, packed)["l0"].mask
    assert mask is not None
    assert mask.sum(1).tolist() == [6, 4]


def test_a_tuple_is_one_argument_where_the_model_takes_one() -> None:
    class Pair(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.lstm = nn.LSTM(3, 4, batch_first=True)

        def forward(self, both: Any) -> Any:
            return self.lstm(both["x"] if isinstance(both, dict) else both[0] + both[1])

    assert matches(Pair(), (X, X))["lstm/l0"].x.max() == 2 * X.max()
    assert list(matches(Pair(), {"x": X, "y": X})) == ["lstm/l0"]


def test_the_probe_is_the_input_of_the_layer_or_of_a_function() -> None:
    model = nn.ModuleDict({"embed": nn.Linear(7, 3), "lstm": nn.LSTM(3, 4, batch_first=True)})
    for options in ({"at": "layer"}, {"forward": lambda m, x: m["lstm"](x)}):
        reader = TorchReader(model, X, **options)
        (found,) = reader.take(step=0).snapshots()
        assert np.array_equal(found.x, X.numpy())
    with pytest.raises(LstmProbeError, match="needs one recurrent module"):
        TorchReader(Encoder(), X, at="layer")
    with pytest.raises(LstmProbeError, match="at='top'"):
        TorchReader(Encoder(), X, at="top")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("probe", "message"),
    [
        (torch.zeros(2, 0, 3), "The probe is empty"),
        (torch.full((2, 6, 3), torch.nan), "not finite. Received: 36 NaN"),
        (torch.zeros(2, 6, 9), "does not take the probe. Received: a probe of shape .2, 6, 9."),
        ("words", "holds no tensor"),
    ],
)
def test_probes_that_do_not_fit_are_refused(probe: Any, message: str) -> None:
    with pytest.raises(LstmProbeError, match=message):
        capture_torch(Encoder(), probe)


def test_models_that_do_not_fit_are_refused() -> None:
    with pytest.raises(LstmProbeError, match=r"no recurrent module.*Linear"):
        capture_torch(nn.Sequential(nn.Linear(3, 3)), X)
    with pytest.raises(LstmProbeError, match="Received: ndarray"):
        capture_torch(np.zeros(3), X)
    unused = nn.Sequential(nn.Linear(3, 3))
    unused.lstm = nn.LSTM(3, 4)
    with pytest.raises(LstmProbeError, match="none of them called"):
        TorchReader(unused, X, forward=lambda m, x: m[0](x))


def test_modules_inside_layers_of_keras_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    if "keras" not in sys.modules:
        monkeypatch.setenv("KERAS_BACKEND", "torch")
    keras = pytest.importorskip("keras")
    if keras.backend.backend() != "torch":
        pytest.skip("Keras runs on another backend")
    wrapped = keras.layers.TorchModuleWrapper(Encoder(), output_shape=(None, 6, 2), name="wrapped")
    names = [f"{name}" for name in matches(Encoder())]
    inside = matches(nn.Sequential(wrapped))
    assert list(inside) == [f"0.module.{name}" for name in names]
    model = keras.Sequential([keras.Input((6, 3)), wrapped])
    assert list(matches(model)) == [f"wrapped.module.{name}" for name in names]


def test_autocast_is_a_reduced_precision() -> None:
    """Of a GRU it is one although its outputs are numbers of float32."""
    reader = TorchReader(Encoder(), X, context=lambda: torch.autocast("cpu", torch.bfloat16))
    with in_bfloat16():
        found = verdicts(reader.take(step=0).snapshots())
    assert set(found.values()) == {"reduced precision (bfloat16)"}


@pytest.mark.parametrize("kind", ["LSTM", "GRU", "RNN", "LSTMCell", "GRUCell", "RNNCell"])
def test_dynamic_quantisation_is_a_reduced_precision(kind: str) -> None:
    from torch_grid import Loop

    made = getattr(nn, kind)
    model = nn.Sequential(Loop(made(3, 16)) if "Cell" in kind else made(3, 16))
    if kind == "RNN":  # which PyTorch does not quantise
        model = nn.Sequential(nn.LSTM(3, 16, 2, bidirectional=True))
    kinds = {nn.LSTM, nn.GRU, nn.LSTMCell, nn.GRUCell, nn.RNNCell}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # PyTorch moves all of this to another package
        quantised = torch.ao.quantization.quantize_dynamic(model, kinds)
        found = capture_torch(quantised, torch.randn(9, 2, 3))
    assert set(verdicts(found).values()) == {"reduced precision (int8)"}
    # A gate order that is wrong is still told from it.
    for snapshot in found:
        if kind != "RNNCell":
            order = [1, 0, *range(2, len(snapshot.weights.gates))]  # type: ignore[union-attr]
            swapped = {
                field.name: None if array is None else array[..., order, :]
                for field in fields(snapshot.weights)
                for array in [getattr(snapshot.weights, field.name)]
            }
            wrong = replace(snapshot, weights=replace(snapshot.weights, **swapped))
            assert verdicts([wrong])[snapshot.layer].startswith("mismatch")


@pytest.mark.parametrize("kind", ["LSTM", "GRU"])
def test_tf32_is_a_reduced_precision(kind: str) -> None:
    """No CPU computes so: here the operands of the products are rounded as tensor cores do it."""

    def rounded(tensor: Any) -> Any:
        bits = tensor.detach().clone().view(torch.int32)
        return ((bits + 0x1000) & ~0x1FFF).view(torch.float32)

    class Core(nn.LSTM if kind == "LSTM" else nn.GRU):  # type: ignore[misc]
        """Rounds as cuDNN does by default."""

    model = Core(3, 16, batch_first=True)
    (exact,) = capture_torch(model, X)
    h = c = torch.zeros(2, 16)
    b_ih, b_hh, outputs = model.bias_ih_l0, model.bias_hh_l0, []
    for t in range(6):
        from_x = rounded(X[:, t]) @ rounded(model.weight_ih_l0).T + b_ih
        from_h = rounded(h) @ rounded(model.weight_hh_l0).T + b_hh
        if kind == "LSTM":
            i, f, g, o = (from_x + from_h).chunk(4, 1)
            c = f.sigmoid() * c + i.sigmoid() * g.tanh()
            h = o.sigmoid() * c.tanh()
        else:
            (xr, xz, xn), (hr, hz, hn) = from_x.chunk(3, 1), from_h.chunk(3, 1)
            z = (xz + hz).sigmoid()
            h = (1 - z) * (xn + (xr + hr).sigmoid() * hn).tanh() + z * h
        outputs.append(h)
    seen = Snapshot(
        0, "lstm", exact.cell, exact.weights, x=exact.x,
        output=torch.stack(outputs, 1).detach().numpy(),
    )  # fmt: skip
    assert verdicts([seen]) == {"lstm": "reduced precision (TF32)"}


def test_a_copy_of_a_model_has_no_hooks_of_ours() -> None:
    model = Encoder()
    reader = TorchReader(model, X)
    reader.take(step=0)
    for module in [*model.modules(), *copy.deepcopy(model).modules()]:
        assert not module._forward_hooks
        assert not module._forward_pre_hooks
