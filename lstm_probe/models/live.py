"""Live models, of Keras or of PyTorch: one look at what their recurrent layers read and give."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from lstm_probe.analysis.rest import Rest
from lstm_probe.analysis.snapshot import Snapshot
from lstm_probe.core.groups import Groups
from lstm_probe.core.warn import tell, warn
from lstm_probe.models.named_probes import Probes
from lstm_probe.models.probe import UNUSED, Probe, given_probe
from lstm_probe.models.probe_data import data_of_probe

__all__ = ["LiveLook", "capture", "live_look", "live_snapshots"]

_log = logging.getLogger(__name__)


def capture(
    model: Any,
    probe: Probe,
    *,
    layers: Sequence[str] | None = None,
    forward: Callable[[Any, Any], Any] | None = None,
) -> dict[str, Snapshot]:
    """Look into a model once, outside of any training.

    Args:
        model: a model of Keras 3 or of tf_keras, or an `nn.Module` of PyTorch.
        probe: what the model takes, such as `x_test[:1]`; or several as `Probes`, which become one
            batch.
        layers: which layers, by name; all recurrent layers by default.
        forward: how to run the model on the probe, for one whose own call does not do that:
            `forward=lambda model, probe: model.encoder(probe)`.

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
    found = live_snapshots(model, probe, layers=layers, forward=forward)
    return {snapshot.layer: snapshot for snapshot in found}


def live_snapshots(
    model: Any,
    probe: Probe,
    *,
    layers: Sequence[str] | None = None,
    forward: Callable[[Any, Any], Any] | None = None,
) -> list[Snapshot]:
    """As of `capture`, in the order in which the model runs its layers."""
    look = live_look(model, probe, layers=layers, forward=forward)
    if look.targets is not None:
        warn(_log, UNUSED)
    return look.snapshots


@dataclass(frozen=True)
class LiveLook:
    """One look at a live model.

    Attributes:
        snapshots: what was seen of its layers, in the order in which the model runs them.
        rests: makes the part of the model after each layer, by the layer's name, on the weights
            that the model has then; and says why some have none.
        groups: the named probes whose sequences the model has read; None if it was one without a
            name.
        targets: those of named probes, by name; None if there are none.
    """

    snapshots: list[Snapshot]
    rests: Callable[[], tuple[dict[str, Rest], str]]
    groups: Groups | None = None
    targets: Any = None


def live_look(
    model: Any,
    probe: Probe,
    *,
    layers: Sequence[str] | None = None,
    forward: Callable[[Any, Any], Any] | None = None,
) -> LiveLook:
    """As of `capture`, with what the model makes of its layers."""
    if _is_pytorch(model):
        from lstm_probe.models.torch.named import read_named
        from lstm_probe.models.torch.reader import TorchReader

        torch_reader, named = read_named(
            model, probe, lambda inputs: TorchReader(model, inputs, layers, forward=forward)
        )
        read = torch_reader.take(step=0)
        return LiveLook(
            read.snapshots(), lambda: torch_reader.rests(read), named.groups, named.targets
        )
    from lstm_probe.models.keras.reader import KerasReader, training_step

    given = given_probe(probe, ragged=True)
    if given.targets is not None and isinstance(probe, tuple):
        warn(_log, UNUSED)
    reader = KerasReader(model, given.inputs, layers, forward)
    if reader.targets is not None:
        warn(_log, UNUSED)
    taken = reader.take(model, step=training_step(model) or 0)
    snapshots = list(taken.snapshots())
    tell(_log, taken.remarks)
    targets = None
    if isinstance(probe, Probes):
        targets = data_of_probe(reader.probe, given.targets, given.groups).targets or None
    return LiveLook(snapshots, lambda: reader.rests(model, snapshots), given.groups, targets)


def _is_pytorch(model: Any) -> bool:
    """Whether a model is PyTorch's own; on the PyTorch backend, layers of Keras are modules too."""
    torch, keras = sys.modules.get("torch"), sys.modules.get("keras")
    if torch is None or not isinstance(model, torch.nn.Module):
        return False
    return keras is None or not isinstance(model, keras.layers.Layer)
