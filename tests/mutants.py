"""One thing broken in a snapshot, each from a known trap; None where it does not apply.

The official tables of Keras, ONNX and TF1 use constant weights and notice few of these.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import fields, replace

import numpy as np

from lstm_probe import ConvLstmCell, GruCell, LstmCell, Snapshot
from lstm_probe.weights import ConvLstmWeights, GateWeights, GruWeights, LstmWeights

__all__ = ["MUTANTS", "cause"]

Mutant = Callable[[Snapshot], Snapshot | None]
MUTANTS: dict[str, Mutant] = {}
#: The arrays that have an axis of gates.
_GATED = ("kernel", "recurrent_kernel", "bias", "recurrent_bias")


def mutant(name: str) -> Callable[[Mutant], Mutant]:
    def add(function: Mutant) -> Mutant:
        MUTANTS[name] = function
        return function

    return add


def _permuted(snapshot: Snapshot, order: Sequence[int], kind: type[GateWeights]) -> Snapshot | None:
    weights = snapshot.weights
    if not isinstance(weights, kind) or weights.units < 2 or len(weights.gates) != len(order):
        return None
    swapped = {
        field.name: array[..., list(order), :]
        for field in fields(weights)
        if (array := getattr(weights, field.name)) is not None and field.name in _GATED
    }
    return replace(snapshot, weights=replace(weights, **swapped))


def _orders() -> None:
    """Each framework's order read as another's."""
    lstm = {"TF1 i j f o": (0, 2, 1, 3), "ONNX i o f c": (0, 2, 3, 1), "f i c o": (1, 0, 2, 3)}
    for name, order in lstm.items():
        MUTANTS[f"LSTM gates in the order {name}"] = lambda s, o=order: _permuted(s, o, LstmWeights)
    for name, order in {"TF1 r u": (1, 0, 2), "g r z": (2, 1, 0)}.items():
        MUTANTS[f"GRU gates in the order {name}"] = lambda s, o=order: _permuted(s, o, GruWeights)
    MUTANTS["ConvLSTM gates in the order i j f o"] = lambda s: _permuted(
        s, (0, 2, 1, 3), ConvLstmWeights
    )


_orders()


@mutant("bias dropped")
def _no_bias(s: Snapshot) -> Snapshot | None:
    weights = s.weights
    if not isinstance(weights, GateWeights) or weights.bias is None:
        return None
    if isinstance(weights, GruWeights):
        return replace(s, weights=replace(weights, bias=np.zeros_like(weights.bias)))
    return replace(s, weights=replace(weights, bias=None))


@mutant("GRU biases merged")
def _merged(s: Snapshot) -> Snapshot | None:
    weights = s.weights
    if not isinstance(weights, GruWeights) or weights.recurrent_bias is None:
        return None
    both = weights.bias + weights.recurrent_bias
    zeros = np.zeros_like(both)
    return replace(s, weights=replace(weights, bias=both, recurrent_bias=zeros))


@mutant("GRU reset on the other side of the product")
def _reset(s: Snapshot) -> Snapshot | None:
    if not isinstance(s.cell, GruCell) or s.timesteps < 2:
        return None
    return replace(s, cell=replace(s.cell, reset_after=not s.cell.reset_after))


@mutant("recurrent kernel transposed")
def _transposed(s: Snapshot) -> Snapshot | None:
    weights = s.weights
    if not isinstance(weights, GateWeights) or weights.recurrent_kernel.ndim != 3:
        return None
    if weights.units < 2 or s.timesteps < 2 or weights.output_size != weights.units:
        return None
    turned = weights.recurrent_kernel.swapaxes(0, 2)
    return replace(s, weights=replace(weights, recurrent_kernel=np.ascontiguousarray(turned)))


@mutant("forget bias added at run time")
def _forget_bias(s: Snapshot) -> Snapshot | None:
    if not isinstance(s.cell, LstmCell) or s.timesteps < 3:
        return None
    return replace(s, cell=replace(s.cell, forget_bias=1.0))


def _activation(old: str, new: str, option: str) -> Mutant:
    def change(s: Snapshot) -> Snapshot | None:
        if getattr(s.cell, option, None) != old:
            return None
        return replace(s, cell=replace(s.cell, **{option: new}))

    return change


MUTANTS["hard_sigmoid of Keras 2"] = _activation(
    "hard_sigmoid", "hard_sigmoid_keras2", "recurrent_activation"
)
MUTANTS["hard_sigmoid for sigmoid"] = _activation("sigmoid", "hard_sigmoid", "recurrent_activation")
MUTANTS["softsign for tanh"] = _activation("tanh", "softsign", "activation")
MUTANTS["relu for leaky_relu"] = _activation("leaky_relu", "relu", "activation")
MUTANTS["silu for gelu"] = _activation("gelu", "silu", "activation")


def _has_gaps(s: Snapshot) -> bool:
    return s.mask is not None and not s.mask.all() and bool(s.mask.any())


@mutant("mask ignored")
def _unmasked(s: Snapshot) -> Snapshot | None:
    return replace(s, mask=None) if _has_gaps(s) else None


@mutant("masked outputs zero instead of repeated, or the reverse")
def _zeros(s: Snapshot) -> Snapshot | None:
    if not _has_gaps(s):
        return None
    return replace(s, zero_output_for_mask=not s.zero_output_for_mask)


@mutant("mask shifted by one step")
def _shifted(s: Snapshot) -> Snapshot | None:
    return replace(s, mask=np.roll(s.mask, 1, axis=1)) if _has_gaps(s) else None


@mutant("read in the other direction")
def _reversed(s: Snapshot) -> Snapshot | None:
    return replace(s, reverse=not s.reverse) if s.timesteps > 1 else None


@mutant("initial state dropped")
def _stateless(s: Snapshot) -> Snapshot | None:
    return None if s.initial_state is None else replace(s, initial_state=None)


@mutant("states in the order (c, h)")
def _swapped(s: Snapshot) -> Snapshot | None:
    if s.initial_state is None or len({state.shape for state in s.initial_state}) > 1:
        return None
    if len(s.initial_state) < 2:
        return None
    return replace(s, initial_state=s.initial_state[::-1])


@mutant("output one step late")
def _late(s: Snapshot) -> Snapshot | None:
    # Of two steps, it is the same as leaving the output reversed.
    return replace(s, output=np.roll(s.output, 1, axis=1)) if s.timesteps > 2 else None


@mutant("last output that of another step")
def _last(s: Snapshot) -> Snapshot | None:
    if s.final_output is None or s.timesteps < 3:
        return None
    return replace(s, final_output=s.output[:, s.timesteps // 2])


@mutant("convolution padded at the start")
def _padded(s: Snapshot) -> Snapshot | None:
    """Even kernels pad more at the end: reading everything mirrored pads at the start."""
    if not isinstance(s.cell, ConvLstmCell) or s.cell.padding != "same" or max(s.cell.strides) > 1:
        return None
    weights = s.weights
    assert isinstance(weights, GateWeights)
    axes = tuple(range(weights.kernel.ndim - 3))
    return replace(
        s,
        weights=replace(
            weights,
            kernel=np.flip(weights.kernel, axes),
            recurrent_kernel=np.flip(weights.recurrent_kernel, axes),
        ),
    )


_CAUSES = {
    "bias dropped": "bias",
    "GRU biases merged": "bias",
    "GRU reset on the other side of the product": "reset_after",
    "recurrent kernel transposed": "transposed",
    "forget bias added at run time": "forget_bias",
    "hard_sigmoid of Keras 2": "sigmoid",
    "hard_sigmoid for sigmoid": "sigmoid",
    "softsign for tanh": "activation",
    "relu for leaky_relu": "activation",
    "silu for gelu": "activation",
    "mask ignored": "mask",
    "masked outputs zero instead of repeated, or the reverse": "mask",
    "mask shifted by one step": "mask",
    "read in the other direction": "direction",
    "initial state dropped": "initial_state",
    "states in the order (c, h)": "initial_state",
    "output one step late": "shift",
    "last output that of another step": "last_output",
    "convolution padded at the start": "mirrored",
}


def cause(name: str) -> str:
    """The convention that a mutant breaks, as `find_convention` names it."""
    return _CAUSES.get(name, "gate_order")
