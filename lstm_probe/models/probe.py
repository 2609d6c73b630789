"""The probe: the fixed input that every capture looks at, checked before training begins."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from lstm_probe.core.errors import LstmProbeError

__all__ = ["Probe", "as_labels", "as_probe", "probe_leaves"]

#: An array, or several in the list or dict that the model takes.
Probe: TypeAlias = Any


def as_probe(probe: Probe) -> Probe:
    """The probe as NumPy arrays of its own, in the structure in which it was given.

    Raises:
        LstmProbeError: it is empty, not finite, or not made of numbers or strings.

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
    """The probe's arrays, in the order of the model's inputs if it is a list."""
    if isinstance(probe, Mapping):
        return list(probe.values())
    return probe if isinstance(probe, list) else [probe]


def as_labels(labels: Sequence[str] | None, probe: Probe) -> list[str] | None:
    """The names of the probe's timesteps, as a list.

    Raises:
        LstmProbeError: there are not as many as the probe has timesteps.

    Example:
        >>> as_labels("ab", as_probe(np.zeros((1, 2, 3))))
        ['a', 'b']
    """
    if labels is None:
        return None
    names = [str(label) for label in labels]
    lengths = {leaf.shape[1] for leaf in probe_leaves(probe) if leaf.ndim > 1}
    if len(names) not in lengths:
        raise LstmProbeError(
            f"The labels do not fit the probe. Received: {len(names)} labels. Expected: one for "
            f"each of its {' or '.join(map(str, sorted(lengths))) or 'no'} timesteps."
        )
    return names


def _checked(name: str, leaf: Any) -> npt.NDArray[Any]:
    try:
        array = np.array(leaf)  # a copy: what the user does to theirs later changes no picture
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
