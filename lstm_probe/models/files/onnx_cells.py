"""What an ONNX `LSTM`, `GRU` or `RNN` node says of its cell, besides the weights."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from lstm_probe.cells.base import Cell
from lstm_probe.cells.gru_cell.cell import GruCell
from lstm_probe.cells.lstm_cell.cell import LstmCell
from lstm_probe.cells.simple_rnn_cell.cell import SimpleRnnCell
from lstm_probe.core.activations import Activation, ActivationLike, get_activation
from lstm_probe.core.arrays import Array, BoolArray
from lstm_probe.core.errors import LstmProbeError

__all__ = ["cell_from_onnx", "mask_from_onnx"]


def cell_from_onnx(
    op_type: str,
    attributes: Mapping[str, Any] | None = None,
    *,
    direction: int = 0,
    as_runtime: bool = False,
) -> Cell[Any]:
    """The cell of one direction of an ONNX node; the weights are what `from_onnx` makes.

    Args:
        op_type: `LSTM`, `GRU` or `RNN`.
        attributes: those of the node, such as `activations` (for every direction in turn),
            `activation_alpha`, `activation_beta`, `clip`, `linear_before_reset`.
        direction: 0, or 1 for the backward direction of a bidirectional node.
        as_runtime: whether the cell computes what ONNX Runtime computes where that is something
            else than the specification says.

    Returns:
        The cell. A `clip` bounds what goes into each activation. That is the letter of the
        specification; ONNX Runtime (1.32) lets the cell state of an LSTM go into its last
        activation as it is, which differs where `|c|` is above the clip.

    Raises:
        LstmProbeError: an operator or an activation that ONNX does not have, or a list of
            activations that does not fit.

    Source:
        https://github.com/onnx/onnx/blob/main/docs/Operators.md, `LSTM`, `GRU` and `RNN`.

    Example:
        >>> cell_from_onnx("GRU", {"linear_before_reset": 1}).reset_after
        True
        >>> cell_from_onnx("RNN", {"activations": ["Tanh", "Relu"]}, direction=1).activation
        'relu'
    """
    attributes = attributes or {}
    if op_type not in _DEFAULTS:
        raise LstmProbeError(
            f"ONNX has no such recurrent operator. Received: {op_type!r}. Expected one of "
            f"{', '.join(_DEFAULTS)}."
        )
    clip = attributes.get("clip") or None  # ONNX has no clip of 0: runtimes take it for none
    named = _named(op_type, attributes, direction)
    if op_type == "LSTM":
        sigma, phi, psi = named
        return LstmCell(
            phi,
            sigma,
            state_activation=None if _same(phi, psi) else psi,
            gate_clip=clip,
            state_clip=None if as_runtime else clip,
        )
    first, *others = (_clipped(each, clip) for each in named)
    if op_type == "RNN":
        return SimpleRnnCell(first)
    return GruCell(others[0], first, reset_after=bool(attributes.get("linear_before_reset", 0)))


def mask_from_onnx(sequence_lens: npt.ArrayLike, timesteps: int) -> BoolArray:
    """The mask `(batch, time)` that stands for a node's `sequence_lens`.

    ONNX gives zeros past the end of a sequence, which is `zero_output_for_mask`. A backward
    direction starts each sequence at its own end, as a masked one does here.

    Args:
        sequence_lens: `(batch,)`, whole numbers from 0 to `timesteps`.
        timesteps: how long the input is.

    Raises:
        LstmProbeError: they are not such lengths.

    Example:
        >>> mask_from_onnx([2, 0], 3).tolist()
        [[True, True, False], [False, False, False]]
    """
    lengths = np.asarray(sequence_lens)
    fits = lengths.ndim == 1 and lengths.dtype.kind in "iu"
    if not fits or (lengths < 0).any() or (lengths > timesteps).any():
        raise LstmProbeError(
            f"These are no lengths of sequences. Received: {lengths!r}. Expected: (batch,) whole "
            f"numbers from 0 to {timesteps}."
        )
    mask: BoolArray = np.arange(timesteps) < lengths[:, None]
    return mask


def _clipped(activation: ActivationLike, clip: float | None) -> ActivationLike:
    if clip is None:
        return activation
    function = get_activation(activation)

    def clipped(x: Array) -> Array:
        return function(np.clip(x, -clip, clip))

    return clipped


def _named(op_type: str, attributes: Mapping[str, Any], direction: int) -> Sequence[ActivationLike]:
    """The activations of a direction: `f`, `g` and `h` of the node, as far as it has them."""
    defaults = _DEFAULTS[op_type]
    count = len(defaults)
    names = [_text(name) for name in attributes.get("activations") or defaults * (direction + 1)]
    if len(names) not in (count, 2 * count) or len(names) < count * (direction + 1):
        raise LstmProbeError(
            f"The activations do not fit the node. Received: {names} for direction {direction} of "
            f"an {op_type}. Expected: {count} for each direction, such as {list(defaults)}."
        )
    numbers = [iter(attributes.get(f"activation_{each}") or ()) for each in ("alpha", "beta")]
    made = [_activation(name, *numbers) for name in names]
    start = count * direction
    return made[start : start + count]


def _activation(name: str, alphas: Iterator[float], betas: Iterator[float]) -> ActivationLike:
    """An activation, by name where the core has one; it takes its constants off the lists."""
    known = name.lower()
    if known in _PLAIN:
        return known
    if known not in _PARAMETRIC:
        raise LstmProbeError(
            f"ONNX has no such activation. Received: {name!r}. Expected one of "
            f"{', '.join(sorted([*_PLAIN, *_PARAMETRIC]))}."
        )
    make, *defaults = _PARAMETRIC[known]
    values = [
        next(numbers, default) for numbers, default in zip((alphas, betas), defaults, strict=False)
    ]
    if known == "hardsigmoid" and np.allclose(values, (0.2, 0.5), rtol=1e-6):
        return "hard_sigmoid_keras2"
    return make(*values)


def _same(one: ActivationLike, other: ActivationLike) -> bool:
    x = np.linspace(-4, 4, 81)
    return np.array_equal(get_activation(one)(x), get_activation(other)(x))


def _text(name: str | bytes) -> str:
    return name.decode() if isinstance(name, bytes) else name  # protobuf keeps bytes


def _affine(alpha: float, beta: float) -> Activation:
    return lambda x: alpha * x + beta


def _leaky_relu(alpha: float) -> Activation:
    return lambda x: np.where(x >= 0, x, alpha * x)


def _thresholded_relu(alpha: float) -> Activation:
    return lambda x: np.where(x > alpha, x, 0 * x)


def _scaled_tanh(alpha: float, beta: float) -> Activation:
    return lambda x: alpha * np.tanh(beta * x)


def _hard_sigmoid(alpha: float, beta: float) -> Activation:
    return lambda x: np.clip(alpha * x + beta, 0, 1)


def _elu(alpha: float) -> Activation:
    return lambda x: np.where(x >= 0, x, alpha * np.expm1(np.minimum(x, 0)))


_DEFAULTS: dict[str, tuple[str, ...]] = {
    "LSTM": ("Sigmoid", "Tanh", "Tanh"),
    "GRU": ("Sigmoid", "Tanh"),
    "RNN": ("Tanh",),
}
_PLAIN = frozenset({"relu", "tanh", "sigmoid", "softsign", "softplus"})
#: What makes each activation, and ONNX's defaults of its alpha and beta.
_PARAMETRIC: dict[str, tuple[Any, ...]] = {
    "affine": (_affine, 1.0, 0.0),
    "leakyrelu": (_leaky_relu, 0.01),
    "thresholdedrelu": (_thresholded_relu, 1.0),
    "scaledtanh": (_scaled_tanh, 1.0, 1.0),
    "hardsigmoid": (_hard_sigmoid, 0.2, 0.5),
    "elu": (_elu, 1.0),
}
