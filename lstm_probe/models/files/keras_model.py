"""A live Keras model as something that is opened: its own layers compute the probe."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from lstm_probe.analysis.analysis import Analysis, analyse
from lstm_probe.analysis.snapshot import Snapshot
from lstm_probe.models.files.probes import RandomProbe
from lstm_probe.models.opened import Opened

__all__ = ["KerasModel"]


class KerasModel(Opened):
    """A live Keras model, of either Keras: its own layers compute the probe.

    Args:
        model: built.
        kind: what it is, in words.
        step: the training step that it had come to.
        layers: which layers; all recurrent ones by default.
    """

    def __init__(
        self, model: Any, kind: str, *, step: int = 0, layers: Sequence[str] | None = None
    ) -> None:
        self.model, self.kind, self.step, self._layers = model, kind, step, layers
        self.notes: list[str] = []

    def analyses(self, probe: Any) -> dict[str, Analysis]:
        found = [analyse(each) for each in self.snapshots(probe)]
        return {each.snapshot.layer: each for each in found}

    def snapshots(self, probe: Any) -> list[Snapshot]:
        """What each recurrent layer reads and gives for a probe.

        Raises:
            LstmProbeError: the model does not take the probe.
        """
        from lstm_probe.models.keras.reader import KerasReader
        from lstm_probe.models.probe import as_probe

        reader = KerasReader(self.model, as_probe(probe), self._layers)
        return reader.read(self.model, step=self.step)

    @property
    def takes(self) -> RandomProbe:
        """What kind of numbers the model reads."""
        inputs = getattr(self.model, "inputs", None) or []
        dtype = str(getattr(inputs[0].dtype, "name", inputs[0].dtype)) if inputs else "float32"
        words = [
            layer.input_dim
            for layer in self.model._flatten_layers()
            if type(layer).__name__ == "Embedding"
        ]
        return RandomProbe(dtype, min(words, default=2))

    def random_probe(self, shape: Sequence[int], rng: np.random.Generator) -> Any:
        return self.takes.draw(shape, rng)
