"""Networks of which it is known what each unit does, and random ones that do nothing in particular.

A planted network has one unit that does its task, written into its weights, among units with random
weights that the planted unit does not read. Each cell gets the weights that its own equations need.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from lstm_probe import GruCell, LstmCell, SimpleRnnCell, Snapshot, weights
from lstm_probe.analysis.rest import Rest
from lstm_probe.cells import Cell

#: The number of gates in Keras's layout, and their places.
GATES = {"lstm": ("i", "f", "g", "o"), "gru": ("z", "r", "g"), "simple_rnn": ("g",)}
OPEN, SHUT = 20.0, -20.0


@dataclass
class Planted:
    """A network with a unit that does a task.

    Attributes:
        name: the task and the cell.
        snapshot: the network on its probe.
        unit: the unit.
        label: the series that it follows, `(batch, time)`.
        rest: a head that reads this unit more than others.
        lag: how many steps back the unit looks; None if that has no meaning.
    """

    name: str
    snapshot: Snapshot
    unit: int
    label: np.ndarray
    rest: Rest
    lag: int | None = None


class Builder:
    """Weights of one cell, unit by unit, in Keras's layout."""

    def __init__(self, rng: np.random.Generator, kind: str, features: int, units: int) -> None:
        self.kind, self.units = kind, units
        gates = len(GATES[kind])
        self.kernel = rng.normal(0, 0.4, (features, gates, units))
        self.recurrent = rng.normal(0, 0.4 / np.sqrt(units), (units, gates, units))
        self.bias = rng.normal(0, 0.3, (gates, units))

    def gate(self, letter: str, unit: int) -> int:
        """The place of a gate, whose weights into a unit are cleared."""
        place = GATES[self.kind].index(letter)
        self.kernel[:, place, unit] = 0
        self.recurrent[:, place, unit] = 0
        self.bias[place, unit] = 0
        return place

    def fixed(self, unit: int, **gates: float) -> None:
        """Gates that have one value at all steps, by their biases."""
        for letter, value in gates.items():
            self.bias[self.gate(letter, unit), unit] = value

    def unread(self, unit: int) -> None:
        """Nothing of the layer reads the unit, but itself what was set after this."""
        self.recurrent[unit] = 0

    def weights(self) -> Any:
        arrays = [
            each.reshape(len(each), -1) if each.ndim == 3 else each.ravel()
            for each in (self.kernel, self.recurrent, self.bias)
        ]
        return weights.from_keras(*arrays)


def accumulator(rng: np.random.Generator, kind: str, signs: tuple[float, ...], unit: int) -> Any:
    """A unit that adds up features, each with its sign; three others are random."""
    build = Builder(rng, kind, len(signs), 4)
    cell: Cell[Any] = LstmCell()
    step = 0.05 * np.array(signs)
    if kind == "lstm":
        build.fixed(unit, i=OPEN, f=OPEN, o=OPEN)
        build.kernel[:, build.gate("g", unit), unit] = step
    elif kind == "gru":  # h' = phi(h + x), with phi linear
        cell = GruCell("linear", reset_after=False)
        build.recurrent *= 0.3
        build.fixed(unit, z=SHUT, r=OPEN)
        g = build.gate("g", unit)
        build.kernel[:, g, unit], build.recurrent[unit, g, unit] = step, 1.0
    else:
        cell = SimpleRnnCell("linear")
        g = build.gate("g", unit)
        build.kernel[:, g, unit], build.recurrent[unit, g, unit] = step, 1.0
    return cell, build


def delay(rng: np.random.Generator, kind: str, lag: int) -> Any:
    """A shift register: unit `k` has what the first feature was `k` steps ago; two are random."""
    build = Builder(rng, kind, 2, lag + 3)
    cell: Cell[Any] = {"lstm": LstmCell(), "gru": GruCell(reset_after=False)}.get(
        kind, SimpleRnnCell()
    )
    for unit in range(lag + 1):
        others = {"lstm": {"i": OPEN, "f": SHUT, "o": OPEN}, "gru": {"z": SHUT, "r": OPEN}}
        build.fixed(unit, **others.get(kind, {}))
        g = build.gate("g", unit)
        if unit:
            build.recurrent[unit - 1, g, unit] = 1.0
        else:
            build.kernel[0, g, unit] = 0.3
    return cell, build


