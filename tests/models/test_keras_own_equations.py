"""Subclasses of Keras's cells and layers: which of them have other equations."""

from __future__ import annotations

import logging
from collections.abc import Callable
from types import MethodType
from typing import Any

import numpy as np
import pytest
from keras import ops
from test_keras_by_hand import both, randomised, verdicts

from lstm_probe import capture, register_cell
from lstm_probe.analysis import analyse


@pytest.fixture(autouse=True)
def nothing_registered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lstm_probe.cells.custom._registered", {})


def fused(kit: Any) -> Any:
    class Fused(kit.layers.LSTMCell):  # type: ignore[misc, name-defined]
        """Coupled gates, as in many papers."""

        def _compute_carry_and_output_fused(self, z: Any, c_tm1: Any) -> Any:
            i = self.recurrent_activation(z[0])
            c = (1 - i) * c_tm1 + i * self.activation(z[2])
            return c, self.recurrent_activation(z[3])

    return Fused(4)


def split(kit: Any) -> Any:
    class Split(kit.layers.LSTMCell):  # type: ignore[misc, name-defined]
        def _compute_carry_and_output(self, *args: Any) -> Any:
            c, o = super()._compute_carry_and_output(*args)
            return 0.5 * c, o

    return Split(4, implementation=1)


def masked(kit: Any) -> Any:
    class Masked(kit.layers.GRUCell):  # type: ignore[misc, name-defined]
        """Zoneout through the mask of dropout."""

        def get_dropout_mask(self, step_input: Any) -> Any:
            return ops.ones_like(step_input)

        def get_dropout_mask_for_cell(self, inputs: Any, training: Any, count: int = 1) -> Any:
            return [ops.ones_like(inputs)] * count

    return Masked(4)


def called(kit: Any) -> Any:
    class Called(kit.layers.SimpleRNNCell):  # type: ignore[misc, name-defined]
        def call(self, inputs: Any, states: Any, training: Any = False) -> Any:
            h, states = super().call(inputs, states)
            return 2 * h, states

    return Called(4)


def called_around(kit: Any) -> Any:
    class CalledAround(kit.layers.GRUCell):  # type: ignore[misc, name-defined]
        def __call__(self, inputs: Any, states: Any, **options: Any) -> Any:
            return super().__call__(2 * inputs, states, **options)

    return CalledAround(4)


def on_the_instance(kit: Any) -> Any:
    cell = kit.layers.LSTMCell(4)
    own = cell._compute_carry_and_output_fused

    def coupled(self: Any, z: Any, c: Any) -> Any:
        return own((z[0], -z[0], z[2], z[3]), c)

    object.__setattr__(cell, "_compute_carry_and_output_fused", MethodType(coupled, cell))
    return cell


def call_on_the_instance(kit: Any) -> Any:
    cell = kit.layers.GRUCell(4)
    own = cell.call

    def call(inputs: Any, states: Any, training: Any = False) -> Any:
        return own(0.5 * inputs, states)

    object.__setattr__(cell, "call", call)
    return cell


def other_weights(kit: Any) -> Any:
    class Normalised(kit.layers.SimpleRNNCell):  # type: ignore[misc, name-defined]
        """Its kernel is computed from a variable."""

        def build(self, shape: Any) -> None:
            self.v = self.add_weight(shape=(shape[-1], self.units), name="v")
            self.recurrent_kernel = self.add_weight(shape=(4, 4), name="recurrent_kernel")
            self.bias = None
            self.built = True

        @property
        def kernel(self) -> Any:
            return self.v / 2.0

        def call(self, inputs: Any, states: Any, training: Any = False) -> Any:
            h = ops.matmul(inputs, self.kernel) + ops.matmul(states[0], self.recurrent_kernel)
            return h, [h]

    return Normalised(4)


CHANGED: list[Callable[[Any], Any]] = [
    fused, split, masked, called, called_around, on_the_instance, call_on_the_instance,
    other_weights,
]  # fmt: skip


