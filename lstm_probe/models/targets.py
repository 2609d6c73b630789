"""What a model is to give for a probe: classes as whole numbers, or values, as arrays."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from lstm_probe.core.errors import LstmProbeError
from lstm_probe.core.groups import Groups
from lstm_probe.models.arrays import as_leaf
from lstm_probe.models.ragged import Ragged

__all__ = ["as_targets", "check_targets", "joined_targets", "only_targets"]


def as_targets(targets: Any) -> dict[str, npt.NDArray[Any]]:
    """Targets of a probe as arrays.

    Args:
        targets: one array, or several in a dict or in a list of arrays, as the model gives its
            outputs; None for none.

    Raises:
        LstmProbeError: they are no numbers, are empty or not finite.

    Example:
        >>> {name: each.dtype.name for name, each in as_targets([[1.0], [0.0]]).items()}
        {'': 'float64'}
    """
    if targets is None:
        return {}
    if isinstance(targets, Mapping):
        return {str(name): _target(f"targets[{name!r}]", each) for name, each in targets.items()}
    if isinstance(targets, (list, tuple)) and any(getattr(each, "ndim", 0) for each in targets):
        leaves = [_target(f"targets[{number}]", each) for number, each in enumerate(targets)]
        return (
            dict(zip(map(str, range(len(leaves))), leaves, strict=True))
            if len(leaves) > 1
            else {"": leaves[0]}
        )
    return {"": _target("targets", targets)}


def only_targets(of_probe: Any, option: Any) -> dict[str, npt.NDArray[Any]]:
    """Targets from the one place where they were given: the probe, or an option.

    Args:
        of_probe: the second part of a pair, or None.
        option: `targets=`, or None.

    Raises:
        LstmProbeError: there are two, or they are none that `as_targets` takes.

    Example:
        >>> only_targets(None, [0, 1])[""].tolist()
        [0, 1]
    """
    is_none = option is None or (isinstance(option, Mapping) and not option)
    if of_probe is not None and not is_none:
        raise LstmProbeError(
            "There are two sources of targets. Received: a probe (inputs, targets), and targets. "
            "Expected: one of them."
        )
    return as_targets(option if of_probe is None else of_probe)


def check_targets(
    targets: Mapping[str, npt.NDArray[Any]], sequences: int | None, probe: str = ""
) -> None:
    """Check that there is a target for each sequence.

    Args:
        targets: by name.
        sequences: how many the probe has; None if that is not known.
        probe: its name, of one of several.

    Raises:
        LstmProbeError: there are more or fewer, or a single number.

    Example:
        >>> check_targets({"": np.zeros(3)}, 3)
    """
    for name, each in targets.items():
        count = len(each) if each.ndim else None
        if count is None or sequences not in (None, count):
            what = f"targets[{name!r}]" if name else "targets"
            received = (
                "a single number" if count is None else f"{count} of them, shape {each.shape}"
            )
            raise LstmProbeError(
                f"The targets do not fit the probe{f' {probe!r}' if probe else ''}. Received: "
                f"{what} with {received}. Expected: one for each of its "
                f"{'' if sequences is None else f'{sequences} '}sequences, the batch first, as in "
                "probe=(x_test[:8], y_test[:8])."
            )


def _target(name: str, given: Any) -> npt.NDArray[Any]:
    leaf = as_leaf(name, given, ragged=True)
    if leaf.dtype.kind not in "biuf" and leaf.dtype.name != "bfloat16":
        raise LstmProbeError(
            f"The targets are no numbers. Received: {name} of dtype {leaf.dtype}. Expected: the "
            "numbers with which the model is trained: classes as whole numbers, or values."
        )
    if isinstance(leaf, Ragged):
        return leaf.padded(-1 if leaf.dtype.kind == "i" else np.nan)
    return leaf


def joined_targets(parts: Mapping[str, Any], groups: Groups) -> dict[str, npt.NDArray[Any]] | None:
    """The targets of several named probes as those of one batch.

    Where those of one probe are longer than those of another, classes are filled up with -1 and
    other numbers with NaN.

    Args:
        parts: the targets of each probe, as `as_targets` takes them, or None.
        groups: how many sequences each probe has.

    Returns:
        The targets by their names; None where no probe has any.

    Raises:
        LstmProbeError: some probes have targets and others have none, a probe has more or fewer
            than sequences, or they do not fit together.

    Example:
        >>> joined_targets(
        ...     {"train": [0, 1], "validation": [1]}, (("train", 2), ("validation", 1))
        ... )[""].tolist()
        [0, 1, 1]
    """
    without = [name for name, each in parts.items() if each is None]
    if len(without) == len(parts):
        return None
    if without:
        raise LstmProbeError(
            f"Some probes have targets and others have none. Received: none for "
            f"{', '.join(map(repr, without))}. Expected: (inputs, targets) for each probe, or "
            "inputs alone for all."
        )
    found = {name: as_targets(each) for name, each in parts.items()}
    for name, count in groups:
        check_targets(found[name], count, name)
    first = next(iter(found.values()))
    if any(each.keys() != first.keys() for each in found.values()):
        said = "; ".join(f"{name!r}: {len(each)}" for name, each in found.items())
        raise LstmProbeError(
            f"The targets of the probes do not fit together. Received: targets for as many "
            f"outputs: {said}. Expected: for the same outputs in each probe, by the same names."
        )
    return {key: _joined({name: each[key] for name, each in found.items()}) for key in first}


def _joined(arrays: Mapping[str, npt.NDArray[Any]]) -> npt.NDArray[Any]:
    """Arrays end to end, filled up to the longest second axis."""
    shapes = {each.shape[2:] for each in arrays.values()}
    axes = {each.ndim for each in arrays.values()}
    if len(axes) > 1 or len(shapes) > 1 or axes == {0}:
        said = ", ".join(f"{each.shape} for {name!r}" for name, each in arrays.items())
        raise LstmProbeError(
            f"The targets of the probes do not fit together. Received: shapes {said}. Expected: "
            "one shape but for the number of sequences, with the batch first."
        )
    if axes == {1}:
        return np.concatenate(list(arrays.values()))
    width = max(each.shape[1] for each in arrays.values())
    is_whole = all(each.dtype.kind in "biu" for each in arrays.values())
    return np.concatenate(
        [_filled(each, width, -1 if is_whole else np.nan) for each in arrays.values()]
    )


def _filled(array: npt.NDArray[Any], width: int, value: float) -> npt.NDArray[Any]:
    if array.shape[1] == width:
        return array
    missing = np.full((len(array), width - array.shape[1], *array.shape[2:]), value)
    whole = array.dtype.kind in "biu" and value == -1
    return np.concatenate([array, missing.astype(np.int64) if whole else missing], axis=1)
