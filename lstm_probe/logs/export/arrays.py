"""Files of arrays: npz and netCDF."""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO, Any

import numpy as np

from lstm_probe.core.arrays import Array
from lstm_probe.core.errors import LstmProbeError
from lstm_probe.core.optional import optional_import
from lstm_probe.core.trace import title
from lstm_probe.logs.export.captures import Capture, Series, TextArray
from lstm_probe.logs.export.unfailing import UnfailingFile

__all__ = ["write_netcdf", "write_npz"]

_AXES = ("sequence", "time", "unit")


def write_npz(path: Path, series: Sequence[Series], progress: Callable[[], object]) -> None:
    """Write arrays `<layer>/<gate>` `(step, sequence, time, unit)`, and their labels."""
    # A zip archive is written member by member, but the log has all gates of one step together. So
    # each gate is gathered in a file of its own first, because memory may not hold them.
    with (
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive,
        TemporaryDirectory(dir=path.parent, prefix=f"{path.name}.") as waiting,
    ):
        for each in series:
            name = _member(each.layer)
            precision: list[str] = []
            for letter, part in _gathered(each, Path(waiting), precision, progress).items():
                archive.write(part, f"{name}/{letter}.npy")
                part.unlink()
            for label, array in {
                **_labels(each),
                "epoch": each.epochs,
                "precision": np.array(precision, np.str_),
                **{label: array for label, (_, array) in _texts(each).items()},
            }.items():
                with archive.open(f"{name}/{label}.npy", "w") as member:
                    np.lib.format.write_array(member, array, allow_pickle=False)


def _member(layer: str) -> str:
    """A layer's name as a path that stays in its directory when the archive is unpacked."""
    return "/".join(part if part.strip(".") else "_" for part in layer.split("/"))


def _gathered(
    series: Series, directory: Path, precision: list[str], progress: Callable[[], object]
) -> dict[str, Path]:
    """Write an .npy file for each gate of a layer and for its mask; their paths by name.

    The precision of each capture is added to a list: where a log has float16 after float32, a file
    of one dtype holds both.
    """
    first = _arrays(series.first)
    paths = {name: directory / f"{number}.npy" for number, name in enumerate(first)}
    with ExitStack() as stack:
        files: dict[str, IO[bytes]] = {
            name: stack.enter_context(path.open("wb")) for name, path in paths.items()
        }
        for name, array in first.items():
            header = {
                "descr": np.lib.format.dtype_to_descr(array.dtype),
                "fortran_order": False,
                "shape": (len(series.steps), *array.shape),
            }
            np.lib.format.write_array_header_1_0(files[name], header)
        for capture in series:
            arrays = _arrays(capture)
            for name, file in files.items():
                if name not in arrays or arrays[name].shape != first[name].shape:
                    raise _other_shape(series, capture)
                rows = np.ascontiguousarray(arrays[name], first[name].dtype)
                file.write(rows.tobytes())
            precision.append(min(capture.precision, series.first.precision))
            progress()
    return paths


def _other_shape(series: Series, capture: Capture) -> LstmProbeError:
    return LstmProbeError(
        f"The captures of layer {series.layer!r} have several shapes. Received: "
        f"{series.first.shapes} first, {capture.shapes} at step {capture.step}. Expected: one "
        "probe; export to .csv or .parquet, which hold both."
    )


def _arrays(capture: Capture) -> dict[str, Array]:
    return capture.gates if capture.mask is None else {**capture.gates, "mask": capture.mask}


def _labels(series: Series) -> dict[str, Array]:
    return {"step": np.asarray(series.steps, np.int64), **series.first.labels}


def _texts(series: Series) -> dict[str, tuple[tuple[str, ...], TextArray]]:
    """The names of timesteps and of sequences, each with its axes; what has no names is missing."""
    words, names = series.first.words, series.first.names
    found = {"label": (_AXES[:2], words), "sequence_name": (_AXES[:1], names)}
    return {name: (axes, array) for name, (axes, array) in found.items() if array is not None}


def write_netcdf(path: Path, series: Sequence[Series], progress: Callable[[], object]) -> None:
    """Write a group for each layer: a variable for each gate, and the labels as coordinates."""
    netcdf = optional_import("h5netcdf", extra="export", purpose="A .nc file")
    with UnfailingFile(path) as target:

        def written() -> None:
            target.check()
            progress()

        with netcdf.File(target, "w") as file:
            for each in series:
                group = file.create_group(each.layer.strip("/") or "layer")
                group.attrs["layer"], group.attrs["cell"] = each.layer, each.cell
                _write_group(group, each, written)
        target.check()


def _write_group(group: Any, series: Series, progress: Callable[[], object]) -> None:
    labels = _labels(series)
    group.dimensions = {name: len(array) for name, array in labels.items()}
    for name, array in labels.items():
        group.create_variable(name, (name,), data=array)
    group.create_variable("epoch", ("step",), data=series.epochs)
    for name, (axes, texts) in _texts(series).items():
        group.create_variable(name, axes, data=texts.astype(object), dtype=_text_type())
    precision = group.create_variable("precision", ("step",), _text_type())
    variables = {}
    for name, array in _arrays(series.first).items():
        axes = _AXES[: array.ndim]
        if array.ndim == 3 and array.shape[-1] != len(labels["unit"]):  # a projection
            group.dimensions["output_unit"] = array.shape[-1]
            axes = (*_AXES[:2], "output_unit")
        # netCDF has no float16.
        dtype = "f4" if array.dtype == np.float16 else array.dtype
        variables[name] = group.create_variable(
            name, ("step", *axes), dtype, chunks=(1, *array.shape), compression="gzip",
            compression_opts=1,
        )  # fmt: skip
        variables[name].attrs["long_name"] = title(name)
        if series.ranges.get(name):
            variables[name].attrs["valid_range"] = np.asarray(series.ranges[name], np.float32)
    for number, capture in enumerate(series):
        arrays = _arrays(capture)
        if arrays.keys() != variables.keys() or capture.shapes != series.first.shapes:
            raise _other_shape(series, capture)
        for name, variable in variables.items():
            variable[number] = arrays[name]
        precision[number] = capture.precision
        progress()


def _text_type() -> Any:
    h5py = optional_import("h5py", extra="export", purpose="A .nc file")
    return h5py.string_dtype()
