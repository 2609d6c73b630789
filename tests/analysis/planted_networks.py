"""Networks that are built by hand to do something known, among units that do nothing of the kind.

Each is a snapshot and the question whether the analyses name what was planted.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from lstm_probe import ConvLstmCell, GruCell, LstmCell, SimpleRnnCell, Snapshot
from lstm_probe.analysis import find_fixed_points, measure_need, measure_stability
from lstm_probe.cells.custom import CustomCell
from lstm_probe.weights import CoupledLstmWeights, LstmWeights, NamedWeights, from_keras

OPEN, SHUT = 22.0, -22.0


def logit(p):
    return np.log(p / (1 - p))


def seen(cell, weights, x):
    output = cell.run(x, weights, dtype="float64").h
    return Snapshot(0, "planted", cell, weights, x=x, output=output)


def noise(rng, *shape):
    return rng.normal(size=shape)


def sparse(rng, batch, time, rate=0.15):
    """Pulses of either sign; most of the time nothing."""
    x = (rng.random((batch, time)) < rate) * rng.choice([-1.0, 1.0], (batch, time))
    x[:, 0] = rng.choice([-1.0, 1.0], batch)
    return x[..., None]


def structure(snapshot, kind, **options):
    found = measure_stability(snapshot, **options)
    return found, next((each for each in found.structures if each.kind == kind), None)


# What is asked.


def holds(unit):
    """A line, along the axis of one value of the state."""

    def named(snapshot):
        _, line = structure(snapshot, "line")
        return line is not None and int(np.abs(line.direction).argmax()) == unit

    return named


def latches(count):
    def named(snapshot):
        _, latch = structure(snapshot, "latch")
        return latch is not None and latch.value == count

    return named


def turns(period, kind="oscillator", within=0.03):
    def named(snapshot):
        _, found = structure(snapshot, kind)
        return found is not None and abs(found.value / period - 1) < within

    return named


def has_eigenvalue(value, within=1e-6):
    def named(snapshot):
        found = find_fixed_points(snapshot)
        stable = [k for k, kind in enumerate(found.kinds) if kind == "stable"]
        return len(stable) == 1 and abs(found.eigenvalues[stable[0], 0] - value) < within

    return named


def delays(lag, unit):
    """The lag of the input that a unit tells."""

    def named(snapshot):
        found = measure_need(snapshot, snapshot.output[..., unit])
        return found.lags == (lag,)

    return named


# Simple recurrent networks. The other units are a small random network that forgets.


def among(rng, block, at, units=6):
    """A block of a recurrent kernel in the middle of units that forget."""
    kernel = rng.normal(0, 0.25 / np.sqrt(units), (units, units))
    size, places = len(block), np.arange(at, at + len(block))
    kernel[:, places] = 0.0
    kernel[places, :] = 0.0
    kernel[np.ix_(places, places)] = block
    return kernel, size


def rotation(angle, radius):
    c, s = radius * np.cos(angle), radius * np.sin(angle)
    return np.array([[c, s], [-s, c]])


def simple(rng, block, at=2, *, x=None, activation="tanh", units=6):
    kernel, _ = among(rng, np.asarray(block, float), at, units)
    x = sparse(rng, 16, 40) if x is None else x
    return seen(SimpleRnnCell(activation), from_keras(noise(rng, x.shape[2], units), kernel), x)


def two_latches(rng):
    """Each has an input of its own: the probe visits all four states."""
    x = np.concatenate([sparse(rng, 16, 40), sparse(rng, 16, 40)], axis=2)
    snapshot = simple(rng, np.diag([2.0, 1.8]), 1, x=x)
    kernel = snapshot.weights.kernel.copy()
    kernel[:, 0, 1:3] = 2 * np.eye(2)
    weights = replace(snapshot.weights, kernel=kernel)
    return seen(snapshot.cell, weights, x)


def simple_lag(rng, lag):
    kernel = np.zeros((lag + 3, lag + 3))
    kernel[np.arange(lag), np.arange(1, lag + 1)] = 1.0
    kernel[lag + 1 :, lag + 1 :] = rng.normal(0, 0.2, (2, 2))
    read = np.zeros((1, lag + 3))
    read[0, 0], read[0, lag + 1 :] = 1.0, rng.normal(size=2)
    w = from_keras(read, kernel)
    return seen(SimpleRnnCell("linear"), w, 0.3 * noise(rng, 24, 40, 1))


# GRUs. `h' = z h + (1 - z) tanh(...)`, the reset gate open.


def gru(rng, keep, kernel, recurrent, x, *, keep_bias=None, keep_kernel=None):
    units = len(recurrent)
    w = np.zeros((x.shape[2], 3, units))
    u, b = np.zeros((units, 3, units)), np.zeros((3, units))
    w[:, 2], u[:, 2], b[1] = kernel, recurrent, OPEN
    b[0] = logit(keep) if keep_bias is None else keep_bias
    if keep_kernel is not None:
        w[:, 0] = keep_kernel
    flat = (each.reshape(*each.shape[:-2], -1) for each in (w, u, b))
    return seen(GruCell(reset_after=False), from_keras(*flat), x)


def gru_latch(rng):
    recurrent, _ = among(rng, np.array([[2.5]]), 1, 4)
    return gru(rng, 0.5, rng.normal(0, 1.5, (1, 4)), recurrent, sparse(rng, 16, 40))


def gru_line(rng):
    """Unit 2 keeps while the second input is 0, and is written to while it is 1."""
    flag = (rng.random((16, 40, 1)) < 0.15) * 1.0
    flag[:, 0] = 1.0
    x = np.concatenate([noise(rng, 16, 40, 1), flag], axis=2)
    keep_kernel = np.zeros((2, 4))
    keep_kernel[1, 2] = SHUT - OPEN
    keep_bias = np.full(4, -1.0)
    keep_bias[2] = OPEN
    kernel = np.zeros((2, 4))
    kernel[0] = rng.normal(size=4)
    return gru(rng, 0.5, kernel, np.zeros((4, 4)), x, keep_bias=keep_bias, keep_kernel=keep_kernel)


def gru_lag(rng, lag):
    recurrent = np.eye(lag + 1, k=1)
    kernel = np.zeros((1, lag + 1))
    kernel[0, 0] = 1.0
    return gru(rng, 1e-9, kernel, recurrent, 0.2 * noise(rng, 24, 40, 1))


def gru_oscillator(rng, period):
    recurrent, _ = among(rng, rotation(2 * np.pi / period, 1.4), 1, 5)
    return gru(rng, 1e-9, rng.normal(0, 0.5, (1, 5)), recurrent, sparse(rng, 16, 40))


def gru_leak(rng, keep):
    return gru(
        rng, np.array([0.3, keep, 0.5]), noise(rng, 1, 3), np.zeros((3, 3)), noise(rng, 16, 40, 1)
    )


# LSTMs. Gates by their biases, the candidate from the input.


def lstm(rng, gates, kernel, recurrent, x, *, cell=None, kind=LstmWeights, extras=None):
    """Gates `(gates, units)` as biases, in the order of the weights; kernels of the candidate."""
    units, g = kernel.shape[1], kind.gates.index("g")
    w = np.zeros((x.shape[2], len(kind.gates), units))
    output = recurrent.shape[0]
    u = np.zeros((output, len(kind.gates), units))
    w[:, g], u[:, g] = kernel, recurrent
    return seen(cell or LstmCell(), kind(w, u, np.asarray(gates, float), **(extras or {})), x)


def biases(units, *, i=0.0, f=-1.0, o=0.0):
    b = np.zeros((4, units))
    b[0], b[1], b[3] = i, f, o
    return b


def lstm_counter(rng, features=1):
    """Unit 3 adds up its input; the others forget. Two features count up and down: depth."""
    b = biases(5)
    b[0, 3], b[1, 3] = OPEN, OPEN
    kernel = 0.5 * noise(rng, features, 5)
    if features == 2:
        kernel[:, 3] = [0.5, -0.5]
        x = np.eye(3)[rng.choice(3, p=[0.2, 0.2, 0.6], size=(16, 40))][..., :2]
    else:
        x = 0.3 * sparse(rng, 16, 40)
    return lstm(rng, b, kernel, np.zeros((5, 5)), x)


def lstm_latch(rng):
    """`h = o tanh(c)`, `c' = f c + i tanh(5 h)`: two states hold themselves."""
    recurrent, _ = among(rng, np.array([[5.0]]), 1, 4)
    return lstm(
        rng, biases(4, i=1.0, f=-1.0, o=1.0), 2 * noise(rng, 1, 4), recurrent, sparse(rng, 16, 40)
    )


def lstm_copy(rng):
    """Unit 1 is written to where the second input is 1, and kept from then on."""
    flag = (rng.random((16, 40, 1)) < 0.1) * 1.0
    flag[:, 0] = 1.0
    x = np.concatenate([noise(rng, 16, 40, 1), flag], axis=2)
    b = biases(3)
    b[0, 1], b[1, 1] = SHUT, OPEN
    w = np.zeros((2, 4, 3))
    w[0, 2], w[1, 0, 1], w[1, 1, 1] = noise(rng, 3), OPEN - SHUT, SHUT - OPEN
    return seen(LstmCell(), LstmWeights(w, np.zeros((3, 4, 3)), b), x)


def lstm_lag(rng, lag):
    kernel = np.zeros((1, lag + 1))
    kernel[0, 0] = 1.0
    b = biases(lag + 1, i=OPEN, f=SHUT, o=OPEN)
    return lstm(rng, b, kernel, np.eye(lag + 1, k=1), 0.15 * noise(rng, 24, 40, 1))


def lstm_oscillator(rng, period):
    recurrent, _ = among(rng, rotation(2 * np.pi / period, 1.6), 2, 6)
    b = biases(6, i=OPEN, f=SHUT, o=OPEN)
    return lstm(rng, b, noise(rng, 1, 6), recurrent, sparse(rng, 16, 40))


def lstm_leak(rng, keep):
    b = biases(4)
    b[1, 2] = logit(keep)
    return lstm(rng, b, noise(rng, 1, 4), np.zeros((4, 4)), noise(rng, 16, 40, 1))


def coupled_leak(rng, keep):
    b = np.zeros((3, 4))
    b[0] = [-1.0, logit(keep), 0.0, -2.0]
    return lstm(
        rng, b, noise(rng, 1, 4), np.zeros((4, 4)), noise(rng, 16, 40, 1), kind=CoupledLstmWeights
    )


def peephole_counter(rng):
    """The peepholes of the forget gate hold it open the more there is in the cell."""
    b = biases(4)
    b[0, 0], b[1, 0] = OPEN, OPEN
    extras = {"peepholes": np.abs(noise(rng, 3, 4)) * [[0, 1, 1, 1]]}
    x = 0.3 * sparse(rng, 16, 40)
    return lstm(rng, b, noise(rng, 1, 4), np.zeros((4, 4)), x, extras=extras)


def projected_leak(rng, keep):
    b = biases(4)
    b[1, 1] = logit(keep)
    extras = {"projection": noise(rng, 4, 2)}
    return lstm(rng, b, noise(rng, 1, 4), np.zeros((2, 4)), noise(rng, 16, 40, 1), extras=extras)


def conv_leak(rng, keep):
    """A filter of two that keeps, at each of five pixels."""
    bias = np.zeros((4, 2))
    bias[1] = [-1.0, logit(keep)]
    kernel = np.zeros((3, 1, 4, 2))
    kernel[..., 2, :] = noise(rng, 3, 1, 2)
    w = from_keras(kernel.reshape(3, 1, 8), np.zeros((3, 2, 8)), bias.ravel())
    cell = ConvLstmCell(input_shape=(5, 1), padding="same")
    return seen(cell, w, noise(rng, 12, 40, 5))


# A cell of the user's own: the Henon map, whose fixed point and eigenvalues are in closed form.


def henon(x, states, weights):
    (h,) = states
    new = np.concatenate([1 - 1.4 * h[:, :1] ** 2 + h[:, 1:], 0.3 * h[:, :1]], axis=1)
    return {"h": new}, [new]


def henon_back(x, states, weights, changes):
    (h,), (d,) = states, changes
    by_a = -2.8 * h[:, :1] * d[:, :1] + 0.3 * d[:, 1:]
    return np.zeros_like(x), [np.concatenate([by_a, d[:, :1]], axis=1)]


def henon_map(rng):
    cell = CustomCell("Henon", henon, (("h", None),), own_back=henon_back)
    return seen(cell, NamedWeights({"none": np.zeros((1, 2))}, 1, 2), np.zeros((2, 400, 1)))


def henon_named(snapshot):
    found = measure_stability(snapshot)
    a = (-0.7 + np.sqrt(0.49 + 5.6)) / 2.8
    eigenvalues = np.roots([1, 2.8 * a, -0.3])
    at = [k for k, state in enumerate(found.points.states) if np.allclose(state, [a, 0.3 * a])]
    chaos = [each for each in found.structures if each.kind == "chaos"]
    return (
        len(at) == 1
        and np.allclose(np.sort(found.points.eigenvalues[at[0]].real), np.sort(eigenvalues))
        and len(chaos) == 1
        and found.exponents.low[0] < 0.41922 < found.exponents.high[0]
    )


#: By name: what makes the network of a random generator, and what must be named.
BUILT: dict[str, tuple[Callable, Callable[[Snapshot], bool]]] = {
    "simple counter": (
        lambda rng: simple(rng, [[1.0]], activation="linear", x=0.3 * sparse(rng, 16, 40)), holds(2)
    ),
    "simple slow": (
        lambda rng: simple(rng, [[0.985]], 3, x=0.3 * sparse(rng, 16, 40)), has_eigenvalue(0.985)
    ),
    "simple lag": (lambda rng: simple_lag(rng, 7), delays(7, 7)),
    "simple latch": (lambda rng: simple(rng, [[2.0]]), latches(2)),
    "simple two latches": (two_latches, latches(4)),
    "simple oscillator": (lambda rng: simple(rng, rotation(2 * np.pi / 11, 1.3)), turns(11)),
    "simple ringing": (
        lambda rng: simple(rng, rotation(2 * np.pi / 6, 0.985)), turns(6, "ringing", 1e-3)
    ),
    "gru leak": (lambda rng: gru_leak(rng, 0.97), has_eigenvalue(0.97)),
    "gru lag": (lambda rng: gru_lag(rng, 5), delays(5, 5)),
    "gru latch": (gru_latch, latches(2)),
    "gru line": (gru_line, holds(2)),
    "gru oscillator": (lambda rng: gru_oscillator(rng, 9), turns(9)),
    "lstm counter": (lstm_counter, holds(5 + 3)),
    "lstm depth": (lambda rng: lstm_counter(rng, 2), holds(5 + 3)),
    "lstm lag": (lambda rng: lstm_lag(rng, 4), delays(4, 4)),
    "lstm latch": (lstm_latch, latches(2)),
    "lstm copy": (lstm_copy, holds(3 + 1)),
    "lstm oscillator": (lambda rng: lstm_oscillator(rng, 8), turns(8)),
    "lstm leak": (lambda rng: lstm_leak(rng, 0.99), has_eigenvalue(0.99)),
    "coupled leak": (lambda rng: coupled_leak(rng, 0.98), has_eigenvalue(0.98)),
    "peephole counter": (peephole_counter, holds(4)),
    "projected leak": (lambda rng: projected_leak(rng, 0.96), has_eigenvalue(0.96)),
    "conv leak": (lambda rng: conv_leak(rng, 0.975), has_eigenvalue(0.975)),
    "henon map": (henon_map, henon_named),
}  # fmt: skip
