"""With which words wrong arguments are refused, and what the converters of weights give."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from described import note_refusal, record_as_data
from observations import Observations, attempt

import lstm_probe
from lstm_probe import weights
from lstm_probe.callbacks import ProbeCallback, schedule

__all__ = ["observe"]

_RNG = np.random.default_rng(12)
_X = _RNG.normal(size=(2, 6, 3))
_LSTM = weights.from_keras(*(_RNG.normal(size=s) for s in ((3, 20), (5, 20), (20,))))
_GRU = weights.from_keras(*(_RNG.normal(size=s) for s in ((3, 15), (5, 15), (2, 15))))


def observe(seen: Observations) -> None:
    """Wrong calls of public names, and conversions back and forth."""
    for name, action in {**_cells(), **_others(), **_callbacks()}.items():
        note_refusal(seen, name, action)
    for name, action in _conversions().items():
        seen.note("weights", name, attempt(lambda action=action: _as_data(action())))
    steps = {
        "linear": schedule.Linear(7, first=3),
        "logarithmic": schedule.Logarithmic(),
        "rare": schedule.Logarithmic(per_decade=2, first=5),
    }
    for name, each in steps.items():
        seen.note("schedule", name, [each.next_after(step) for step in range(0, 900, 11)])
    names = {"lstm_probe": lstm_probe, "weights": weights, "callbacks": lstm_probe.callbacks}
    for name, module in names.items():
        seen.note("names", name, sorted(module.__all__))


def _cells() -> dict[str, Callable[[], Any]]:
    run, cell = lstm_probe.lstm, lstm_probe.LstmCell
    state = np.zeros((2, 5))
    return {
        "two axes": lambda: run(_X[0], _LSTM),
        "wrong features": lambda: run(_X[:, :, :2], _LSTM),
        "no steps": lambda: run(_X[:, :0], _LSTM),
        "weights of another cell": lambda: run(_X, _GRU),
        "gru with lstm weights": lambda: lstm_probe.gru(_X, _LSTM),
        "wrong mask": lambda: run(_X, _LSTM, mask=np.ones((2, 5))),
        "one state": lambda: run(_X, _LSTM, initial_state=[state]),
        "wrong state": lambda: run(_X, _LSTM, initial_state=[state, state[:, :4]]),
        "gru state": lambda: lstm_probe.gru(_X, _GRU, initial_state=[state[:1]]),
        "unknown activation": lambda: cell(activation="tahn"),
        "unknown gate activation": lambda: lstm_probe.GruCell(recurrent_activation="x"),
        "negative clip": lambda: cell(cell_clip=-1.0),
        "padding": lambda: lstm_probe.ConvLstmCell(padding="causal"),
        "data format": lambda: lstm_probe.ConvLstmCell(data_format="NHWC"),
        "no h": lambda: lstm_probe.register_cell("Mine", ranges={"f": (0, 1)}),
        "no such array": lambda: run(_X, _LSTM)["z"],
        "no such attribute": lambda: run(_X, _LSTM).z,
        "plot of no gate": lambda: run(_X, _LSTM).plot("z"),
        "plot of no sequence": lambda: run(_X, _LSTM).plot("f", sequence=2),
        "no such gate": lambda: _LSTM.gate("z"),
        "arrays that do not fit": lambda: lstm_probe.GateTrace(
            {"f": np.zeros((1, 2, 3)), "h": np.zeros((1, 3, 3))}, {"f": None, "h": None}
        ),
        "no file": lambda: lstm_probe.GateTrace.load("nowhere.npz"),
    }


def _others() -> dict[str, Callable[[], Any]]:
    h = lstm_probe.lstm(_X, _LSTM).h
    make = partial(lstm_probe.Snapshot, 0, "layer", lstm_probe.LstmCell(), _LSTM)
    good = make(x=_X, output=h)
    trace = lstm_probe.lstm(_X, _LSTM)
    shapes = ((3, 12), (4, 20), (7,))
    return {
        "snapshot": lambda: make(x=_X, output=h[:, :5]),
        "snapshot of wrong features": lambda: lstm_probe.analyse(make(x=_X[:, :, :2], output=h)),
        "snapshot with a wrong mask": lambda: lstm_probe.analyse(
            make(x=_X, output=h, mask=np.ones((2, 5), bool))
        ),
        "cotangent": lambda: lstm_probe.gradient_of_loss(good, trace, np.ones((2, 4))),
        "other layer": lambda: lstm_probe.measure_dynamics(
            good, lstm_probe.Snapshot(1, "b", lstm_probe.LstmCell(), _LSTM, x=_X, output=h)
        ),
        "reaction": lambda: lstm_probe.AlertRules("explode"),
        "rule": lambda: lstm_probe.AlertRules(rules=["no_such_rule"]),
        "interval": lambda: schedule.Linear(0),
        "fraction": lambda: schedule.Logarithmic(per_decade=1.5),
        "kernel of no layer": lambda: weights.from_keras(*(np.zeros(s) for s in shapes)),
        "kernel of tf1": lambda: weights.from_keras(np.zeros((8, 20)), np.zeros((5, 20))),
        "shapes of tf1": lambda: weights.from_tf1(np.zeros((8, 21)), np.zeros(21)),
        "torch": lambda: weights.from_torch({"weight_ih_l0": np.zeros((20, 3))}),
        "to keras": lambda: weights.to_keras(
            weights.LstmWeights(_LSTM.kernel, _LSTM.recurrent_kernel, peepholes=np.ones((3, 5)))
        ),
        "gates that do not fit": lambda: weights.GruWeights(_LSTM.kernel, _LSTM.recurrent_kernel),
        "no probe": lambda: lstm_probe.inspect("nowhere.keras", _X),
        "no model": lambda: lstm_probe.inspect(3, _X),
        "no such name": lambda: lstm_probe.nothing,
    }


def _callbacks() -> dict[str, Callable[[], Any]]:
    def make(**options: Any) -> Callable[[], Any]:
        return lambda: ProbeCallback(_X[:1], "logs", **options)

    return {
        "every": make(every=0),
        "every text": make(every="often"),
        "on_alert": make(on_alert="shout"),
        "overhead": make(max_overhead=0),
        "labels": make(labels=["a", 3]),
        "text for labels": make(labels="abcdef"),
        "empty probe": lambda: ProbeCallback(np.zeros((0, 3, 1)), "logs"),
        "good": make(every=schedule.Logarithmic(), detail="full"),
    }


def _conversions() -> dict[str, Callable[[], Any]]:
    arrays = [_RNG.normal(size=s) for s in ((8, 20), (20,), (8, 10), (10,), (8, 5), (5,))]
    torch = {
        "weight_ih_l0": _RNG.normal(size=(20, 3)),
        "weight_hh_l0": _RNG.normal(size=(20, 5)),
        "bias_ih_l0": _RNG.normal(size=20),
        "bias_hh_l0": _RNG.normal(size=20),
    }
    onnx = [_RNG.normal(size=s) for s in ((1, 20, 3), (1, 20, 5), (1, 40), (1, 15))]
    return {
        "from_keras lstm": lambda: _LSTM,
        "from_keras gru": lambda: _GRU,
        "to_keras lstm": lambda: weights.to_keras(_LSTM),
        "to_keras gru": lambda: weights.to_keras(_GRU),
        "from_tf1": lambda: weights.from_tf1(*arrays[:2]),
        "to_tf1": lambda: weights.to_tf1(_LSTM),
        "from_tf1_gru": lambda: weights.from_tf1_gru(*arrays[2:]),
        "to_tf1_gru": lambda: weights.to_tf1_gru(weights.from_tf1_gru(*arrays[2:])),
        "from_tf1_rnn": lambda: weights.from_tf1_rnn(*arrays[4:]),
        "to_tf1_rnn": lambda: weights.to_tf1_rnn(weights.from_tf1_rnn(*arrays[4:])),
        "from_torch": lambda: weights.from_torch(torch),
        "to_torch": lambda: weights.to_torch(weights.from_torch(torch)),
        "to_torch lstm": lambda: weights.to_torch(_LSTM),
        "from_onnx": lambda: weights.from_onnx(onnx[0], onnx[1], b=onnx[2]),
        "from_onnx gru": lambda: weights.from_onnx(
            onnx[0][:, :15], onnx[1][:, :15], b=onnx[2][:, :30], linear_before_reset=True
        ),
        "from_onnx peepholes": lambda: weights.from_onnx(*onnx[:2], b=onnx[2], p=onnx[3]),
        "from_block_lstm": lambda: weights.from_block_lstm(*arrays[:2]),
        "from_gru_block": lambda: weights.from_gru_block(*(arrays[k] for k in (2, 4, 3, 5))),
    }


def _as_data(value: Any) -> Any:
    if isinstance(value, (list, tuple)):
        return [_as_data(each) for each in value]
    return {"type": type(value).__name__, "value": record_as_data(value)}