def built(kit: Any, cell: Any, rng: np.random.Generator) -> tuple[Any, Any]:
    x = rng.normal(size=(2, 6, 3)).astype("float32")
    rnn = kit.layers.RNN(cell, return_sequences=True, name="rnn")
    model = kit.Sequential([kit.Input((6, 3)), rnn])
    return randomised(model, x, rng), x


@both
@pytest.mark.parametrize("make", CHANGED)
def test_a_cell_with_other_equations_is_shown_as_one_to_be_registered(
    kit: Any, make: Any, rng: np.random.Generator, caplog: pytest.LogCaptureFixture
) -> None:
    cell = make(kit)
    model, x = built(kit, cell, rng)
    with caplog.at_level(logging.WARNING, "lstm_probe"):
        snapshots = capture(model, x)
    assert verdicts(snapshots) == {"rnn": None}
    trace = analyse(snapshots["rnn"]).trace
    assert trace.letters == ("h",)
    np.testing.assert_allclose(trace.h, ops.convert_to_numpy(model(x)), atol=1e-6)
    assert f"register_cell('{type(cell).__name__}', ...)" in caplog.text


@both
def test_the_equations_of_a_subclass_are_shown_when_they_are_registered(
    kit: Any, rng: np.random.Generator
) -> None:
    model, x = built(kit, fused(kit), rng)

    @register_cell("Fused", ranges={"i": (0, 1), "h": (-1, 1), "c": None}, states=("h", "c"))
    def coupled(x: Any, states: Any, weights: Any) -> Any:
        kernel, recurrent, bias = weights.arrays.values()
        h, c = states
        i, _, g, o = np.split(x @ kernel + h @ recurrent + bias, 4, axis=1)
        i, o = 1 / (1 + np.exp(-i)), 1 / (1 + np.exp(-o))
        c = (1 - i) * c + i * np.tanh(g)
        h = o * np.tanh(c)
        return {"i": i, "h": h, "c": c}, [h, c]

    assert verdicts(capture(model, x)) == {"rnn": "match"}


@both
def test_a_subclass_that_computes_the_same_is_taken_for_its_parent(
    kit: Any, rng: np.random.Generator, caplog: pytest.LogCaptureFixture
) -> None:
    class Documented(kit.layers.LSTMCell):  # type: ignore[misc, name-defined]
        """Its variables, configuration and dropout are made in its own way."""

        def build(self, shape: Any) -> None:
            super().build(shape)
            self.scale = self.add_weight(shape=(), name="scale")

        def get_config(self) -> Any:
            return {**super().get_config(), "more": 1}

        def reset_dropout_mask(self) -> None:
            return None

    model, x = built(kit, Documented(4), rng)
    with caplog.at_level(logging.WARNING, "lstm_probe"):
        assert verdicts(capture(model, x)) == {"rnn": "match"}
    assert "register_cell" not in caplog.text


@both
@pytest.mark.parametrize("factor", [1.0, 2.0])
def test_a_layer_of_the_users_own_is_what_it_computes(
    kit: Any, factor: float, rng: np.random.Generator, caplog: pytest.LogCaptureFixture
) -> None:
    class Scaled(kit.layers.GRU):  # type: ignore[misc, name-defined]
        def call(
            self, sequences: Any, initial_state: Any = None, mask: Any = None,
            training: Any = False,
        ) -> Any:  # fmt: skip
            return super().call(factor * sequences, mask=mask, initial_state=initial_state)

    x = rng.normal(size=(2, 6, 3)).astype("float32")
    layer = Scaled(4, return_sequences=True, name="scaled")
    model = randomised(kit.Sequential([kit.Input((6, 3)), layer]), x, rng)
    with caplog.at_level(logging.WARNING, "lstm_probe"):
        snapshots = capture(model, x)
    assert verdicts(snapshots) == {"scaled": "match" if factor == 1 else None}
    assert ("Scaled replaces call" in caplog.text) == (factor != 1)
    np.testing.assert_allclose(
        snapshots["scaled"].output, ops.convert_to_numpy(model(x)), atol=1e-6
    )
