"""What files of older Keras leave unsaid, and what they call otherwise.

Keras up to 2.1 had no `reset_after`, and its GRU applied the reset gate before the product. Its
configurations do not name the option, whose default is True today. Up to 2.2 the gates of LSTM and
GRU had a hard sigmoid by default. Keras 1 kept the weights of each gate apart.

Source: tf_keras/src/saving/legacy/hdf5_format.py, `preprocess_weights_for_loading`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np

from lstm_probe.core.arrays import Array

__all__ = [
    "has_hard_sigmoid",
    "is_of_keras_1",
    "joined_gates",
    "naming_former_defaults",
    "with_former_defaults",
]

_WITHOUT_RESET = ("GRU", "GRUCell")
#: Layers whose units Keras 1 called `output_dim`.
_WITH_UNITS = ("Dense", "GRU", "LSTM", "SimpleRNN")
#: What Keras 1 called the arrays of a gate: `lstm_1_W_i`; of a plain RNN: `simplernn_1_W`.
_GATE = re.compile(r"(?P<layer>.*)_(?P<array>[WUb])(_(?P<gate>[ifcozrh]))?(?P<end>:0)?")
#: The gates of each cell, in the order of today's kernels.
_ORDERS = ("ifco", "zrh", "")
_ARRAYS = {"W": "kernel", "U": "recurrent_kernel", "b": "bias"}
_VERSION = re.compile(r"(\d+)\.(\d+)[\d.]*")


@contextmanager
def with_former_defaults(package: str, config: Any) -> Iterator[None]:
    """While the context lasts, a GRU whose configuration has no `reset_after` is an older one.

    Args:
        package: the Keras that builds the model; only `tf_keras` reads files of older Keras.
        config: the model's configuration.
    """
    if package != "tf_keras" or not _is_former(config):
        yield
        return
    import tf_keras

    former = {name: _former(getattr(tf_keras.layers, name)) for name in _WITHOUT_RESET}
    with tf_keras.utils.custom_object_scope(former):
        yield


def naming_former_defaults(package: str, config: Any) -> Any:
    """A configuration in which every GRU has its `reset_after`.

    Args:
        package: the Keras that builds the model.
        config: the model's configuration, which is not changed.

    Example:
        >>> gru = {"class_name": "GRU", "config": {"units": 3}}
        >>> naming_former_defaults("tf_keras", [gru])[0]["config"]
        {'reset_after': False, 'units': 3}
    """
    if isinstance(config, list):
        return [naming_former_defaults(package, each) for each in config]
    if package != "tf_keras" or not isinstance(config, dict):
        return config
    made = {name: naming_former_defaults(package, each) for name, each in config.items()}
    held = made.get("config")
    if made.get("class_name") in _WITHOUT_RESET and isinstance(held, dict):
        made["config"] = {"reset_after": False, **held}
    return made


def _is_former(config: Any) -> bool:
    """Whether a GRU of a configuration leaves out where its reset gate acts."""
    waiting = [config]
    while waiting:
        node = waiting.pop()
        if isinstance(node, dict):
            held = node.get("config")
            is_gru = node.get("class_name") in _WITHOUT_RESET
            if is_gru and isinstance(held, dict) and "reset_after" not in held:
                return True
            waiting.extend(node.values())
        elif isinstance(node, list):
            waiting.extend(node)
    return False


def _former(kind: Any) -> Any:
    """What makes layers of a class out of configurations, with the former default."""

    class Former:
        @classmethod
        def from_config(cls, config: dict[str, Any]) -> Any:
            return kind.from_config({"reset_after": False, **config})

    return Former


def is_of_keras_1(config: Any) -> bool:
    """Whether a configuration is one of Keras 1, whose layers no later Keras builds."""
    waiting = [config]
    while waiting:
        node = waiting.pop()
        if isinstance(node, dict):
            held = node.get("config")
            named = node.get("class_name") in _WITH_UNITS and isinstance(held, dict)
            if named and "output_dim" in held and "units" not in held:  # type: ignore[operator]
                return True
            waiting.extend(node.values())
        elif isinstance(node, list):
            waiting.extend(node)
    return False


def has_hard_sigmoid(version: str) -> bool:
    """Whether the gates of a Keras have a hard sigmoid by default.

    Args:
        version: as a file tells it. That of a Keras within TensorFlow ends with `-tf`, and does not
            tell which of two defaults it has.

    Example:
        >>> has_hard_sigmoid("2.0.8"), has_hard_sigmoid("2.3.1"), has_hard_sigmoid("2.2.4-tf")
        (True, False, False)
    """
    match = _VERSION.fullmatch(version)
    return match is not None and (int(match[1]), int(match[2])) < (2, 3)


def joined_gates(named: Mapping[str, Array]) -> dict[str, Array]:
    """Arrays by name, with those of Keras 1 joined as later Keras keeps them.

    Args:
        named: each with the name of its layer first, such as `lstm_1/lstm_1_W_i`.

    Example:
        >>> gates = {f"gru_1/gru_1_W_{gate}": np.full((1, 2), k) for k, gate in enumerate("zrh")}
        >>> {name: array.tolist() for name, array in joined_gates(gates).items()}
        {'gru_1/gru_1/kernel': [[0, 0, 1, 1, 2, 2]]}
    """
    found: dict[tuple[str, str], dict[str, Array]] = {}
    joined: dict[str, Array] = {}
    for name, array in named.items():
        match = _GATE.fullmatch(name)
        if match is None:
            joined[name] = array
        else:
            found.setdefault((match["layer"], match["array"]), {})[match["gate"] or ""] = array
    for (layer, kind), gates in found.items():
        order = next(
            (each for each in _ORDERS if {*each, *[""] * (not each)} == gates.keys()), None
        )
        if order is not None:
            parts = [gates[gate] for gate in order or ("",)]
            joined[f"{layer}/{_ARRAYS[kind]}"] = np.concatenate(parts, axis=-1)
    return joined
