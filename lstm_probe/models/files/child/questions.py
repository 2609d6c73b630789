"""What is asked of the child about files, in terms of the paths that the user gave."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from lstm_probe.analysis.analysis import Analysis, analyse
from lstm_probe.analysis.rest import Rest
from lstm_probe.cells.custom import registered_cell, registered_kinds
from lstm_probe.core.arrays import Array
from lstm_probe.core.errors import LstmProbeError
from lstm_probe.core.limits import reading
from lstm_probe.models.described import Contents
from lstm_probe.models.files.child.allowance import Allowance
from lstm_probe.models.files.child.packed import pack_probe, unpack_layer, unpack_snapshot
from lstm_probe.models.files.child.pool import child_for
from lstm_probe.models.files.child.process import Child
from lstm_probe.models.files.child.protocol import Frame
from lstm_probe.models.files.child.rests import rests_in_child
from lstm_probe.models.files.onnx_session import NotLoadedError
from lstm_probe.models.files.places import Place
from lstm_probe.models.files.probes import RandomProbe
from lstm_probe.models.opened import Opened

if TYPE_CHECKING:
    from lstm_probe.models.files.keras_weights import KerasArrays

__all__ = ["ChildModel", "compute_in_child", "open_in_child", "step_in_child", "try_hdf5",
           "weights_in_child"]  # fmt: skip

_WHAT = "a model"
T = TypeVar("T")


class ChildModel(Opened):
    """A model that the child has loaded: it computes the probe there, and is analysed here.

    Args:
        asked: asks the child about this file.
        answer: what it said of the model.
    """

    def __init__(self, asked: _Asked, answer: Frame) -> None:
        said = answer.said
        self._asked = asked
        self._kept = _Kept(asked, int(said["model"]))
        self.kind, self.step = str(said["kind"])[:80], int(said["step"])
        self.notes = [str(each)[:300] for each in said["notes"]]
        self._takes = _random_probe(said["takes"])

    def random_probe(self, shape: Sequence[int], rng: np.random.Generator) -> Any:
        return self._takes.draw(shape, rng)

    def contents(self) -> Contents:
        said = {"ask": "contents", "model": self._kept.number}
        answer, path = self._asked(Frame(said), opens=False), self._asked.path
        with reading(path, _WHAT):
            layers = [unpack_layer(each) for each in answer.said["layers"]]
            return Contents(layers, [str(each)[:300] for each in answer.said["probe"]])

    def analyses(self, probe: Any) -> dict[str, Analysis]:
        arrays: list[Array] = []
        packed = pack_probe(probe, arrays)
        said = {"ask": "outputs", "model": self._kept.number, "step": self.step, "probe": packed}
        answer = self._asked(Frame(said, arrays), opens=False)
        with reading(self._asked.path, _WHAT):
            snapshots = [
                unpack_snapshot(
                    each, answer.arrays, remote=self._remote, registered=registered_cell
                )
                for each in answer.said["snapshots"]
            ]
        found = [analyse(each) for each in snapshots]
        return {each.snapshot.layer: each for each in found}

    def rests(self, found: Mapping[str, Analysis]) -> tuple[Mapping[str, Rest], str]:
        def ask(question: Frame, allowance: Allowance) -> Frame:
            return self._asked(question, opens=False, allowance=allowance)

        return rests_in_child(self._kept.number, found, ask, self._asked.allowance)

    def _remote(self, number: int) -> Callable[[Array], Array]:
        return _RemoteFunction(self._kept, number)


def _random_probe(said: Any) -> RandomProbe:
    """What the child says of the model's input, with every value checked."""
    known = tuple(each if isinstance(each, int) else str(each)[:80] for each in said["vocabulary"])
    separator = None if said["separator"] is None else str(said["separator"])[:1]
    return RandomProbe(str(said["dtype"]), int(said["words"]), known[:1000], separator)


class _Asked:
    """Asks the child about one file; paths in its messages become those that the user gave."""

    def __init__(self, path: Path, config: Path | None, allowance: Allowance) -> None:
        self.path, self.allowance = path, allowance
        self.place = os.path.abspath(path)
        self.config = None if config is None else os.path.abspath(config)
        self.child: Child = child_for(Path(self.place))
        self._given = {self.place: str(path)}
        if self.config is not None:
            self._given[self.config] = str(config)

    def __call__(
        self, question: Frame, *, opens: bool = True, allowance: Allowance | None = None
    ) -> Frame:
        try:
            return self.child.ask(question, allowance or self.allowance, opens=opens)
        except LstmProbeError as error:
            raise LstmProbeError(self.as_given(str(error))) from error.__cause__
        except OSError as error:
            place = None if error.filename is None else self.as_given(str(error.filename))
            raise OSError(error.errno, error.strerror, place) from error.__cause__

    def as_given(self, text: str) -> str:
        """A text of the child with the paths that the user gave."""
        for place, given in sorted(self._given.items(), key=lambda each: -len(each[0])):
            text = text.replace(place, given)
        return text


