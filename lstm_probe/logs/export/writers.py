"""The writer of each kind of file. Every writer holds one capture in memory at a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from lstm_probe.core.errors import LstmProbeError
from lstm_probe.logs.export.arrays import write_netcdf, write_npz
from lstm_probe.logs.export.captures import Series
from lstm_probe.logs.export.tables import write_csv, write_parquet

__all__ = ["ENDINGS", "export"]

Writer = Callable[[Path, Sequence[Series], Callable[[], object]], None]
_WRITERS: dict[str, Writer] = {
    ".npz": write_npz,
    ".nc": write_netcdf,
    ".csv": write_csv,
    ".parquet": write_parquet,
}
#: The endings of the files that can be written.
ENDINGS = tuple(_WRITERS)


def export(
    path: Path,
    series: Sequence[Series],
    *,
    ending: str | None = None,
    progress: Callable[[], object] = lambda: None,
) -> None:
    """Write a run's gates to a file.

    `.npz` has for each layer `<layer>/<gate>` `(step, sequence, time, unit)` as the log holds it,
    and the labels `<layer>/step`, `epoch`, `sequence`, `time`, `unit`. `.nc` is netCDF-4 with a
    group for each layer, for xarray. `.csv` and `.parquet` are tables with a row for each step,
    layer, sequence, timestep and unit, and a column for each gate.

    All of them say under `precision` in what the log holds the gates of a capture: in `float16`,
    which has three digits, or with `detail="full"` in `float32`. Where timesteps or sequences of
    the probe have names, these are under `label` and `sequence_name`.

    Args:
        path: the file.
        series: as `series_of` returns them.
        ending: the kind of file, where the path does not tell it.
        progress: is called after each capture.

    Raises:
        LstmProbeError: a library is missing, or an array file cannot hold captures of several
            shapes.
    """
    kind = path.suffix.lower() if ending is None else ending
    if kind in (".npz", ".nc"):
        for each in series:
            _check_shapes(each)
    _WRITERS[kind](path, series, progress)


def _check_shapes(series: Series) -> None:
    # A training has one probe, but a directory may hold several trainings.
    for step in (series.steps[len(series.steps) // 2], series.steps[-1]):
        if series.read(step).shapes != series.first.shapes:
            raise LstmProbeError(
                f"The captures of layer {series.layer!r} have several shapes. Received: "
                f"{series.first.shapes} at step {series.steps[0]}, {series.read(step).shapes} at "
                f"step {step}. Expected: one probe; export to .csv or .parquet, which hold both."
            )
