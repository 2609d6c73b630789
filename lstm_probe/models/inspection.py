"""`inspect`: recompute the gates of a model, or of a file that holds one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from os import PathLike
from pathlib import Path
from typing import Any

from lstm_probe.analysis.analysis import Analysis
from lstm_probe.core.errors import LstmProbeError
from lstm_probe.models.files.kinds import Kind, kind_of
from lstm_probe.models.files.probes import read_probe
from lstm_probe.models.opened import Opened, StoredCells, with_options

__all__ = ["inspect", "open_model"]


def inspect(
    model: Any,
    probe: Any,
    *,
    config: str | PathLike[str] | None = None,
    layers: Sequence[str] | None = None,
    cell: Mapping[str, str] | None = None,
    trusted: bool = False,
    weights_only: bool = False,
) -> dict[str, Analysis]:
    """Recompute every gate of a model's recurrent layers for a probe, and compare.

    Args:
        model: a Keras model (Keras 3 or tf_keras), or the path of a model: `.keras`, `.h5`,
            `.weights.h5` with a `config`, a SavedModel, a TensorFlow or TF1 checkpoint, `.onnx`, a
            torch state dictionary (`.pt`, `.safetensors`) or `.npz`.
        probe: an input of the model, such as `x_test[:1]`, or the path of an .npy, .npz or .csv
            that holds one.
        config: the model's configuration, for a file that holds weights alone: a file with the
            result of `model.to_json()`, or a `.keras` file.
        layers: the names of the layers; None for all recurrent layers.
        cell: options of the cells that a file of weights does not hold, such as
            `{"forget_bias": "0"}`.
        trusted: whether to load a Keras file in full, whatever classes and functions it names,
            and to run the code in it. By default, only what is known to do nothing but compute is
            loaded.
        weights_only: whether to read the weights alone, without having Keras build the model.

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
        from lstm_probe.models.files.keras_files import KerasModel
        from lstm_probe.models.keras.reader import training_step

        opened: Opened = KerasModel(
            model, "a Keras model", step=training_step(model) or 0, layers=layers
        )
    else:
        opened = open_model(
            Path(model),
            config=config,
            layers=layers,
            cell=cell,
            trusted=trusted,
            weights_only=weights_only,
        )
    return opened.analyses(_checked(probe))


def open_model(
    path: Path,
    *,
    config: str | PathLike[str] | None = None,
    layers: Sequence[str] | None = None,
    cell: Mapping[str, str] | None = None,
    trusted: bool = False,
    weights_only: bool = False,
) -> Opened:
    """Open a file that holds a model.

    Args:
        path: the file, or the directory of a SavedModel.
        config: as for `inspect`.
        layers: as for `inspect`.
        cell: as for `inspect`.
        trusted: as for `inspect`.
        weights_only: as for `inspect`.

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
    with _named(path):
        if weights_only and kind in (Kind.KERAS, Kind.HDF5):
            opened: Opened = _keras_weights(path, kind)
        elif kind is Kind.SAVED_MODEL:
            opened = _saved_model(path, layers, trusted, weights_only)
        else:
            opened = _open(path, kind, None if config is None else Path(config), layers, trusted)
    if cell and not isinstance(opened, StoredCells):
        raise LstmProbeError(
            f"The options of the cells are in the file. Received: {', '.join(cell)} for {path}, "
            f"{opened.kind}. Expected: no such options."
        )
    if isinstance(opened, StoredCells):
        _choose(opened, layers)
        opened.cells = with_options(opened.cells, cell or {})
    return opened


def _open(
    path: Path, kind: Kind, config: Path | None, layers: Sequence[str] | None, trusted: bool
) -> Opened:
    # Each reader is imported only when it is needed, and with it the framework that it may need.
    if kind is Kind.KERAS:
        from lstm_probe.models.files.keras_files import load_keras

        return load_keras(path, layers, trusted=trusted)
    if kind is Kind.HDF5:
        from lstm_probe.models.files.keras_files import load_hdf5

        return load_hdf5(path, config=config, layers=layers, trusted=trusted)
    if kind is Kind.CHECKPOINT:
        from lstm_probe.models.files.checkpoints import load_checkpoint

        return load_checkpoint(path, config=config, layers=layers, trusted=trusted)
    if kind is Kind.ONNX:
        from lstm_probe.models.files.onnx_file import load_onnx

        return load_onnx(path, layers)
    return _arrays(path, kind)


def _saved_model(
    path: Path, layers: Sequence[str] | None, trusted: bool, weights_only: bool
) -> Opened:
    from lstm_probe.models.files.checkpoints import load_saved_model

    return load_saved_model(path, layers=layers, trusted=trusted, weights_only=weights_only)


def _keras_weights(path: Path, kind: Kind) -> StoredCells:
    from lstm_probe.models.files.keras_weights import load_keras_weights

    return load_keras_weights(path, kind.value)


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
    from lstm_probe.models.files.stored_cells import cells_in
    from lstm_probe.models.files.torch_file import read_safetensors, read_state_dict

    readers = {Kind.NPZ: read_npz, Kind.TORCH: read_state_dict, Kind.SAFETENSORS: read_safetensors}
    return StoredCells(kind.value, cells_in(readers[kind](path)))


def _choose(opened: StoredCells, layers: Sequence[str] | None) -> None:
    known = [each.name for each in opened.cells]
    for name in layers or ():
        if name not in known:
            raise LstmProbeError(
                f"The file has no such layer. Received: {name!r}. Expected one of "
                f"{', '.join(map(repr, known))}."
            )
    opened.chosen = None if layers is None else frozenset(layers)


def _checked(probe: Any) -> Any:
    from lstm_probe.models.probe import as_probe

    return as_probe(probe)