def latch(rng: np.random.Generator, kind: str, unit: int) -> Any:
    """A unit that takes up the second feature where the first is 1, and holds it until then."""
    build = Builder(rng, kind, 2, 4)
    if kind == "lstm":
        build.fixed(unit, o=OPEN)
        for letter, sign in (("i", 1.0), ("f", -1.0)):
            place = build.gate(letter, unit)
            build.kernel[0, place, unit], build.bias[place, unit] = sign * 40, sign * -20
        build.kernel[1, build.gate("g", unit), unit] = 1.0
        return LstmCell(), build
    place = build.gate("z", unit)
    build.kernel[0, place, unit], build.bias[place, unit] = -40, 20
    build.kernel[1, build.gate("g", unit), unit] = 1.0
    return GruCell(reset_after=False), build


def planted(task: str, kind: str, seed: int) -> Planted:
    """A network with a unit that does a task: counter, depth, lag, latch or copy.

    Args:
        task: the task. A latch remembers whether it was set, a copy what it was set to.
        kind: lstm, gru or simple_rnn, which has no latch and no copy.
        seed: of the random units and of the probe.
    """
    rng = np.random.default_rng(seed)
    batch, time, unit, lag = 12, 24, 2, None
    if task == "counter":
        x = (rng.random((batch, time, 1)) < rng.uniform(0.2, 0.8, (batch, 1, 1))).astype(float)
        (cell, build), label = accumulator(rng, kind, (1.0,), unit), x[..., 0].cumsum(axis=1)
    elif task == "depth":
        x = np.eye(3)[rng.integers(0, 3, (batch, time))]
        label = (x[..., 0] - x[..., 1]).cumsum(axis=1)
        cell, build = accumulator(rng, kind, (1.0, -1.0, 0.0), unit)
    elif task == "lag":
        x, lag = rng.normal(size=(batch, time, 2)), int(rng.integers(3, 7))
        unit = lag
        label = np.concatenate([np.zeros((batch, lag)), x[:, :-lag, 0]], axis=1)
        cell, build = delay(rng, kind, lag)
    else:
        x = np.zeros((batch, time, 2))
        x[..., 1] = 1.0 if task == "latch" else rng.normal(size=(batch, time))
        when = rng.integers(3, time - 6, batch)
        x[np.arange(batch), when, 0] = 1.0
        set_to = x[np.arange(batch), when, 1]
        label = (np.arange(time) >= when[:, None]) * set_to[:, None]
        cell, build = latch(rng, kind, unit)
    if task != "lag":
        own = build.recurrent[unit, :, unit].copy()
        build.unread(unit)
        build.recurrent[unit, :, unit] = own
    read = rng.normal(0, 0.02, (build.units, 1))
    read[unit] = 3.0
    snapshot = snapshot_of(cell, build.weights(), x, layer=f"{task}_{kind}")
    return Planted(f"{task} in {kind}", snapshot, unit, label, head(read), lag)


def snapshot_of(cell: Any, own: Any, x: np.ndarray, layer: str = "memory") -> Snapshot:
    h = cell.run(x, own, dtype=np.float64).h
    return Snapshot(0, layer, cell, own, x=x, output=h, dtype="float64")


def head(matrix: np.ndarray) -> Rest:
    """A linear head on the last step."""

    def back(h: np.ndarray, by_output: np.ndarray) -> np.ndarray:
        found = np.zeros_like(h)
        found[:, -1] = by_output @ matrix.T
        return found

    return Rest(lambda h: h[:, -1] @ matrix, back)


def random_network(seed: int, *, batch: int = 12, time: int = 20) -> Snapshot:
    """A network of random weights on random inputs."""
    rng = np.random.default_rng(seed)
    kind = ("lstm", "gru", "simple_rnn")[seed % 3]
    units, features, gates = int(rng.integers(4, 17)), int(rng.integers(1, 4)), len(GATES[kind])
    own = weights.from_keras(
        rng.normal(0, 0.7, (features, gates * units)),
        rng.normal(0, rng.uniform(0.5, 1.4) / np.sqrt(units), (units, gates * units)),
        rng.normal(0, 0.3, gates * units),
    )
    cell: Any = {"lstm": LstmCell(), "gru": GruCell(), "simple_rnn": SimpleRnnCell()}[kind]
    return snapshot_of(cell, own, rng.normal(size=(batch, time, features)))


#: What can be written into the weights of each cell.
TASKS = [
    *((task, kind) for task in ("counter", "depth", "lag") for kind in GATES),
    *((task, kind) for task in ("latch", "copy") for kind in ("lstm", "gru")),
]
