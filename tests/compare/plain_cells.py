"""The cells of the grid: options and random distinct weights, without any framework."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

import lstm_probe
from lstm_probe import ConvLstmCell, GruCell, LstmCell, SimpleRnnCell, weights

__all__ = ["CELLS", "Case", "Situation", "situations"]

UNITS, FEATURES = 5, 3
_ALL_ACTIVATIONS = (  # noqa: SIM905 - one line for each would be long
    "celu elu exponential gelu hard_shrink hard_sigmoid hard_sigmoid_keras2 hard_silu hard_swish "
    "hard_tanh leaky_relu linear log_sigmoid log_softmax mish relu relu6 selu sigmoid silu "
    "soft_shrink softmax softplus softsign sparse_plus sparse_sigmoid sparsemax squareplus swish "
    "tanh tanh_shrink"
).split()
_SIGMOIDS = ("hard_sigmoid", "hard_sigmoid_keras2", "sparse_sigmoid", "softmax", "relu6")


@dataclass(frozen=True)
class Case:
    """One cell with its weights.

    Attributes:
        cell: the options.
        weights: in float64.
        shape: of the input at one step.
        states: the shape of each state.
    """

    cell: Any
    weights: Any
    shape: tuple[int, ...]
    states: tuple[tuple[int, ...], ...]

    def run(self, x: np.ndarray, **options: Any) -> lstm_probe.GateTrace:
        """The trace, by the public function of the cell's name."""
        name = {LstmCell: "lstm", GruCell: "gru", SimpleRnnCell: "simple_rnn"}.get(
            type(self.cell), "conv_lstm"
        )
        return getattr(lstm_probe, name)(x, self.weights, cell=self.cell, **options)


@dataclass(frozen=True)
class Situation:
    """What a cell is run on."""

    name: str
    x: np.ndarray
    mask: np.ndarray | None = None
    initial_state: tuple[np.ndarray, ...] | None = None


def situations(case: Case, rng: np.random.Generator) -> Iterator[Situation]:
    """One sequence; many; masked in many ways; from given states; and a single step."""
    yield Situation("one", rng.normal(size=(1, 9, *case.shape)))
    yield Situation("many", 1.5 * rng.normal(size=(5, 7, *case.shape)))
    mask = rng.random((4, 8)) > 0.4
    mask[0], mask[1, :3], mask[2, 5:] = False, False, False
    yield Situation("masked", rng.normal(size=(4, 8, *case.shape)), mask)
    begun = tuple(rng.normal(0, 0.5, (4, *shape)) for shape in case.states)
    yield Situation("begun", rng.normal(size=(4, 8, *case.shape)), mask, begun)
    yield Situation("single", rng.normal(size=(2, 1, *case.shape)))


def _lstm(rng: np.random.Generator, kind: str = "", **options: Any) -> Case:
    """An LSTM; the kind names what its weights have beyond the plain ones."""
    coupled = "coupled" in kind
    gates, output = 3 if coupled else 4, 3 if "projection" in kind else UNITS
    shapes = {
        "kernel": (FEATURES, gates, UNITS),
        "recurrent_kernel": (output, gates, UNITS),
        "bias": None if "bare" in kind else (gates, UNITS),
        "peepholes": (gates - 1, UNITS) if "peepholes" in kind else None,
        "projection": (UNITS, output) if "projection" in kind else None,
        "projection_bias": (output,) if "projection bias" in kind else None,
        "norm_scale": (gates, UNITS) if "norm" in kind else None,
        "state_norm": (2, UNITS) if "state norm" in kind else None,
    }
    arrays = {
        name: None if shape is None else rng.normal(0, 0.6, shape) for name, shape in shapes.items()
    }
    made = weights.CoupledLstmWeights if coupled else weights.LstmWeights
    return Case(LstmCell(**options), made(**arrays), (FEATURES,), ((output,), (UNITS,)))


def _gru(rng: np.random.Generator, biases: int = 2, **options: Any) -> Case:
    arrays = [rng.normal(0, 0.6, (size, 3, UNITS)) for size in (FEATURES, UNITS)]
    arrays += [rng.normal(0, 0.6, (3, UNITS)) for _ in range(biases)]
    return Case(GruCell(**options), weights.GruWeights(*arrays), (FEATURES,), ((UNITS,),))


