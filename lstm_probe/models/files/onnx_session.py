"""Having ONNX Runtime compute a graph."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lstm_probe.core.arrays import Array
from lstm_probe.core.errors import LstmProbeError

__all__ = ["NotLoadedError", "run_graph"]


class NotLoadedError(LstmProbeError):
    """ONNX Runtime refuses the model, whatever the probe."""


def run_graph(
    path: Path, model: bytes, wanted: Sequence[str], feed: Mapping[str, Array]
) -> Sequence[Array]:
    """Run a model once.

    Args:
        path: its file, for messages.
        model: the model, with all its numbers.
        wanted: the names of the values to give.
        feed: its inputs by name.

    Raises:
        NotLoadedError: ONNX Runtime refuses the model.
        LstmProbeError: it refuses the inputs.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    # Shared cores: a probe is small.
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    try:
        session = onnxruntime.InferenceSession(
            model,
            options,
            providers=["CPUExecutionProvider"],
            enable_fallback=0,  # it would print that there is none
        )
    except Exception as error:  # ONNX Runtime's errors share no public base class
        raise NotLoadedError(f"ONNX Runtime does not load {path}: {_shown(error)}") from error
    try:
        results: Any = session.run(list(wanted), dict(feed))
    except Exception as error:  # ONNX Runtime's errors share no public base class
        raise LstmProbeError(
            f"ONNX Runtime does not compute {path}. Received: {_shown(error)}. Expected: "
            "a probe that the model takes, and operators that this version knows."
        ) from error
    return list(results)


def _shown(error: Exception) -> str:
    return " ".join(str(error).split())[:300]
