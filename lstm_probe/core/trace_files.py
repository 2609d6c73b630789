"""Writes the fields of a trace to `.npz` files, and reads them, without pickles.

Other modules call `GateTrace.save` and `GateTrace.load`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from lstm_probe.core.errors import LstmProbeError

__all__ = ["read_fields", "write_fields"]

_FORMAT = 1
#: Older releases neither write these nor read them.
_OF_SEQUENCES = ("labels", "sequence_names", "groups")


def write_fields(path: str | PathLike[str], fields: Mapping[str, Any]) -> None:
    """Write the fields of a `GateTrace`.

    Args:
        path: The file. NumPy adds `.npz` if it is missing.
        fields: `arrays`, `ranges`, `cell`, `mask`, `layer`, `step`, `states`, `reverse`, `labels`,
            `sequence_names` and `groups`.
    """
    letters = fields["arrays"]
    header = {
        "format": _FORMAT,
        "ranges": {letter: fields["ranges"][letter] for letter in letters},
        "cell": fields["cell"],
        "layer": fields["layer"],
        "step": fields["step"],
        "states": fields["states"],
        "reverse": fields["reverse"],
        **{name: fields[name] for name in _OF_SEQUENCES if fields[name] is not None},
    }
    arrays: dict[str, Any] = {f"array_{letter}": letters[letter] for letter in letters}
    if fields["mask"] is not None:
        arrays["mask"] = fields["mask"]
    np.savez_compressed(path, header=np.array(json.dumps(header)), **arrays)


def read_fields(path: str | PathLike[str]) -> dict[str, Any]:
    """Read the fields of a `GateTrace`. No code in a file is ever run.

    Args:
        path: The file.

    Raises:
        LstmProbeError: The file does not contain a trace.
        FileNotFoundError: There is no such file.
    """
    try:
        with Path(path).open("rb") as raw, np.load(raw, allow_pickle=False) as file:
            header = json.loads(str(file["header"]))
            if header["format"] > _FORMAT:
                raise LstmProbeError(
                    f"{path} was written by a newer lstm_probe. Received: format "
                    f"{header['format']}. Expected: up to {_FORMAT}. Upgrade lstm_probe."
                )
            ranges = {k: None if v is None else tuple(v) for k, v in header["ranges"].items()}
            names, groups = header.get("sequence_names"), header.get("groups")
            return {
                "arrays": {letter: file[f"array_{letter}"] for letter in ranges},
                "ranges": ranges,
                "cell": header["cell"],
                "mask": file.get("mask"),
                "layer": header["layer"],
                "step": header["step"],
                "states": tuple(header.get("states", ("h",))),  # older files do not have these
                "reverse": bool(header.get("reverse", False)),
                "labels": _rows(header.get("labels")),
                "sequence_names": None if names is None else tuple(map(str, names)),
                "groups": None if groups is None else _groups(groups),
            }
    except (FileNotFoundError, LstmProbeError):
        raise
    except Exception as error:
        raise LstmProbeError(
            f"{path} is not a trace. Received: {error!s:.300}. Expected: an .npz file "
            "written by GateTrace.save."
        ) from error


def _rows(labels: Any) -> tuple[tuple[str, ...], ...] | None:
    return None if labels is None else tuple(tuple(map(str, row)) for row in labels)


def _groups(groups: Any) -> tuple[tuple[str, int], ...]:
    return tuple((str(name), int(count)) for name, count in groups)
