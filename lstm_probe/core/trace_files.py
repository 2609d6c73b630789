"""`GateTrace` to and from `.npz` files, without pickles."""

from __future__ import annotations

import json
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from lstm_probe.core.errors import LstmProbeError
from lstm_probe.core.trace import GateTrace

__all__ = ["load_trace", "save_trace"]

_FORMAT = 1


def save_trace(trace: GateTrace, path: str | PathLike[str]) -> None:
    """What `GateTrace.save` does.

    Args:
        trace: the trace.
        path: the file; NumPy adds `.npz` where it is missing.
    """
    header = {
        "format": _FORMAT,
        "ranges": {letter: trace.ranges[letter] for letter in trace.letters},
        "cell": trace.cell,
        "layer": trace.layer,
        "step": trace.step,
    }
    arrays: dict[str, Any] = {f"array_{letter}": trace.arrays[letter] for letter in trace.letters}
    if trace.mask is not None:
        arrays["mask"] = trace.mask
    np.savez_compressed(path, header=np.array(json.dumps(header)), **arrays)


def load_trace(path: str | PathLike[str]) -> GateTrace:
    """What `GateTrace.load` does.

    Args:
        path: the file.

    Raises:
        LstmProbeError: the file is not such a trace. No code in a file is ever run.
        FileNotFoundError: there is no such file.
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
            return GateTrace(
                arrays={letter: file[f"array_{letter}"] for letter in ranges},
                ranges=ranges,
                cell=header["cell"],
                mask=file.get("mask"),
                layer=header["layer"],
                step=header["step"],
            )
    except (FileNotFoundError, LstmProbeError):
        raise
    except Exception as error:
        raise LstmProbeError(
            f"{path} is not a trace. Received: {error!s:.300}. Expected: an .npz file "
            "written by GateTrace.save."
        ) from error
