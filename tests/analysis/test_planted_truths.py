"""What was planted is named, by hand and by training, and in what is random nothing is."""

from __future__ import annotations

import zlib

import numpy as np
import pytest
import trained_networks as trained
from planted_networks import BUILT, latches, seen, turns

from lstm_probe import ConvLstmCell, GruCell, LstmCell, SimpleRnnCell
from lstm_probe.analysis import find_fixed_points, measure_need, measure_stability
from lstm_probe.weights import CoupledLstmWeights, LstmWeights, from_keras


def generator(name):
    return np.random.default_rng(zlib.crc32(name.encode()))


@pytest.mark.parametrize("name", BUILT)
def test_what_was_planted_is_named(name):
    make, named = BUILT[name]
    assert named(make(generator(name)))


# Twelve networks that learn their task: four tasks, three cells.


def keeps(value):
    """The slowest eigenvalue of the one fixed point, as well as training finds it."""

    def named(snapshot):
        found = find_fixed_points(snapshot)
        return found.kinds == ("stable",) and abs(found.eigenvalues[0, 0] - value) < 0.03

    return named


#: The task, the units, the steps of training, the loss that it must reach, and the question.
TASKS = {
    "flip-flop": (trained.flip_flop, 6, 600, 0.02, latches(2)),
    "delay": (trained.delay(3), 10, 800, 0.01, None),
    "leak": (trained.leak(0.95), 6, 600, 0.005, keeps(0.95)),
    "wave": (trained.wave(12), 8, 800, 0.005, turns(12)),
}
TRAINED = [f"{task} {kind}" for task in TASKS for kind in trained.CELLS]


def learned(name):
    """A trained network on a probe, and whether it is named what it has learned."""
    task, kind = name.split()
    make, units, steps, loss, named = TASKS[task]
    network = trained.Network(kind, 1, units, seed=3)
    assert network.train(make, steps, seed=4) < loss
    x = make(np.random.default_rng(5), 24)[0]
    snapshot = network.seen(x)
    if named is not None:
        return named(snapshot)
    return measure_need(snapshot, network.output(x)).lags == (3,)


def test_the_gradient_of_the_training_is_that_of_differences(rng):
    for kind in trained.CELLS:
        network = trained.Network(kind, 1, 4, seed=0)
        data = trained.flip_flop(rng, 3, 8)
        _, gradient = network.loss(*data)
        for name, by in gradient.items():
            place, array = tuple(rng.integers(n) for n in by.shape), network.arrays[name]
            ends = []
            for step in (1e-6, -2e-6):
                array[place] += step
                ends.append(network.loss(*data)[0])
            array[place] += 1e-6
            assert by[place] == pytest.approx((ends[0] - ends[1]) / 2e-6, abs=1e-7)


@pytest.mark.parametrize("name", ["flip-flop simple", "wave simple"])
@pytest.mark.daily(1)
def test_what_was_learned_is_named(name):
    assert learned(name)


@pytest.mark.long
def test_of_36_planted_truths_at_most_one_is_missed():
    missed = [name for name, (make, named) in BUILT.items() if not named(make(generator(name)))]
    missed += [name for name in TRAINED if not learned(name)]
    assert len(BUILT) + len(TRAINED) == 36
    assert len(missed) <= 1, missed


# Random networks that forget, of every cell.


def random_network(number):
    rng = np.random.default_rng(20_000 + number)
    units, batch = int(rng.integers(4, 17)), int(rng.integers(1, 9))
    time = int(rng.integers(40, 61))
    kind = ("simple", "gru", "lstm", "coupled", "projection", "conv")[number % 6]
    x = rng.normal(size=(batch, time, 3))
    if number % 2:
        x *= rng.random(x.shape) < 0.2
    gates = {"simple": 1, "gru": 3}.get(kind, 4)
    scale = 0.7 / np.sqrt(units)
    kernel, recurrent = (
        rng.normal(0, 0.7, (3, gates, units)),
        rng.normal(0, scale, (units, gates, units)),
    )
    bias = rng.normal(0, 0.3, (gates, units))
    flat = [each.reshape(*each.shape[:-2], -1) for each in (kernel, recurrent, bias)]
    if kind == "simple":
        return seen(SimpleRnnCell(), from_keras(*flat), x)
    if kind == "gru":
        return seen(GruCell(reset_after=False), from_keras(*flat), x)
    if kind == "coupled":
        return seen(LstmCell(), CoupledLstmWeights(kernel[:, 1:], recurrent[:, 1:], bias[1:]), x)
    if kind == "projection":
        extras = {"projection": rng.normal(0, 1 / np.sqrt(units), (units, 3))}
        weights = LstmWeights(kernel, recurrent[:3], bias, **extras)
        return seen(LstmCell(forget_bias=1.0), weights, x)
    if kind == "conv":
        shapes = (3, 1, 8), (3, 2, 8), (8,)
        w = from_keras(*(rng.normal(0, 0.25, shape) for shape in shapes))
        return seen(ConvLstmCell(input_shape=(3, 1), padding="same"), w, x)
    return seen(LstmCell(forget_bias=1.0), LstmWeights(kernel, recurrent, bias), x)


def named_of_random(numbers):
    """The random networks in which a structure, or with shuffled targets a need, is named."""
    found = []
    for number in numbers:
        snapshot = random_network(number)
        if measure_stability(snapshot).structures:
            found.append((number, "stability"))
    return found


def test_in_random_networks_nothing_is_named():
    assert named_of_random(range(18)) == []


@pytest.mark.long
def test_of_200_random_networks_at_most_one_is_named_anything():
    found = named_of_random(range(200))
    assert len(found) <= 1, found


@pytest.mark.long
def test_of_200_shuffled_targets_at_most_one_is_named_a_need():
    """Of the planted lags, with the targets of other sequences."""
    found = []
    for number in range(200):
        rng = np.random.default_rng(30_000 + number)
        name = ("simple lag", "gru lag", "lstm lag")[number % 3]
        snapshot = BUILT[name][0](rng)
        target = snapshot.output[rng.permutation(len(snapshot.output)), :, -1]
        if measure_need(snapshot, target).lags:
            found.append((number, name))
    assert len(found) <= 1, found
