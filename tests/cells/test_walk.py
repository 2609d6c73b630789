"""The loop of backpropagation, and the shapes between a trace and the equations."""

from __future__ import annotations

import numpy as np
import pytest

from lstm_probe import LstmProbeError, weights
from lstm_probe.cells import ConvLstmCell, LstmCell, SimpleRnnCell
from lstm_probe.cells.backward import Run
from lstm_probe.cells.walk import walk_back


def run_of(cell: SimpleRnnCell, rng: np.random.Generator) -> Run:
    own = cell.prepared(weights.from_keras(rng.normal(size=(3, 2)), np.eye(2)), "float64")
    x = rng.normal(size=(2, 5, 3))
    h = cell.run(x, own).h.swapaxes(0, 1)
    return Run(own, x.swapaxes(0, 1), {"h": h}, {"h": np.zeros((2, 2))}, None)


def test_gradients_reach_the_inputs_when_the_derivatives_are_known(
    rng: np.random.Generator,
) -> None:
    run = run_of(SimpleRnnCell("linear"), rng)
    seed = {"h": np.ones((1, 1, 2, 2))}
    walk = walk_back(SimpleRnnCell("linear"), run, seed, inputs=True)
    assert walk.inputs is not None
    # A linear recurrence with an identity for its recurrent kernel sums all inputs.
    expected = np.broadcast_to(run.weights.kernel.sum(axis=(1, 2)), (5, 1, 2, 3))
    np.testing.assert_allclose(walk.inputs, expected, rtol=1e-14)


def test_the_error_names_the_cell_when_its_derivatives_are_not_known(
    rng: np.random.Generator,
) -> None:
    cell = SimpleRnnCell("softmax")
    with pytest.raises(
        LstmProbeError, match=r"no gradient .* Received: SimpleRnnCell\(activation="
    ):
        walk_back(cell, run_of(cell, rng), {"h": np.ones((1, 1, 2, 2))})


@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
def test_flattened_is_the_inverse_of_unflattened(
    data_format: str, rng: np.random.Generator
) -> None:
    shape = (6, 5, 1) if data_format == "channels_last" else (1, 6, 5)
    cell = ConvLstmCell(input_shape=shape, data_format=data_format)
    kernels = rng.normal(size=(3, 2, 1, 8)), rng.normal(size=(3, 2, 2, 8))
    own = cell.prepared(weights.from_keras(*kernels), "float64")
    states = rng.normal(size=(7, 3, cell.output_size(own)))
    images = cell.unflattened(states, own)
    assert images.shape == (7, 3, 4, 4, 2)
    np.testing.assert_array_equal(cell.flattened(images), states)
    first = states[0, 0].reshape(cell.output_shape(own))
    last = first if data_format == "channels_last" else np.moveaxis(first, 0, -1)
    np.testing.assert_array_equal(images[0, 0], last)


def test_a_state_has_its_own_shape_when_the_cell_is_not_convolutional(
    rng: np.random.Generator,
) -> None:
    cell, states = LstmCell(), rng.normal(size=(7, 3, 2))
    kernels = rng.normal(size=(3, 8)), rng.normal(size=(2, 8))
    own = cell.prepared(weights.from_keras(*kernels), "float64")
    assert cell.unflattened(states, own) is states is cell.flattened(states)
