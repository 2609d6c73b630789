"""One array of a probe: what users hold numbers and strings in, as a checked NumPy array."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from lstm_probe.core.errors import LstmProbeError
from lstm_probe.models.ragged import Ragged

__all__ = ["Leaf", "as_leaf", "is_array", "numbers"]

#: One array of a probe.
Leaf: TypeAlias = "npt.NDArray[Any] | Ragged"


def is_array(value: Any) -> bool:
    """Whether a value is an array, tensor or table of whichever package."""
    return isinstance(value, Ragged) or hasattr(value, "shape")


def as_leaf(name: str, value: Any, *, ragged: bool) -> Leaf:
    """A copy of one array of a probe.

    Args:
        name: what a user calls it: `probe['words']`.
        value: an array, tensor or table, or nested lists.
        ragged: whether sequences of different lengths are kept as a `Ragged`.

    Raises:
        LstmProbeError: it is empty, is not finite, or holds neither numbers nor strings; or its
            sequences have different lengths, and `ragged` is not set.

    Example:
        >>> as_leaf("probe", [[1, 2], [3]], ragged=True).shape
        (2, 2)
    """
    leaf = _copied(name, value)
    if isinstance(leaf, Ragged):
        if not ragged:
            raise _uneven(name, f"sequences of {' or '.join(map(str, _lengths(leaf)))} timesteps")
        _check(name, leaf.values)
    else:
        _check(name, leaf)
    return leaf


def numbers(leaf: Leaf) -> npt.NDArray[Any]:
    """One array of a probe for a framework that knows rectangular arrays of numbers alone.

    Raises:
        LstmProbeError: it holds strings, or sequences of different lengths.

    Example:
        >>> numbers(np.ones(2)).tolist()
        [1.0, 1.0]
    """
    if isinstance(leaf, Ragged) or leaf.dtype.kind in "US":
        held = "strings" if leaf.dtype.kind in "US" else "sequences of different lengths"
        raise LstmProbeError(
            f"This framework computes with arrays of numbers alone. Received: {held}, shape "
            f"{leaf.shape}. Expected: what the model's first layer after the vocabulary reads, "
            "such as probe=vectorizer(sentences); padded to one length."
        )
    return leaf


def _copied(name: str, value: Any) -> Leaf:
    """A copy, which later changes of the user's array do not reach."""
    if isinstance(value, Ragged):
        return value
    if hasattr(value, "nested_row_splits") and hasattr(value, "flat_values"):
        splits = tuple(np.array(each) for each in value.nested_row_splits)
        values = _as_text_or_numbers(name, np.array(value.flat_values))
        return Ragged(values, splits, is_tensor=True)
    if hasattr(value, "dense_shape") or hasattr(value, "tocsr"):
        raise LstmProbeError(
            f"{name} is a sparse array. Received: {type(value).__name__}, shape {value.shape}. "
            "Expected: a dense one: probe=tf.sparse.to_dense(x), or probe=x.toarray()."
        )
    if hasattr(value, "detach"):  # a tensor of PyTorch's
        value = value.detach().cpu().numpy()
    elif hasattr(value, "iloc") and hasattr(value, "to_numpy"):  # a table of pandas'
        value = value.to_numpy()
    try:
        array = np.array(value)
    except ValueError as error:
        rows = _rows(name, value)
        if rows is None:
            raise _uneven(name, str(error)) from error
        return rows
    if array.dtype == object and array.ndim == 1 and _holds_sequences(array):
        rows = _rows(name, list(array))
        if rows is None:
            raise _uneven(name, f"{len(array)} sequences that do not fit together")
        return rows.padded(rows.dtype.type()) if len(_lengths(rows)) == 1 else rows
    return _as_text_or_numbers(name, array)


def _rows(name: str, value: Any) -> Ragged | None:
    """Sequences that differ in the number of timesteps alone; None where they differ otherwise."""
    try:
        rows = Ragged.of([np.array(each) for each in value])
    except (TypeError, ValueError):
        return None
    return Ragged(_as_text_or_numbers(name, rows.values), rows.splits)


def _holds_sequences(array: npt.NDArray[Any]) -> bool:
    return all(isinstance(each, (list, tuple, np.ndarray)) for each in array) and array.size > 0


def _lengths(ragged: Ragged) -> Sequence[int]:
    return sorted({int(each) for each in np.diff(ragged.splits[0])})


def _as_text_or_numbers(name: str, array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """An array of Python objects as one of strings or numbers; bytes as the text that they are."""
    if array.dtype.kind not in "OST":  # T: NumPy's strings of any length
        return array
    values = array.ravel().tolist()
    if all(isinstance(each, (str, bytes)) for each in values) and values:
        return np.array([_text(each) for each in values]).reshape(array.shape)
    if all(isinstance(each, (bool, int, float, np.number)) for each in values) and values:
        numbers = np.array(values)
        if numbers.dtype.kind in "biuf":
            return numbers.reshape(array.shape)
    raise _unreadable(name, array)


def _text(value: str | bytes) -> str | bytes:
    try:
        return value.decode() if isinstance(value, bytes) else value
    except UnicodeDecodeError:  # the model knows what it is
        return value


def _check(name: str, array: npt.NDArray[Any]) -> None:
    if array.dtype.kind not in "biufSU" and array.dtype.name != "bfloat16":
        raise _unreadable(name, array)
    if array.size == 0:
        raise LstmProbeError(
            f"{name} is empty. Received: shape {array.shape}. Expected: at least one sequence "
            "with at least one timestep, such as x_train[:1]."
        )
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        count = int((~np.isfinite(array)).sum())
        raise LstmProbeError(
            f"{name} is not finite. Received: {count} NaN or infinite values in shape "
            f"{array.shape}. Expected: finite numbers. Choose or repair the probe sequence."
        )


def _unreadable(name: str, array: npt.NDArray[Any]) -> LstmProbeError:
    return LstmProbeError(
        f"{name} has a dtype that no model reads. Received: {array.dtype}, shape "
        f"{array.shape}. Expected: numbers, or strings for a model that takes text."
    )


def _uneven(name: str, received: str) -> LstmProbeError:
    return LstmProbeError(
        f"{name} is not an array. Received: {received}. Expected: sequences of one length, as "
        "(batch, time, features). Pad the shorter ones, and use a Masking layer."
    )
