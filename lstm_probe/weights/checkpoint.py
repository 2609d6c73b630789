"""Weights by name: from a `tf.train.Saver` checkpoint, or from the variables of a session."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from os import PathLike, fspath
from typing import Any

import numpy as np
import numpy.typing as npt

from lstm_probe.core.errors import LstmProbeError
from lstm_probe.weights.gates import GateWeights
from lstm_probe.weights.keras import from_keras
from lstm_probe.weights.tf1 import from_tf1, from_tf1_gru, from_tf1_rnn

__all__ = ["from_checkpoint", "from_session", "from_variables"]

_GRU = ("gates/kernel", "gates/bias", "candidate/kernel", "candidate/bias")
_KERAS = ("kernel", "recurrent_kernel", "bias")
_TF1 = ("kernel", "bias")
#: What `LSTMCell` has beyond kernel and bias, and how `from_tf1` calls it.
_LSTM_EXTRAS = {
    "w_f_diag": "w_f_diag",
    "w_i_diag": "w_i_diag",
    "w_o_diag": "w_o_diag",
    "projection/kernel": "projection",
}
_ALL = frozenset({*_GRU, *_KERAS, *_TF1, *_LSTM_EXTRAS})
_RNN_SCOPE = "basic_rnn_cell"


def from_checkpoint(
    path: str | PathLike[str], prefix: str, *, reads: Callable[..., GateWeights] | None = None
) -> GateWeights:
    """The weights of one cell, gate by gate, from a checkpoint of `tf.compat.v1.train.Saver`.

    Args:
        path: as the saver returned it (`model.ckpt-600`), or a directory, whose latest checkpoint
            is read. TensorFlow reads it, without a graph or session.
        prefix: the cell's variable scope, such as `rnn/basic_lstm_cell`.
        reads: as in `from_variables`.

    Raises:
        LstmProbeError: there is no checkpoint, or no such cell in it; the message lists the cells.

    Example:
        >>> weights = from_checkpoint("model.ckpt-600", "rnn/basic_lstm_cell")  # doctest: +SKIP
        >>> weights.gate("f").kernel.shape  # doctest: +SKIP
        (784, 128)
    """
    import tensorflow as tf

    try:
        reader = tf.train.load_checkpoint(fspath(path))
    except (ValueError, tf.errors.OpError) as error:
        raise LstmProbeError(
            f"There is no checkpoint. Received: {fspath(path)!r} ({error}). Expected: a path as "
            "tf.compat.v1.train.Saver.save returns it, without .index, or its directory."
        ) from error
    names = reader.get_variable_to_shape_map()
    values = {name: reader.get_tensor(name) for name in _wanted(names, prefix)}
    return from_variables(values or dict.fromkeys(names), prefix, reads=reads)


def from_session(
    session: Any, prefix: str, *, reads: Callable[..., GateWeights] | None = None
) -> GateWeights:
    """The weights of one cell, gate by gate, as they are now in a session.

    Args:
        session: a `tf.compat.v1.Session`.
        prefix: the cell's variable scope, such as `rnn/basic_lstm_cell`.
        reads: as in `from_variables`.

    Raises:
        LstmProbeError: the graph has no such cell; the message lists the ones it has.

    Example:
        >>> weights = from_session(session, "rnn/basic_lstm_cell")  # doctest: +SKIP
        >>> weights.gate("g").bias.shape  # doctest: +SKIP
        (128,)
    """
    import tensorflow as tf

    with session.graph.as_default():
        variables = {v.op.name: v for v in tf.compat.v1.global_variables()}
    values = session.run({name: variables[name] for name in _wanted(variables, prefix)})
    return from_variables(values or dict.fromkeys(variables), prefix, reads=reads)


def from_variables(
    variables: Mapping[str, npt.ArrayLike | None],
    prefix: str,
    *,
    reads: Callable[..., GateWeights] | None = None,
) -> GateWeights:
    """The weights of one cell, gate by gate, from arrays by their variable's name.

    Args:
        variables: arrays by name, without `:0`.
        prefix: the cell's variable scope: what stands before `/kernel` or `/gates/kernel`.
        reads: the function of `lstm_probe.weights` that takes the arrays; by default it is told by
            the names: `from_keras` where there is a recurrent kernel, `from_tf1_gru` where there
            is a candidate kernel, `from_tf1_rnn` in a scope `basic_rnn_cell`, else `from_tf1`.

    Raises:
        LstmProbeError: there is no such cell.

    Example:
        >>> arrays = {"rnn/cell/kernel": np.zeros((12, 8)), "rnn/cell/bias": np.zeros(8)}
        >>> from_variables(arrays, "rnn/cell").gate("f").recurrent_kernel.shape
        (2, 2)
    """
    found = {
        name[len(prefix.rstrip("/")) + 1 :]: np.asarray(variables[name])
        for name in _wanted(variables, prefix)
    }
    if not {"kernel", "gates/kernel"} & found.keys():
        cells = sorted({cell for name in variables if (cell := _cell_of(name))})
        raise LstmProbeError(
            f"There is no such cell. Received: {prefix!r}. Expected one of "
            f"{', '.join(map(repr, cells)) or 'none: there is no kernel'}."
        )
    if "gates/kernel" in found:
        return (reads or from_tf1_gru)(*(found[name] for name in _GRU))
    if "recurrent_kernel" in found:
        return (reads or from_keras)(*(found[name] for name in _KERAS if name in found))
    if _RNN_SCOPE in prefix.rstrip("/").rpartition("/")[2]:
        reads = reads or from_tf1_rnn
    extras = {_LSTM_EXTRAS[name]: found[name] for name in _LSTM_EXTRAS if name in found}
    return (reads or from_tf1)(*(found[name] for name in _TF1 if name in found), **extras)


def _wanted(names: Iterable[str], prefix: str) -> list[str]:
    start = prefix.rstrip("/") + "/"
    return [name for name in names if name.startswith(start) and name[len(start) :] in _ALL]


def _cell_of(name: str) -> str:
    for ending in ("/gates/kernel", "/kernel"):
        if name.endswith(ending) and not name.endswith(("/candidate/kernel", "/projection/kernel")):
            return name.removesuffix(ending)
    return ""
