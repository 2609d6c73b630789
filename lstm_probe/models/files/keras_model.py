"""A live Keras model as something that is opened: its own layers compute the probe."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from lstm_probe.analysis.analysis import Analysis, analyse
from lstm_probe.analysis.rest import Rest
from lstm_probe.analysis.snapshot import Snapshot
from lstm_probe.core.errors import LstmProbeError
from lstm_probe.core.warn import warn
from lstm_probe.models.described import Contents, LayerContents, shown_shape
from lstm_probe.models.files.first_layer import first_embedding
from lstm_probe.models.files.loaded_names import LoadedNames
from lstm_probe.models.files.probes import RandomProbe
from lstm_probe.models.files.vocabulary import known_to, separator
from lstm_probe.models.opened import Opened

if TYPE_CHECKING:
    from lstm_probe.models.keras.reader import KerasReader

__all__ = ["KerasModel"]

_log = logging.getLogger(__name__)


class KerasModel(Opened):
    """A live Keras model, of either Keras: its own layers compute the probe.

    Args:
        model: built.
        kind: what it is, in words.
        step: the training step that it had come to.
        layers: which layers; all recurrent ones by default.
        is_loaded: it has been loaded from a file; its layers get the names of the training.
        forward: how to run the model on the probe; None to call it.
    """

    def __init__(
        self,
        model: Any,
        kind: str,
        *,
        step: int = 0,
        layers: Sequence[str] | None = None,
        is_loaded: bool = False,
        forward: Callable[[Any, Any], Any] | None = None,
    ) -> None:
        self._names = LoadedNames(model, is_loaded=is_loaded)
        self.model, self.kind, self.step = model, kind, step
        self._layers = self._names.own(layers)
        self._forward = forward
        self._read: tuple[KerasReader, list[Snapshot]] | None = None
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
        from lstm_probe.models.probe import UNUSED, as_probe

        checked = as_probe(probe, ragged=True)
        reader = KerasReader(self.model, checked, self._layers, self._forward)
        if reader.targets is not None:
            warn(_log, UNUSED)
        with _refused(self.model, probe):
            seen = reader.read(self.model, step=self.step)
        self._read = reader, seen
        return [replace(each, layer=self._names.of(each.layer)) for each in seen]

    def rests(self, found: Mapping[str, Analysis]) -> tuple[Mapping[str, Rest], str]:
        assert self._read is not None
        reader, seen = self._read
        rests, why = reader.rests(self.model, seen)
        return {self._names.of(name): rest for name, rest in rests.items()}, why

    def contents(self) -> Contents:
        from lstm_probe.models.keras.layers import find_layers, own_layers

        found = own_layers(self.model, find_layers(self.model, self._layers))
        layers = [_layer_contents(self._names.of(name), layer) for name, layer in found.items()]
        return Contents(layers, _expected(self.model))

    @property
    def takes(self) -> RandomProbe:
        """What kind of numbers or strings the model reads."""
        inputs = getattr(self.model, "inputs", None) or []
        dtype = str(getattr(inputs[0].dtype, "name", inputs[0].dtype)) if inputs else "float32"
        layers = list(self.model._flatten_layers())
        words = [each.input_dim for each in layers if type(each).__name__ == "Embedding"]
        if words and dtype != "string" and np.dtype(dtype).kind == "f":
            dtype = "int32"  # what a Sequential model without an input says of itself
        lookup = next((each for each in layers if hasattr(each, "get_vocabulary")), None)
        return RandomProbe(dtype, min(words, default=2), known_to(lookup), separator(lookup))

    def random_probe(self, shape: Sequence[int], rng: np.random.Generator) -> Any:
        return self.takes.draw(shape, rng)


@contextmanager
def _refused(model: Any, probe: Any) -> Iterator[None]:
    """Says that the model does not take the probe, when it raises anything while it runs."""
    try:
        yield
    except (LstmProbeError, MemoryError):
        raise
    except Exception as error:
        embedding = first_embedding(model)
        expected = "what model.predict takes, such as x_test[:1]"
        if embedding is not None:
            expected = (
                f"whole numbers from 0 to {embedding.input_dim - 1}, the tokens of its Embedding "
                f"{embedding.name!r}"
            )
        shown = " ".join(str(error).split())[:300]
        raise LstmProbeError(
            f"Model {model.name!r} does not take the probe. Received: {_extremes(probe)}; the "
            f"model says: {shown}. Expected: {expected}."
        ) from error


def _extremes(probe: Any) -> str:
    """The shape of a probe and its least and largest value, if it is one array of numbers."""
    array = None if isinstance(probe, (dict, list, tuple)) else np.asarray(probe)
    if array is None or array.dtype.kind not in "biuf" or not array.size:
        return "the probe"
    return f"shape {array.shape} with values from {array.min()} to {array.max()}"


def _layer_contents(name: str, layer: Any) -> LayerContents:
    """What a recurrent layer holds, as far as it has been built."""
    arrays = {
        f"{variable.name}".rpartition("/")[2].removesuffix(":0"): tuple(variable.shape)
        for variable in layer.trainable_variables + layer.non_trainable_variables
    }
    shapes = {key: shape for key, shape in arrays.items() if "seed" not in key}
    kernels = [shape for key, shape in shapes.items() if key == "kernel" and len(shape) == 2]
    cell = type(getattr(layer, "cell", layer)).__name__
    return LayerContents(
        name,
        cell.removesuffix("Cell").lower(),
        reverse=bool(getattr(layer, "go_backwards", False)),
        features=kernels[0][0] if len(kernels) == 1 else None,
        units=getattr(layer, "units", getattr(layer, "filters", None)),
        shapes=shapes,
    )


def _expected(model: Any) -> list[str]:
    """What the model says of its inputs."""
    lines = []
    embedding = first_embedding(model)
    for tensor in getattr(model, "inputs", None) or []:
        dtype = str(getattr(tensor.dtype, "name", tensor.dtype))
        kind = "strings" if dtype == "string" else dtype
        if embedding is not None and dtype != "string":
            kind = f"whole numbers from 0 to {embedding.input_dim - 1}"
        sizes = [None, *list(tensor.shape)[1:]]
        lines.append(f"{shown_shape(sizes)} {kind}, for its input {tensor.name!r}")
    if len(lines) > 1:
        lines.append("together in an .npz, by the names of the inputs")
    return lines or ["what model.predict takes, such as x_test[:1]: the model does not say more"]
