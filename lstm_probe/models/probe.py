"""The probe: the fixed input of all captures, which is checked before the training begins."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from lstm_probe.core.errors import LstmProbeError

__all__ = ["Probe", "as_probe", "probe_leaves"]

#: One array, or several in a list or dict, as the model takes its inputs.
Probe: TypeAlias = Any


def as_probe(probe: Probe) -> Probe:
    """Copy a probe into NumPy arrays, and check it.

    Args:
        probe: an array, or a list or dict of arrays, as the model takes its inputs.

    Returns:
        The arrays, in the structure of the probe.

    Raises:
        LstmProbeError: an array is empty, is not finite, or holds neither numbers nor strings.

    Example:
        >>> as_probe([[1.0, 2.0]]).shape
        (1, 2)
    """
    if isinstance(probe, Mapping):
        return {name: _checked(f"probe[{name!r}]", leaf) for name, leaf in probe.items()}
    if isinstance(probe, (list, tuple)) and any(hasattr(leaf, "shape") for leaf in probe):
        return [_checked(f"probe[{index}]", leaf) for index, leaf in enumerate(probe)]
    return _checked("probe", probe)


def probe_leaves(probe: Probe) -> Sequence[npt.NDArray[Any]]:
    """The arrays of a probe as a list, in the order of its list or dict.

    Args:
        probe: as `as_probe` returns it.

    Example:
        >>> [leaf.shape for leaf in probe_leaves(as_probe({"words": np.zeros((1, 2, 3))}))]
        [(1, 2, 3)]
    """
    if isinstance(probe, Mapping):
        return list(probe.values())
    return probe if isinstance(probe, list) else [probe]


def _checked(name: str, leaf: Any) -> npt.NDArray[Any]:
    try:
        array = np.array(leaf)  # a copy, which later changes of the user's array do not reach
    except ValueError as error:
        raise LstmProbeError(
            f"{name} is not an array. Received: {error}. Expected: sequences of one length, as "
            "(batch, time, features). Pad the shorter ones, and use a Masking layer."
        ) from error
    if array.dtype.kind not in "biufSU" and array.dtype.name != "bfloat16":
        raise LstmProbeError(
            f"{name} has a dtype that no model reads. Received: {array.dtype}, shape "
            f"{array.shape}. Expected: numbers, or strings for a model that takes text."
        )
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
    return array
