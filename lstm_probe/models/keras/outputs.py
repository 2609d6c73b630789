"""What a Keras model itself gives for the probe, heard in the same pass as its layers."""

from __future__ import annotations

from math import prod
from typing import Any

from lstm_probe.models.keras.flavour import Tensor
from lstm_probe.models.outputs import LARGEST_OUTPUT, kept_outputs

__all__ = ["outputs_of"]

#: What tensors have that are sparse or ragged, or are distributions.
_NOT_DENSE = ("row_splits", "dense_shape", "batch_shape")


def outputs_of(result: Any) -> dict[str, Tensor]:
    """The dense tensors of numbers among what a model has returned, by name.

    Args:
        result: a tensor, or several in a list or dict; anything else gives none, and so does a
            tensor with more numbers for each sequence than a log takes.

    Returns:
        By the key of a dict, or the number in a list; by the empty name where there is one alone.
    """
    return kept_outputs(result, _is_small)


def _is_small(value: Any) -> bool:
    if not all(hasattr(value, name) for name in ("shape", "dtype", "__getitem__")):
        return False
    kind = str(getattr(value.dtype, "name", value.dtype))
    if any(hasattr(value, name) for name in _NOT_DENSE) or not ("float" in kind or "int" in kind):
        return False
    sizes = None if getattr(value.shape, "rank", 0) is None else list(value.shape)
    if not sizes or len(sizes) > 4:
        return False
    return prod(size or 1 for size in sizes[1:]) <= LARGEST_OUTPUT
