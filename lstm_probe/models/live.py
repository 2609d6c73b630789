"""Live models, of Keras or of PyTorch: one look at what their recurrent layers read and give."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

from lstm_probe.analysis.snapshot import Snapshot
from lstm_probe.models.probe import Probe, as_probe

__all__ = ["capture", "live_snapshots"]


def capture(
    model: Any, probe: Probe, *, layers: Sequence[str] | None = None
) -> dict[str, Snapshot]:
    """Look into a model once, outside of any training.

    Args:
        model: a model of Keras 3 or of tf_keras, or an `nn.Module` of PyTorch.
        probe: what the model takes, such as `x_test[:1]`.
        layers: which layers, by name; all recurrent layers by default.

    Returns:
        A snapshot of each layer, by its name in logs: `analyse` takes them. Their step is the
        one that the model's training has come to, as far as the model tells it.

    Raises:
        LstmProbeError: the model has no such layer, or does not take the probe.

    Example:
        >>> import keras, numpy as np, lstm_probe
        >>> model = keras.Sequential([keras.Input((5, 1)), keras.layers.LSTM(3, name="memory")])
        >>> snapshots = capture(model, np.ones((1, 5, 1)))
        >>> lstm_probe.analyse(snapshots["memory"]).trace.f.shape
        (1, 5, 3)
    """
    found = live_snapshots(model, probe, layers=layers)
    return {snapshot.layer: snapshot for snapshot in found}


def live_snapshots(
    model: Any, probe: Probe, *, layers: Sequence[str] | None = None
) -> list[Snapshot]:
    """As of `capture`, in the order in which the model runs its layers."""
    if _is_pytorch(model):
        from lstm_probe.models.torch.reader import capture_torch

        return capture_torch(model, probe, layers=layers)
    from lstm_probe.models.keras.reader import KerasReader, training_step

    return KerasReader(model, as_probe(probe), layers).read(model, step=training_step(model) or 0)


def _is_pytorch(model: Any) -> bool:
    """Whether a model is PyTorch's own; on the PyTorch backend, layers of Keras are modules too."""
    torch, keras = sys.modules.get("torch"), sys.modules.get("keras")
    if torch is None or not isinstance(model, torch.nn.Module):
        return False
    return keras is None or not isinstance(model, keras.layers.Layer)
