"""How large the layers are that a Keras configuration describes, checked before they are built.

Some numbers and a name take a hundred bytes, and ask for terabytes of weights or of zeros. What
weights a layer has at the least is compared with the bytes of weights that there are; what else
makes arrays larger has a bound. Where the configuration does not tell, the limits of the process
that builds the model hold.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from lstm_probe.core.errors import LstmProbeError

__all__ = ["check_sizes"]

#: Weights that take less than this are harmless, whether they are there or not.
_SMALL = 4096
#: How many values one argument may add to each sequence, such as a padding.
_LARGEST = 2**24
#: Over how many timesteps a layer may be unrolled: its graph has all of them, one by one.
_UNROLLED = 4096
#: Arguments that say how large an output becomes.
_EXTENTS = frozenset(
    {"height", "max_tokens", "n", "num_tokens", "output_sequence_length", "output_size"}
    | {"padding", "size", "target_shape", "width"}
)
#: Weights of a layer for each square of its units, by what its class is called.
_GATES = {"LSTM": 4, "GRU": 3, "SimpleRNN": 1}
#: The narrowest weights that Keras keeps: two bits each.
_PER_BYTE = 4


def check_sizes(path: Path, config: Any, size: int) -> None:
    """Refuse a configuration that describes far more than its weights are, or huge arrays.

    Args:
        path: where it is from, for the message.
        config: as JSON gave it.
        size: how many bytes of weights there are.

    Raises:
        LstmProbeError: it does; the message names the layer and the size.

    Example:
        >>> layer = {"class_name": "RepeatVector", "config": {"name": "again", "n": 10**12}}
        >>> check_sizes(Path("m.keras"), layer, 1000)
        Traceback (most recent call last):
            ...
        lstm_probe.core.errors.LstmProbeError: m.keras is not loaded: its layer 'again' \
(RepeatVector) would fill the memory. Received: n=1000000000000. Expected: at most 16,777,216. If \
you know who made it, --trusted (trusted=True) loads it in full.
    """
    for name, layer in _layers(config):
        held = layer["config"]
        _check_units(path, held.get("units"), size)
        _check_weights(path, name, layer, size)
        for argument in _EXTENTS.intersection(held):
            if _extent(held[argument]) > _LARGEST:
                raise _refused(path, name, layer, f"{argument}={held[argument]}", f"{_LARGEST:,}")
        steps = _timesteps(layer)
        if held.get("unroll") is True and steps > _UNROLLED:
            received = f"{steps:,} timesteps that are unrolled"
            raise _refused(path, name, layer, received, f"{_UNROLLED:,}")


def _layers(config: Any) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Everything that has a class and a configuration, with the name of the layer it is in."""
    waiting = [("", config)]
    while waiting:
        name, node = waiting.pop()
        if isinstance(node, dict):
            held = node.get("config")
            if isinstance(held, dict):
                name = str(held.get("name", name))[:80]
                yield name, node
            waiting.extend((name, each) for each in node.values())
        elif isinstance(node, list):
            waiting.extend((name, each) for each in node)


def _check_units(path: Path, units: Any, size: int) -> None:
    if isinstance(units, int) and 4 * units > max(size, _SMALL):
        raise LstmProbeError(
            f"{path} does not hold what it describes. Received: a layer of {units:,} units "
            f"and {size:,} bytes of weights. Expected: at least four bytes for each unit. "
            "Save the model again."
        )


def _check_weights(path: Path, name: str, layer: Mapping[str, Any], size: int) -> None:
    kind = str(layer.get("class_name"))
    count = _least_weights(kind, layer["config"])
    if count > _PER_BYTE * max(size, _SMALL):
        raise LstmProbeError(
            f"{path} does not hold what it describes. Received: layer {name!a} ({kind[:40]!a}) of "
            f"at least {count:,} weights, and {size:,} bytes of weights in all. Expected: a file "
            "with the weights of all its layers. Save the model again."
        )


def _least_weights(kind: str, held: Mapping[str, Any]) -> int:
    """How many weights a layer of a class has at least; 0 where that is not known."""

    def number(argument: str) -> int:
        value = held.get(argument)
        return value if type(value) is int and value > 0 else 0

    kind = kind.rpartition(">")[2].removeprefix("CuDNN")
    for start, gates in _GATES.items():
        if kind.startswith(start):
            # They are never narrower than a byte.
            return _PER_BYTE * gates * number("units") ** 2
    counts: dict[str, Callable[[], int]] = {
        "Embedding": lambda: number("input_dim") * number("output_dim"),
        "ReversibleEmbedding": lambda: number("input_dim") * number("output_dim"),
        "ConvLSTM": lambda: 4 * number("filters") ** 2 * _extent(held.get("kernel_size")),
        "Conv": lambda: number("filters") * _extent(held.get("kernel_size")),
    }
    return next((count() for start, count in counts.items() if kind.startswith(start)), 0)


def _extent(value: Any) -> int:
    """How many values a size stands for: nested ones are taken as the sides of one array."""
    if isinstance(value, (list, tuple)):
        return math.prod(max(_extent(each), 1) for each in value[:16])
    return abs(value) if isinstance(value, int) else 0


def _timesteps(layer: Mapping[str, Any]) -> int:
    built = layer.get("build_config")
    shape = built.get("input_shape") if isinstance(built, dict) else None
    known = isinstance(shape, (list, tuple)) and len(shape) > 1 and isinstance(shape[1], int)
    return int(shape[1]) if known and shape else 0


def _refused(
    path: Path, name: str, layer: Mapping[str, Any], received: str, most: str
) -> LstmProbeError:
    kind = ascii(str(layer.get("class_name")))[1:-1]
    return LstmProbeError(
        f"{path} is not loaded: its layer {name!a} ({kind[:40]}) would fill the memory. Received: "
        f"{received[:200]}. Expected: at most {most}. If you know who made it, --trusted "
        "(trusted=True) loads it in full."
    )
