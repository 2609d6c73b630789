"""`inspect`: recompute the gates of a model, or of a file that holds one."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from os import PathLike
from pathlib import Path
from typing import Any, NamedTuple

from lstm_probe.analysis.analysis import Analysis, analyse
from lstm_probe.core.errors import LstmProbeError
from lstm_probe.core.groups import Groups
from lstm_probe.core.warn import warn
from lstm_probe.models.files.child.allowance import Allowance, allowance_for
from lstm_probe.models.files.kinds import Kind, kind_of
from lstm_probe.models.files.probes import read_probe
from lstm_probe.models.labels import ProbeLabels
from lstm_probe.models.live import live_look
from lstm_probe.models.named_probes import Probes
from lstm_probe.models.opened import Opened, StoredCells, with_options
from lstm_probe.models.probe import UNUSED, given_probe

__all__ = ["in_groups", "inspect", "open_model"]

_log = logging.getLogger(__name__)


def inspect(
    model: Any,
    probe: Any,
    *,
    config: str | PathLike[str] | None = None,
    layers: Sequence[str] | None = None,
    cell: Mapping[str, str] | None = None,
    forward: Callable[[Any, Any], Any] | None = None,
    trusted: bool = False,
    weights_only: bool = False,
    max_memory: float | None = None,
    timeout: float | None = None,
) -> dict[str, Analysis]:
    """Recompute every gate of a model's recurrent layers for a probe, and compare.

    Args:
        model: a Keras model (Keras 3 or tf_keras) or an `nn.Module` of PyTorch, or the path of a
            model: `.keras`, `.h5`, `.weights.h5` with a `config`, a SavedModel, a TensorFlow or TF1
            checkpoint, `.onnx`, a torch state dictionary (`.pt`, `.safetensors`), a checkpoint of
            Lightning's `Trainer` (`.ckpt`) or `.npz`.
        probe: an input of the model, such as `x_test[:1]`, or the path of an .npy, .npz or .csv
            that holds one; whatever else `ProbeCallback` takes. `Probes` become one batch, and the
            traces tell which of its sequences is of which probe.
        config: the model's configuration, for a file that holds weights alone: a file with the
            result of `model.to_json()`, or a `.keras` file.
        layers: the names of the layers; None for all recurrent layers.
        cell: options of the cells that a file of weights does not hold, such as
            `{"forget_bias": "0"}`; `{"reader:reverse": "true"}` is for one layer alone.
        forward: how to run a Keras model on the probe, for one whose own call does not do that:
            `forward=lambda model, probe: model.encoder(probe)`.
        trusted: whether to load a Keras file in full, whatever classes and functions it names,
            and to run the code in it. By default, only what is known to do nothing but compute is
            loaded.
        weights_only: whether to read the weights alone, without having Keras build the model.
        max_memory: the number of GiB that loading and running a file may take beyond what its
            framework takes; by default 2, or 8 times the file.
        timeout: the number of seconds that loading a file may take, and running it; by default 15
            of the processor, and more for a large file. Neither limit holds for a file that is
            `trusted`, which is loaded in this process: others are loaded in one of their own.

    Returns:
        The analysis of each layer, by its name. Its `parity` compares NumPy with the framework of
        the model, which computed the probe too. Where there are weights alone, there is nothing to
        compare with, and `parity` is None.

    Raises:
        LstmProbeError: the model cannot be read, has no recurrent layer, or does not take the
            probe; or a file that is not `trusted` names a class or function that is not known. In
            that case nothing of the file has been loaded or run.

    Example:
        >>> import numpy as np, tempfile
        >>> path = Path(tempfile.mkdtemp()) / "weights.npz"
        >>> np.savez(path, **{"memory/kernel": np.ones((3, 8)),
        ...                   "memory/recurrent_kernel": np.ones((2, 8))})
        >>> inspect(path, np.ones((1, 5, 3)))["memory"].trace.f.shape
        (1, 5, 2)
    """
    if isinstance(probe, (str, PathLike)):
        probe = read_probe(Path(probe))
    if not isinstance(model, (str, PathLike)):
        look = live_look(model, probe, layers=layers, forward=forward)
        if look.targets is not None:
            warn(_log, UNUSED)
        return in_groups({each.layer: analyse(each) for each in look.snapshots}, look.groups)
    if forward is not None:
        raise LstmProbeError(
            f"A file is run by its model's own call. Received: {model} with forward. Expected: a "
            "live model, such as keras.saving.load_model(path), for forward; or no forward."
        )
    opened = open_model(
        Path(model),
        config=config,
        layers=layers,
        cell=cell,
        trusted=trusted,
        weights_only=weights_only,
        max_memory=max_memory,
        timeout=timeout,
    )
    given = given_probe(probe)
    if given.targets is not None and isinstance(probe, (tuple, Probes)):
        warn(_log, UNUSED)
    return in_groups(opened.analyses(given.inputs), given.groups)


def in_groups(found: dict[str, Analysis], groups: Groups | None) -> dict[str, Analysis]:
    """Analyses of which the traces tell whose their sequences are.

    Args:
        found: by the layer's name.
        groups: the named probes whose sequences they are; None if it was one without a name.
    """
    labels = ProbeLabels(groups=groups)
    if groups is None:
        return found
    return {name: replace(each, trace=labels.on(each.trace)) for name, each in found.items()}


#: ONNX Runtime compiles nothing: seconds of the processor for any file.
_ONNX_SECONDS = 8.0


def open_model(
    path: Path,
    *,
    config: str | PathLike[str] | None = None,
    layers: Sequence[str] | None = None,
    cell: Mapping[str, str] | None = None,
    trusted: bool = False,
    weights_only: bool = False,
    max_memory: float | None = None,
    timeout: float | None = None,
) -> Opened:
    """Open a file that holds a model.

    Args:
        path: the file, or the directory of a SavedModel.
        config: as for `inspect`.
        layers: as for `inspect`.
        cell: as for `inspect`.
        trusted: as for `inspect`.
        weights_only: as for `inspect`.
        max_memory: as for `inspect`.
        timeout: as for `inspect`.

    Raises:
        LstmProbeError: the file cannot be read, or an option has no meaning for it.
    """
    kind = kind_of(path)
    if config is not None and not Path(config).is_file():
        raise LstmProbeError(
            f"There is no configuration. Received: {config}. Expected: a file with what "
            "model.to_json() gives, or a .keras file."
        )
    if config is not None and kind not in (Kind.HDF5, Kind.CHECKPOINT):
        raise LstmProbeError(
            f"A configuration is of no use here. Received: {path}, {kind.value}. Expected: a "
            ".weights.h5 file or a checkpoint."
        )
    if config is not None and weights_only:
        raise LstmProbeError(
            f"The weights alone are read without a configuration. Received: {path} with {config}. "
            "Expected: one of both."
        )
    if trusted and (max_memory is not None or timeout is not None):
        raise LstmProbeError(
            f"A file that is trusted has no limits. Received: {path} with "
            f"max_memory={max_memory}, timeout={timeout}. Expected: one of both."
        )
    limits: dict[str, Any] = {"max_memory": max_memory, "timeout": timeout}
    limits |= {"seconds": _ONNX_SECONDS} if kind is Kind.ONNX else {}
    allowance = allowance_for(path, **limits)
    place = _Place(path, kind, None if config is None else Path(config), layers, allowance)
    with _named(path):
        if weights_only and kind in (Kind.KERAS, Kind.HDF5):
            opened: Opened = _keras_weights(place)
        elif weights_only and kind is Kind.SAVED_MODEL:
            opened = _alone(place)
        else:
            opened = _open_trusted(place) if trusted else _open(place)
    if cell and not isinstance(opened, StoredCells):
        raise LstmProbeError(
            f"The options of the cells are in the file. Received: {', '.join(cell)} for {path}, "
            f"{opened.kind}. Expected: no such options."
        )
    if isinstance(opened, StoredCells):
        _choose(opened, layers)
        opened.cells = with_options(opened.cells, cell or {})
    return opened


class _Place(NamedTuple):
    """A file to open, and how."""

    path: Path
    kind: Kind
    config: Path | None
    layers: Sequence[str] | None
    allowance: Allowance


#: What the child calls the readers of the files that need a framework.
_READERS = {
    Kind.KERAS: "keras",
    Kind.HDF5: "hdf5",
    Kind.CHECKPOINT: "checkpoint",
    Kind.SAVED_MODEL: "saved_model",
}


def _open(place: _Place) -> Opened:
    """Open a file; what a framework has to load or run is loaded and run in a process of its own.

    Each kind's reader is imported when it is needed: most need no framework.
    """
    if place.kind is Kind.ONNX:
        from lstm_probe.models.files.child.questions import compute_in_child
        from lstm_probe.models.files.onnx_file import load_onnx

        compute = compute_in_child(place.path, place.allowance)
        return load_onnx(place.path, place.layers, compute=compute)
    if not _needs_framework(place):
        return _alone(place)
    from lstm_probe.models.files.child.questions import open_in_child

    opened = open_in_child(
        place.path,
        _READERS[place.kind],
        place.allowance,
        config=place.config,
        layers=place.layers,
    )
    return _weights_of(place, opened) if isinstance(opened, str) else opened


def _needs_framework(place: _Place) -> bool:
    if place.kind is Kind.SAVED_MODEL:
        from lstm_probe.models.files.checkpoints import has_configuration

        return has_configuration(place.path)
    with_config = place.kind is Kind.CHECKPOINT and place.config is not None
    return with_config or place.kind in (Kind.KERAS, Kind.HDF5)


def _open_trusted(place: _Place) -> Opened:
    """Open a file in this process, whatever is in it."""
    path, layers = place.path, place.layers
    if place.kind is Kind.ONNX:
        from lstm_probe.models.files.onnx_file import load_onnx

        return load_onnx(path, layers)
    if not _needs_framework(place):
        return _alone(place)
    from lstm_probe.models.files import checkpoints, keras_files
    from lstm_probe.models.files.child.questions import try_hdf5

    if place.kind is Kind.SAVED_MODEL:
        return checkpoints.plan_saved_model(path, layers, trusted=True).build()
    if place.config is not None and place.kind is Kind.CHECKPOINT:
        return checkpoints.plan_checkpoint(path, place.config, layers, trusted=True).build()
    # Nothing in this process could stop the HDF5 library.
    try_hdf5(path, "model.weights.h5" if place.kind is Kind.KERAS else "", place.allowance)
    if place.kind is Kind.KERAS:
        return keras_files.plan_keras(path, layers, trusted=True).build()
    try:
        plan = keras_files.plan_hdf5(path, config=place.config, layers=layers, trusted=True)
    except keras_files.WeightsAloneError as error:
        return _weights_of(place, str(error))
    return plan.build()


def _weights_of(place: _Place, note: str) -> StoredCells:
    """The weights of a file that turns out to hold no model, and a note about that."""
    opened = _keras_weights(place) if place.kind is Kind.HDF5 else _alone(place)
    opened.notes += [note] if note else []
    return opened


def _alone(place: _Place) -> StoredCells:
    """The cells of a file that no framework needs to open."""
    if place.kind is Kind.CHECKPOINT:
        from lstm_probe.models.files.checkpoints import load_checkpoint

        return load_checkpoint(place.path)
    if place.kind is Kind.SAVED_MODEL:
        from lstm_probe.models.files.checkpoints import load_saved_model

        return load_saved_model(place.path)
    opened = _arrays(place.path, place.kind)
    if place.kind is Kind.TORCH:
        from lstm_probe.models.files.ignored import training_step

        opened.step = training_step(place.path)
    return opened


def _keras_weights(place: _Place) -> StoredCells:
    from lstm_probe.models.files.child.questions import weights_in_child
    from lstm_probe.models.files.keras_weights import keras_cells

    kind = place.kind.value
    return keras_cells(weights_in_child(place.path, kind, place.allowance), kind)


@contextmanager
def _named(path: Path) -> Iterator[None]:
    """Add the path to an error that does not name it."""
    try:
        yield
    except LstmProbeError as error:
        if str(path) in str(error):
            raise
        raise LstmProbeError(f"{path}: {error}") from error


def _arrays(path: Path, kind: Kind) -> StoredCells:
    from lstm_probe.core.limits import read_npz
    from lstm_probe.models.files.places import Places, in_file_order
    from lstm_probe.models.files.stored_cells import DEFAULTS, cells_in
    from lstm_probe.models.files.torch_file import read_safetensors, read_state_dict

    readers = {Kind.NPZ: read_npz, Kind.TORCH: read_state_dict, Kind.SAFETENSORS: read_safetensors}
    arrays = readers[kind](path)
    # A state dictionary keeps the order of the model; safetensors sorts its names.
    places = Places() if kind is Kind.SAFETENSORS else in_file_order(arrays)
    found = cells_in(arrays, places)
    notes = [] if kind in (Kind.TORCH, Kind.SAFETENSORS) else [DEFAULTS]
    return StoredCells(kind.value, found.cells, notes=[*found.notes, *notes], others=found.others)


def _choose(opened: StoredCells, layers: Sequence[str] | None) -> None:
    known = [each.name for each in opened.cells]
    for name in layers or ():
        if name not in known:
            raise LstmProbeError(
                f"The file has no such layer. Received: {name!r}. Expected one of "
                f"{', '.join(map(repr, known))}."
            )
    opened.chosen = None if layers is None else frozenset(layers)
