"""A grid of Keras layers: cell x wrapper x mask x state x activation x dtype x shape.

The configurations are drawn at random from a fixed seed, each option in turn so that every value of
every option occurs. Weights are random and distinct, of a size at which the recurrence does not
amplify rounding: what the bounds are for.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import keras
import numpy as np
from keras import layers, ops

__all__ = ["BOUNDS", "Config", "build", "configs"]

BOUNDS = {"float64": 1e-13, "float32": 1e-5, "mixed_float16": 3e-3, "mixed_bfloat16": 2.5e-2}

_CELLS = ("lstm", "gru_after", "gru_before", "simple_rnn", "conv1d", "conv2d", "conv3d")
_WRAPPERS = ("none", "cell", "concat", "sum", "mul", "ave", "time_distributed", "nested", "stacked")
_MERGED = ("concat", "sum", "mul", "ave")
_MASKS = ("none", "left", "right", "holes", "full row", "all")
_STATES = ("zeros", "given", "stateful")
_DTYPES = ("float32", "float32", "float64", "mixed_float16", "mixed_bfloat16")
_BOUNDED = ("tanh", "tanh", "tanh", "softsign", "hard_tanh", "sigmoid", "softmax")
_UNBOUNDED = ("relu", "elu", "selu", "silu", "softplus", "linear", "gelu", "mish", "leaky_relu")
_GATES = ("sigmoid", "sigmoid", "hard_sigmoid", "softmax", "sparse_sigmoid")
_UNITS = (1, 2, 3, 5, 8, 16, 33, 64, 128, 257)
_TIMES = (1, 2, 3, 5, 8, 12, 28, 60, 150, 300)


@dataclass(frozen=True)
class Config:
    """One layer, and the input that it is probed with."""

    number: int
    cell: str
    wrapper: str
    mask: str
    state: str
    dtype: str
    activation: str
    recurrent_activation: str
    units: int
    time: int
    features: int
    batch: int
    flags: tuple[str, ...]

    @property
    def seed(self) -> int:
        return 1000 + self.number

    @property
    def convolutional(self) -> bool:
        return self.cell.startswith("conv")


def configs(count: int) -> Iterator[Config]:
    """The first so many configurations; they are always the same."""
    rng = np.random.default_rng(4)
    pick = lambda options: options[int(rng.integers(len(options)))]  # noqa: E731
    for number in range(count):
        dtype = _DTYPES[number % len(_DTYPES)]
        cell = _CELLS[(number // len(_DTYPES)) % len(_CELLS)]
        convolutional = cell.startswith("conv")
        simple = convolutional or dtype.startswith("mixed")
        # TensorFlow rounds gelu's and leaky_relu's constants to float32, even in float64.
        exact = [a for a in _UNBOUNDED if dtype != "float64" or a not in ("gelu", "leaky_relu")]
        wrapper = pick(("none", "none", "concat")) if convolutional else pick(_WRAPPERS)
        plain = wrapper in ("none", "cell")
        state = pick(_STATES) if plain and not convolutional else "zeros"
        time = pick(_TIMES[:4]) if convolutional else pick(_TIMES)
        activation = pick(_BOUNDED if simple or number % 3 else exact)
        gate = pick(_GATES[:3] if convolutional else _GATES)
        # Keras warns of a softmax over one unit.
        sizes = _UNITS[1:] if "softmax" in (activation, gate) else _UNITS
        config = Config(
            number=number,
            cell=cell,
            wrapper=wrapper,
            mask="none" if wrapper == "time_distributed" else pick(_MASKS),
            state=state,
            dtype=dtype,
            activation=activation,
            recurrent_activation=gate,
            units=pick(sizes[:4] if convolutional else sizes),
            time=time,
            features=pick((1, 2, 3, 7, 30)) if not convolutional else pick((1, 2)),
            batch=pick((1, 2, 3)),
            flags=tuple(_flags(rng, cell, wrapper, time)),
        )
        yield _runnable(config)


def _runnable(config: Config) -> Config:
    """Without `unroll` where Keras then zeroes the wrong steps: see test_keras_cells.py."""
    both = config.wrapper in _MERGED
    if config.mask != "none" and (both or {"zero_output", "backwards"} <= set(config.flags)):
        return replace(config, flags=tuple(flag for flag in config.flags if flag != "unroll"))
    return config


def _flags(rng: np.random.Generator, cell: str, wrapper: str, time: int) -> Iterator[str]:
    some = ["no_bias", "sequences", "zero_output", "dropout", "recurrent_dropout"]
    if wrapper in ("none", "cell", "nested"):
        some.append("backwards")
    if not cell.startswith("conv") and time <= 12:
        some.append("unroll")
    if cell in ("lstm", "gru_after", "gru_before"):
        some.append("implementation_1")
    if cell == "lstm" or cell.startswith("conv"):
        some.append("no_forget_bias")
    if cell.startswith("conv"):
        # channels_first does not run on TensorFlow's CPU kernels: see test_cells_conv_lstm.py
        some += ["same", "strided", "dilated"]
    for flag in some:
        if rng.random() < (0.5 if flag == "sequences" else 0.25):
            yield flag


def build(config: Config) -> tuple[keras.layers.Layer, list[keras.KerasTensor], Any, list[Any]]:
    """The layer, the model's inputs, the model's output, and the probe."""
    rng = np.random.default_rng(config.seed)
    x, mask = _probe(config, rng)
    batch = {"batch_size": config.batch} if config.state == "stateful" else {}
    inputs = [keras.Input(x.shape[1:], dtype="float64", **batch)]
    probe = [x]
    call: dict[str, Any] = {}
    if mask is not None:
        inputs.append(keras.Input(mask.shape[1:], dtype="bool", **batch))
        probe.append(mask)
        call["mask"] = inputs[-1]
    if config.state == "given":
        states = [keras.Input((config.units,)) for _ in range(2 if config.cell == "lstm" else 1)]
        inputs += states
        probe += [rng.normal(0, 0.5, (config.batch, config.units)) for _ in states]
        call["initial_state"] = states
    layer = _layer(config)
    output = layer(inputs[0], **call)
    _randomise(config, layer, rng)
    return layer, inputs, output, probe


def _probe(config: Config, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray | None]:
    space: tuple[int, ...] = ()
    if config.convolutional:
        space = (7, 6, 5)[: int(config.cell[4])]
    shape = (config.time, *space, config.features)
    if config.wrapper == "time_distributed":
        shape = (3, *shape)
    x = rng.normal(size=(config.batch, *shape))
    if config.mask == "none":
        return x, None
    steps, cut = np.arange(config.time), int(rng.integers(0, config.time + 1))
    valid = {
        "left": steps >= cut,
        "right": steps < max(1, cut),
        "all": steps >= 0,
    }.get(config.mask, rng.random((config.batch, config.time)) > 0.4)
    mask = np.array(np.broadcast_to(valid, (config.batch, config.time)))
    if config.mask == "full row":
        mask[0] = False
    return x, mask


def _layer(config: Config) -> keras.layers.Layer:
    if config.wrapper == "cell":
        return layers.RNN(_cell(config), **_layer_options(config))
    if config.wrapper == "stacked":
        cells = [_cell(config), layers.GRUCell(4, dtype=config.dtype), _cell(config)]
        stack = layers.StackedRNNCells(cells, dtype=config.dtype)
        return layers.RNN(stack, **_layer_options(config))
    layer = _plain(config)
    if config.wrapper in _MERGED:
        return layers.Bidirectional(layer, merge_mode=config.wrapper, dtype=config.dtype)
    if config.wrapper == "time_distributed":
        return layers.TimeDistributed(layer, dtype=config.dtype)
    if config.wrapper == "nested":
        return _Nested(layer, dtype=config.dtype)
    return layer


class _Nested(keras.layers.Layer):
    """A layer of a user's own that holds the recurrent one."""

    def __init__(self, inner: keras.layers.Layer, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.inner = inner
        self.supports_masking = True

    def call(self, x: Any, mask: Any = None) -> Any:
        return ops.multiply(self.inner(x, mask=mask), 1.0)


def _cell_options(config: Config) -> dict[str, Any]:
    options: dict[str, Any] = {
        "activation": config.activation,
        "use_bias": "no_bias" not in config.flags,
        "dropout": 0.3 if "dropout" in config.flags else 0.0,
        "recurrent_dropout": 0.3 if "recurrent_dropout" in config.flags else 0.0,
        "dtype": config.dtype,
    }
    if config.cell != "simple_rnn":
        options["recurrent_activation"] = config.recurrent_activation
    if config.cell.startswith("gru"):
        options["reset_after"] = config.cell == "gru_after"
    if "implementation_1" in config.flags:
        options["implementation"] = 1
    if "no_forget_bias" in config.flags:
        options["unit_forget_bias"] = False
    return options


def _layer_options(config: Config) -> dict[str, Any]:
    return {
        "return_sequences": "sequences" in config.flags,
        "go_backwards": "backwards" in config.flags,
        "zero_output_for_mask": "zero_output" in config.flags,
        "stateful": config.state == "stateful",
        "unroll": "unroll" in config.flags,
        "dtype": config.dtype,
    }


def _cell(config: Config) -> Any:
    name = {"lstm": "LSTMCell", "simple_rnn": "SimpleRNNCell"}.get(config.cell, "GRUCell")
    options = _cell_options(config)
    options.pop("implementation", None)
    return getattr(layers, name)(config.units, **options)


def _plain(config: Config) -> keras.layers.Layer:
    options = {**_cell_options(config), **_layer_options(config)}
    if not config.convolutional:
        name = {"lstm": "LSTM", "simple_rnn": "SimpleRNN"}.get(config.cell, "GRU")
        return getattr(layers, name)(config.units, **options)
    options.pop("unroll")
    rank = int(config.cell[4])
    options["padding"] = "same" if "same" in config.flags else "valid"
    if "strided" in config.flags:
        options["strides"] = (2, 1, 1)[:rank]
    elif "dilated" in config.flags and rank < 3:
        options["dilation_rate"] = 2
    name = f"ConvLSTM{rank}D"
    return getattr(layers, name)(config.units, (2, 3, 2)[:rank], **options)


def _randomise(config: Config, layer: keras.layers.Layer, rng: np.random.Generator) -> None:
    bounded = config.activation in _BOUNDED
    for variable in layer.variables:
        if "seed" in variable.path:
            continue
        fan = max(1, int(np.prod(variable.shape[:-1])))
        scale = (0.8 if bounded else 0.4) / np.sqrt(fan)
        if len(variable.shape) == 1 or "bias" in variable.path:
            scale = 0.3 if bounded else 0.1
        variable.assign(rng.normal(0, scale, variable.shape))
    for inner in layer._flatten_layers():
        for state in getattr(inner, "states", None) or []:
            state.assign(rng.normal(0, 0.5, state.shape))