class _Kept:
    """A model in the child, which forgets it when nobody here needs it."""

    def __init__(self, asked: _Asked, number: int) -> None:
        self.asked, self.number = asked, number
        asked.child.users.add(self)

    def __del__(self) -> None:
        self.asked.child.forget(self.number)


class _RemoteFunction:
    """An activation that has no name: the child gives its values."""

    def __init__(self, kept: _Kept, number: int) -> None:
        self._kept, self._number = kept, number

    def __call__(self, x: Array) -> Array:
        said = {"ask": "function", "model": self._kept.number, "number": self._number}
        answer = self._kept.asked(Frame(said, [x]), opens=False)
        (values,) = answer.arrays or (None,)
        if values is None or values.shape != x.shape or values.dtype != x.dtype:
            raise LstmProbeError(
                f"{self._kept.asked.path} has an activation that gives no array like its argument. "
                f"Received: {'nothing' if values is None else values.shape}. Expected: {x.shape}."
            )
        return values

    def __deepcopy__(self, _: Any) -> _RemoteFunction:
        return self


def open_in_child(
    path: Path,
    reader: str,
    allowance: Allowance,
    *,
    config: Path | None = None,
    layers: Sequence[str] | None = None,
) -> ChildModel | str:
    """Have the child load a model that only a framework can load.

    Args:
        path: the file.
        reader: `keras`, `hdf5`, `checkpoint` (with a configuration) or `saved_model`.
        allowance: what it may take.
        config: the configuration of a model of which the file holds the weights.
        layers: which layers; all recurrent ones by default.

    Returns:
        The model; where it turns out that no framework is needed, a note that says why, or an
        empty text.

    Raises:
        LstmProbeError: the file is refused, or has reached a limit.
    """
    asked = _Asked(path, config, allowance)
    said = {
        "ask": "open",
        "reader": reader,
        "path": asked.place,
        "config": asked.config,
        "layers": None if layers is None else list(layers),
        "registered": list(registered_kinds()),
    }
    answer = asked(Frame(said))
    if answer.said.get("stored") is True:
        return asked.as_given(str(answer.said.get("note", ""))[:1000])
    with reading(path, _WHAT):
        return ChildModel(asked, answer)


def weights_in_child(path: Path, kind: str, allowance: Allowance) -> KerasArrays:
    """Have the child read the arrays of the recurrent layers of a Keras file, and its step."""
    from lstm_probe.models.files.keras_weights import KerasArrays

    asked = _Asked(path, None, allowance)
    answer = asked(Frame({"ask": "weights", "path": asked.place, "kind": kind}))
    with reading(path, kind):
        said = answer.said
        names = [str(each) for each in said["names"]]
        return KerasArrays(
            dict(zip(names, answer.arrays, strict=True)),
            {str(name): str(path) for name, path in said["paths"]},
            {str(name): tuple(map(int, shape)) for name, shape in said["shapes"]},
            {
                str(name): Place(str(container), tuple(map(int, numbers)))
                for name, container, numbers in said["order"]
            },
            int(said["step"]),
            str(said["version"])[:80],
        )


def step_in_child(path: Path, allowance: Allowance) -> int:
    """Have the child read the training step out of a Keras file; 0 if it has none."""
    asked = _Asked(path, None, allowance)
    answer = asked(Frame({"ask": "step", "path": asked.place}))
    with reading(path, "a Keras file"):
        return int(answer.said["step"])


def try_hdf5(path: Path, member: str, allowance: Allowance) -> None:
    """Have the child read an HDF5 file first, which is to be loaded in this process.

    Damaged attributes can make the HDF5 library read for ever, and nothing in the same process can
    stop it. What it merely complains about is left to who reads the file next.

    Args:
        path: an HDF5 file, or a zip archive.
        member: which file of the archive.
        allowance: what it may take.

    Raises:
        LstmProbeError: the library hangs or crashes.
    """
    asked = _Asked(path, None, allowance)
    asked(Frame({"ask": "try", "path": asked.place, "member": member}))


def compute_in_child(
    path: Path, allowance: Allowance
) -> Callable[[bytes, Sequence[str], Mapping[str, Array]], Sequence[Array]]:
    """What has ONNX Runtime compute a model in the child."""

    def compute(model: bytes, wanted: Sequence[str], feed: Mapping[str, Array]) -> Sequence[Array]:
        asked = _Asked(path, None, allowance)
        said = {"ask": "run", "shown": str(path), "wanted": list(wanted), "inputs": list(feed)}
        answer = asked(Frame(said, [np.frombuffer(model, np.uint8), *feed.values()]))
        if "not_loaded" in answer.said:
            raise NotLoadedError(str(answer.said["not_loaded"])[:1000])
        if len(answer.arrays) != len(wanted):
            raise LstmProbeError(
                f"ONNX Runtime does not compute {path}. Received: {len(answer.arrays)} arrays. "
                f"Expected: {len(wanted)}."
            )
        return answer.arrays

    return compute
