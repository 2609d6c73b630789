"""Weights by the names of variables: from a checkpoint, from a session, or from arrays."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from os import PathLike, fspath
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from lstm_probe.core.arrays import Array
from lstm_probe.core.errors import LstmProbeError
from lstm_probe.weights.gates import GateWeights
from lstm_probe.weights.keras import from_keras
from lstm_probe.weights.tf1 import from_tf1, from_tf1_gru, from_tf1_rnn

__all__ = ["current_name", "from_checkpoint", "from_session", "from_variables"]

_GRU = ("gates/kernel", "gates/bias", "candidate/kernel", "candidate/bias")
_KERAS = ("kernel", "recurrent_kernel", "bias")
_TF1 = ("kernel", "bias")
#: The other variables of `LSTMCell`, each with the argument of `from_tf1` that takes it.
_LSTM_EXTRAS = {
    "w_f_diag": "w_f_diag",
    "w_i_diag": "w_i_diag",
    "w_o_diag": "w_o_diag",
    "projection/kernel": "projection",
}
_ALL = frozenset({*_GRU, *_KERAS, *_TF1, *_LSTM_EXTRAS})
_RNN_SCOPE = "basic_rnn_cell"
#: What TensorFlow 1.0 and 1.1 called the variables of cells.
_FORMER = {"weights": "kernel", "biases": "bias"}


def current_name(name: str) -> str:
    """The name of a variable as TensorFlow has called it since 1.2.

    Example:
        >>> current_name("rnn/gru_cell/gates/weights"), current_name("rnn/gru_cell/gates/kernel")
        ('rnn/gru_cell/gates/kernel', 'rnn/gru_cell/gates/kernel')
    """
    scope, slash, last = name.rpartition("/")
    return f"{scope}{slash}{_FORMER.get(last, last)}"


def from_checkpoint(
    path: str | PathLike[str], prefix: str, *, reads: Callable[..., GateWeights] | None = None
) -> GateWeights:
    """The weights of one cell, gate by gate, from a checkpoint.

    TensorFlow is not needed for a checkpoint of format V2, which every TensorFlow since 0.12
    writes. It is needed for one of format V1, for a remote address such as `gs://`, and for
    variables that a partitioner has stored in slices.

    Args:
        path: The path as `tf.compat.v1.train.Saver.save` returned it (`model.ckpt-600`), or a
            directory, whose latest checkpoint is read.
        prefix: The variable scope of the cell, such as `rnn/basic_lstm_cell`.
        reads: As in `from_variables`.

    Returns:
        The weights, of the dtype in the checkpoint. bfloat16 is read as float32 where TensorFlow
        is not needed.

    Raises:
        LstmProbeError: There is no checkpoint, it is damaged, or it has no such cell. In the last
            case the message lists the cells.

    Source:
        `lstm_probe/weights/bundle.py` names the files of TensorFlow that define the format.

    Example:
        >>> weights = from_checkpoint("model.ckpt-600", "rnn/basic_lstm_cell")  # doctest: +SKIP
        >>> weights.gate("f").kernel.shape  # doctest: +SKIP
        (784, 128)
    """
    variables = _in_bundle(path, prefix) or _by_tensorflow(path, prefix)
    return from_variables(variables, prefix, reads=reads)


def _in_bundle(path: str | PathLike[str], prefix: str) -> Mapping[str, Array] | None:
    """The variables of a checkpoint, or None if TensorFlow has to read it."""
    from lstm_probe.weights.bundle import Bundle, checkpoint_prefix  # needs more than NumPy

    try:
        found = checkpoint_prefix(Path(path))
    except LstmProbeError:  # none of format V2, or none that is local
        return None
    bundle = Bundle(found)
    return None if _wanted(bundle.sliced, prefix) else bundle


def _by_tensorflow(path: str | PathLike[str], prefix: str) -> Mapping[str, Array | None]:
    """The variables of a cell in a checkpoint; if there are none, the names of all variables."""
    expected = (
        "a path as tf.compat.v1.train.Saver.save returns it, without .index, or its directory"
    )
    try:
        import tensorflow as tf
    except ImportError as error:
        raise LstmProbeError(
            f"There is no checkpoint that can be read without TensorFlow. Received: "
            f"{fspath(path)!r}. Expected: {expected}. Install TensorFlow to read a checkpoint of "
            "format V1, at a remote address, or with a cell that is stored in slices."
        ) from error
    try:
        reader = tf.train.load_checkpoint(fspath(path))
    except (ValueError, tf.errors.OpError) as error:
        raise LstmProbeError(
            f"There is no checkpoint. Received: {fspath(path)!r} ({error}). Expected: {expected}."
        ) from error
    names = reader.get_variable_to_shape_map()
    values = {name: reader.get_tensor(name) for name in _wanted(names, prefix)}
    return values or dict.fromkeys(names)


def from_session(
    session: Any, prefix: str, *, reads: Callable[..., GateWeights] | None = None
) -> GateWeights:
    """The weights of one cell, gate by gate, with the values that they have now in a session.

    Args:
        session: A `tf.compat.v1.Session`.
        prefix: The variable scope of the cell, such as `rnn/basic_lstm_cell`.
        reads: As in `from_variables`.

    Returns:
        The weights, of the dtype of the variables.

    Raises:
        LstmProbeError: The graph has no such cell. The message lists the cells that it has.

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
    """The weights of one cell, gate by gate, from arrays by the names of their variables.

    Args:
        variables: The arrays by name, without `:0`. Only those of the cell are read. The names of
            TensorFlow 1.0 and 1.1, `weights` and `biases`, stand for `kernel` and `bias`.
        prefix: The variable scope of the cell, which stands before `/kernel` or `/gates/kernel`.
        reads: The function of `lstm_probe.weights` that takes the arrays. By default the names
            choose it: `from_keras` if there is a recurrent kernel, `from_tf1_gru` if there is a
            candidate kernel, `from_tf1_rnn` in a scope `basic_rnn_cell`, and else `from_tf1`.

    Returns:
        The weights, of the dtype of the arrays.

    Raises:
        LstmProbeError: There is no such cell. The message lists the cells that there are.

    Example:
        >>> arrays = {"rnn/cell/kernel": np.zeros((12, 8)), "rnn/cell/bias": np.zeros(8)}
        >>> from_variables(arrays, "rnn/cell").gate("f").recurrent_kernel.shape
        (2, 2)
    """
    found = {
        current_name(name)[len(prefix.rstrip("/")) + 1 :]: np.asarray(variables[name])
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
    """The names of the variables that belong to a cell."""
    start = prefix.rstrip("/") + "/"
    return [
        name
        for name in names
        if name.startswith(start) and current_name(name)[len(start) :] in _ALL
    ]


def _cell_of(name: str) -> str:
    """The scope of the cell if the name is that of its kernel, else an empty string."""
    name = current_name(name)
    for ending in ("/gates/kernel", "/kernel"):
        if name.endswith(ending) and not name.endswith(("/candidate/kernel", "/projection/kernel")):
            return name.removesuffix(ending)
    return ""