def _simple(rng: np.random.Generator, **options: Any) -> Case:
    shapes = ((FEATURES, 1, UNITS), (UNITS, 1, UNITS), (1, UNITS))
    arrays = [rng.normal(0, 0.4, shape) for shape in shapes]
    made = weights.SimpleRnnWeights(*arrays)
    return Case(SimpleRnnCell(**options), made, (FEATURES,), ((UNITS,),))


def _conv(rng: np.random.Generator, space: tuple[int, ...], **options: Any) -> Case:
    filters, channels, size = 3, 2, (3, 2, 2)[: len(space)]
    shapes = ((*size, channels, 4, filters), (*size, filters, 4, filters), (4, filters))
    made = weights.ConvLstmWeights(*(rng.normal(0, 0.3, shape) for shape in shapes))
    first = options.get("data_format") == "channels_first"
    shape = (channels, *space) if first else (*space, channels)
    cell = ConvLstmCell(input_shape=shape, **options)
    state = cell.output_shape(made)
    return Case(cell, made, shape, (tuple(state), tuple(state)))


def _cells() -> dict[str, Case]:
    rng = np.random.default_rng(20270102)
    kinds = (
        "bare", "peepholes", "coupled", "coupled peepholes", "projection", "projection bias",
        "norm", "norm state norm", "peepholes projection norm state norm", "coupled norm",
    )  # fmt: skip
    made = {
        "lstm": _lstm(rng),
        "lstm forget bias": _lstm(rng, forget_bias=1.0),
        "lstm bare forget bias": _lstm(rng, "bare", forget_bias=0.7),
        **{f"lstm {kind}": _lstm(rng, kind) for kind in kinds},
        "lstm clip": _lstm(rng, cell_clip=0.3),
        "lstm peepholes clip": _lstm(rng, "peepholes", cell_clip=0.2, forget_bias=1.0),
        "lstm projection clips": _lstm(rng, "projection", cell_clip=0.4, proj_clip=0.15),
        "lstm coupled projection clips": _lstm(
            rng, "coupled projection bias", cell_clip=0.4, proj_clip=0.15
        ),
        "lstm everything": _lstm(
            rng, "peepholes projection bias norm state norm", cell_clip=0.5, proj_clip=0.3,
            norm_epsilon=1e-6, forget_bias=0.5, recurrent_activation="hard_sigmoid",
        ),
        "lstm of functions": _lstm(rng, activation=np.sin, recurrent_activation=np.cos),
        "gru": _gru(rng),
        "gru before": _gru(rng, biases=1, reset_after=False),
        "gru before two biases": _gru(rng, reset_after=False),
        "gru after one bias": _gru(rng, biases=1, reset_after=True),
        "gru bare": _gru(rng, biases=0),
        "gru bare after": _gru(rng, biases=0, reset_after=True),
    }  # fmt: skip
    for name in _SIGMOIDS:
        made[f"lstm gates {name}"] = _lstm(rng, recurrent_activation=name)
        made[f"gru gates {name}"] = _gru(rng, recurrent_activation=name)
        made[f"lstm peepholes gates {name}"] = _lstm(rng, "peepholes", recurrent_activation=name)
    for name in _ALL_ACTIVATIONS:
        made[f"rnn {name}"] = _simple(rng, activation=name)
    for name in ("softsign", "relu", "hard_tanh", "gelu", "linear", "softmax", "softplus"):
        made[f"lstm of {name}"] = _lstm(rng, activation=name)
        made[f"gru of {name}"] = _gru(rng, activation=name)
        made[f"gru before of {name}"] = _gru(rng, biases=1, reset_after=False, activation=name)
    same = {"padding": "same"}
    made |= {
        "conv 1d": _conv(rng, (6,)),
        "conv 1d dilated": _conv(rng, (7,), dilation=(2,)),
        "conv 2d": _conv(rng, (5, 4)),
        "conv 2d same": _conv(rng, (5, 4), **same, recurrent_activation="hard_sigmoid_keras2"),
        "conv 2d strided": _conv(rng, (5, 6), **same, strides=(2, 1)),
        "conv 2d channels first": _conv(rng, (4, 5), data_format="channels_first"),
        "conv 2d of relu": _conv(rng, (4, 4), activation="softsign"),
        "conv 3d": _conv(rng, (4, 3, 3), **same),
    }
    return made


#: By name.
CELLS = _cells()
