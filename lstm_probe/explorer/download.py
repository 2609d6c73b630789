"""A capture as a file for other programs."""

from __future__ import annotations

import csv
import io
import json
import re
import zipfile
from typing import Any

import numpy as np
import numpy.typing as npt

from lstm_probe.core.errors import LstmProbeError
from lstm_probe.explorer.indices import unit_indices
from lstm_probe.logs.stored.format import Stored
from lstm_probe.logs.stored.labels import stored_labels
from lstm_probe.logs.stored.precision import best_gate, precision_of

__all__ = ["as_csv", "as_npz", "file_name"]


def as_npz(stored: Stored) -> bytes:
    """All arrays of a capture, and its header as JSON under `meta`; no pickles.

    Example:
        >>> data = as_npz(Stored({"gates/h": np.zeros((1, 2, 3))}, {"step": 7}))
        >>> np.load(io.BytesIO(data))["gates/h"].shape
        (1, 2, 3)
    """
    file = io.BytesIO()
    # By hand: np.savez would take an array called `file` for its own argument.
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, array in {"meta": np.array(json.dumps(stored.meta)), **stored.arrays}.items():
            with archive.open(f"{name}.npy", "w") as entry:
                np.lib.format.write_array(entry, np.asanyarray(array), allow_pickle=False)
    return file.getvalue()


def as_csv(stored: Stored) -> bytes:
    """All gates of a capture, one line for each sequence, timestep and unit.

    Columns: sequence, timestep, unit (original indices), whether the step counts, one for each
    gate, and the framework's h where it was recomputed; the names of timesteps and sequences if
    they have some; and how exactly the gates are stored.

    Example:
        >>> arrays = {"gates/h": np.zeros((1, 2, 1)), "units": np.array([4])}
        >>> print(as_csv(Stored(arrays, {"letters": ["h"]})).decode().strip())
        sequence,timestep,unit,counts,h,precision
        0,0,4,1,0,float16
        0,1,4,1,0,float16
    """
    letters = [name[6:] for name in stored.arrays if name.startswith("gates/")]
    gates = {letter: best_gate(stored, letter) for letter in letters}
    if not gates:
        raise LstmProbeError("The capture has no gates. Received: none. Expected: one at least.")
    shape = max((array.shape for array in gates.values()), key=lambda each: each[-1])
    axes = [_axis(stored, name, size) for name, size in zip(_AXES, shape, strict=True)]
    places = np.meshgrid(*axes, indexing="ij")
    columns: dict[str, npt.NDArray[Any]] = dict(zip(_HEADS, places, strict=True))
    mask = stored.arrays.get("mask", np.ones(shape[:2], np.uint8))
    columns["counts"] = np.broadcast_to(mask[:, :, None], shape)
    letters = [letter for letter in stored.meta.get("letters", gates) if letter in gates]
    columns.update({k: _at_units(gates[k], unit_indices(stored, k), axes[2]) for k in letters})
    if "error/h" in stored.arrays and "h" in gates:
        error = stored.arrays["error/h"].astype(np.float64) * float(stored.meta["error_scale"])
        framework = gates["h"].astype(np.float64) + error
        columns["h_framework"] = _at_units(framework, unit_indices(stored, "h"), axes[2])
    columns.update(_texts(stored, shape))
    return _lines(columns, digits=9 if precision_of(stored) == "float32" else 7)


def _texts(stored: Stored, shape: tuple[int, ...]) -> dict[str, npt.NDArray[Any]]:
    """The columns of texts: names of timesteps and of sequences, and the precision."""
    found: dict[str, npt.NDArray[Any]] = {}
    if {"sequences", "timesteps"} <= stored.arrays.keys():
        rows, names = stored_labels(stored)
        if rows is not None:
            found["label"] = np.array(rows, np.str_)[:, :, None]
        if names is not None:
            found["sequence_name"] = np.array(names, np.str_)[:, None, None]
    found["precision"] = np.array(precision_of(stored))
    return {name: np.broadcast_to(texts, shape) for name, texts in found.items()}


def file_name(run: str, layer: str, step: int, kind: str) -> str:
    """A name that every file system and header takes.

    Example:
        >>> file_name("a/b", '<b>"x"', 7, "csv")
        'a_b-b_x-7.csv'
    """
    parts = (re.sub(r"[^A-Za-z0-9.-]+", "_", part).strip("_.")[:60] for part in (run, layer))
    return "-".join([part or "run" for part in parts]) + f"-{step}.{kind}"


_AXES = ("sequences", "timesteps", "units")
_HEADS = ("sequence", "timestep", "unit")


def _axis(stored: Stored, name: str, size: int) -> npt.NDArray[np.int64]:
    kept = stored.arrays.get(name)
    return np.arange(size) if kept is None or len(kept) != size else kept.astype(np.int64)


def _at_units(
    array: npt.NDArray[Any], own: npt.NDArray[Any], wanted: npt.NDArray[Any]
) -> npt.NDArray[np.float64]:
    """A gate at the wanted units; NaN where it has none: a projected h is narrower."""
    full = np.full((*array.shape[:-1], len(wanted)), np.nan)
    _, theirs, ours = np.intersect1d(own, wanted, return_indices=True)
    full[..., ours] = array[..., theirs]
    return full


def _lines(columns: dict[str, npt.NDArray[Any]], *, digits: int) -> bytes:
    texts = []
    for column in columns.values():
        flat = column.reshape(-1)
        exact = flat.dtype.kind in "iuU"
        texts.append([str(v) if exact else f"{v:.{digits}g}" for v in flat.tolist()])
    file = io.StringIO(newline="")
    csv.writer(file, lineterminator="\n").writerows([columns, *zip(*texts, strict=True)])
    return file.getvalue().encode("utf-8", "replace")
