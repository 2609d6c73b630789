"""Small networks, trained by a NumPy loop through the cells' own way back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from lstm_probe import GruCell, LstmCell, SimpleRnnCell, Snapshot
from lstm_probe.cells.backward import Run
from lstm_probe.weights import from_keras

CELLS: dict[str, tuple[Any, int]] = {
    "simple": (SimpleRnnCell(), 1),
    "gru": (GruCell(reset_after=False), 3),
    "lstm": (LstmCell(), 4),
}


class Network:
    """A cell with a linear readout of `h` at each step, and its gradient."""

    def __init__(self, kind: str, inputs: int, units: int, seed: int) -> None:
        rng = np.random.default_rng(seed)
        self.cell, gates = CELLS[kind]
        scale = 1 / np.sqrt(units)
        bias = np.zeros(gates * units)
        if kind == "lstm":
            bias[units : 2 * units] = 1.0
        self.arrays = {
            "kernel": rng.normal(0, 0.5, (inputs, gates * units)),
            "recurrent": rng.normal(0, scale, (units, gates * units)),
            "bias": bias,
            "readout": rng.normal(0, scale, (units, 1)),
            "offset": np.zeros(1),
        }

    @property
    def weights(self) -> Any:
        return from_keras(*(self.arrays[name] for name in ("kernel", "recurrent", "bias")))

    def loss(self, x: np.ndarray, y: np.ndarray, counts: np.ndarray) -> tuple[float, dict]:
        """The mean squared error where the target counts, and its gradient by the arrays."""
        cell = self.cell
        own = cell.prepared(self.weights, np.float64)
        trace = cell.run(x, self.weights, dtype="float64")
        h = trace.h
        error = (h @ self.arrays["readout"])[..., 0] + self.arrays["offset"] - y
        error = np.where(counts, error, 0.0)
        by_output = 2 * error[..., None] / counts.sum()
        initial = {letter: np.zeros((len(x), h.shape[2])) for letter in cell.states}
        arrays = {letter: trace[letter].swapaxes(0, 1) for letter in trace.letters}
        run = Run(own, x.swapaxes(0, 1).copy(), arrays, initial, None)
        back = cell.back(run)
        change = {letter: np.zeros((1, *state.shape)) for letter, state in initial.items()}
        by_h = (by_output @ self.arrays["readout"].T).swapaxes(0, 1)
        found = {name: np.zeros_like(array) for name, array in self.arrays.items()}
        for t in reversed(range(x.shape[1])):
            change["h"] = change["h"] + by_h[t]
            step = back(t, change)
            by_sums = step.inputs[0]  # (batch, gates, units)
            flat = by_sums.reshape(len(x), -1)
            found["kernel"] += x[:, t].T @ flat
            found["bias"] += flat.sum(axis=0)
            found["recurrent"] += self._by_recurrent(run, t, by_sums)
            change = dict(step.before)
        found["readout"] = np.einsum("btu,btk->uk", h, by_output)
        found["offset"] = by_output.sum(axis=(0, 1))
        return float(np.square(error).sum() / counts.sum()), found

    def _by_recurrent(self, run: Run, t: int, by_sums: np.ndarray) -> np.ndarray:
        h = run.before("h")[t]
        result = np.einsum("bn,bgu->ngu", h, by_sums)
        if self.cell.name == "gru":  # the reset gate acts before the product
            result[:, 2] = (run.arrays["r"][t] * h).T @ by_sums[:, 2]
        return result.reshape(len(result), -1)

    def train(self, task: Callable, steps: int, seed: int, rate: float = 0.01) -> float:
        """Adam (Kingma & Ba 2015) with clipped gradients; returns the mean of the last losses."""
        rng = np.random.default_rng(seed)
        first = {name: np.zeros_like(array) for name, array in self.arrays.items()}
        second = {name: np.zeros_like(array) for name, array in self.arrays.items()}
        losses = []
        for step in range(1, steps + 1):
            loss, gradient = self.loss(*task(rng, 32))
            losses.append(loss)
            norm = np.sqrt(sum(np.square(each).sum() for each in gradient.values()))
            falling = rate * (0.1 + 0.9 * (1 - step / steps))
            for name, array in self.arrays.items():
                change = gradient[name] * min(1.0, 1.0 / max(norm, 1e-12))
                first[name] = 0.9 * first[name] + 0.1 * change
                second[name] = 0.999 * second[name] + 0.001 * change**2
                size = np.sqrt(second[name] / (1 - 0.999**step)) + 1e-8
                self.arrays[name] = array - falling * first[name] / (1 - 0.9**step) / size
        return float(np.mean(losses[-20:]))

    def seen(self, x: np.ndarray) -> Snapshot:
        """The network on a probe."""
        blank = np.zeros((*x.shape[:2], self.weights.units))
        snapshot = Snapshot(0, "trained", self.cell, self.weights, x=x, output=blank)
        return replace(snapshot, output=self.cell.run(x, self.weights, dtype="float64").h)

    def output(self, x: np.ndarray) -> np.ndarray:
        h = self.cell.run(x, self.weights, dtype="float64").h
        return (h @ self.arrays["readout"])[..., 0] + self.arrays["offset"]


def pulses(rng, batch, time, rate):
    x = (rng.random((batch, time)) < rate) * rng.choice([-1.0, 1.0], (batch, time))
    x[:, 0] = rng.choice([-1.0, 1.0], batch)
    return x


def flip_flop(rng, batch, time=40):
    """Hold the sign of the last pulse."""
    x = pulses(rng, batch, time, 0.1)
    y = x.copy()
    for t in range(1, time):
        y[:, t] = np.where(x[:, t] != 0, x[:, t], y[:, t - 1])
    return x[..., None], y, np.ones_like(y, bool)


def delay(lag):
    """Repeat the input of `lag` steps back."""

    def task(rng, batch, time=25):
        x = rng.normal(0, 0.5, (batch, time))
        y = np.concatenate([np.zeros((batch, lag)), x[:, : time - lag]], axis=1)
        return x[..., None], y, np.tile(np.arange(time) >= lag, (batch, 1))

    return task


def leak(keep):
    """Sum the input, and forget a part of the sum at each step."""

    def task(rng, batch, time=40):
        x = rng.normal(0, 0.1, (batch, time))
        y = x.copy()
        for t in range(1, time):
            y[:, t] += keep * y[:, t - 1]
        return x[..., None], y, np.ones_like(y, bool)

    return task


def wave(period):
    """After a first pulse, go up and down for ever."""

    def task(rng, batch, time=40):
        x = np.zeros((batch, time))
        x[:, 0] = 1.0
        y = np.sin(2 * np.pi * np.arange(time) / period)[None].repeat(batch, axis=0)
        return x[..., None], 0.8 * y, np.ones_like(y, bool)

    return task
