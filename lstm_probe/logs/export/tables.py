"""Tables: a row for each step, layer, sequence, timestep and unit, a column for each gate."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from lstm_probe.core.optional import optional_import
from lstm_probe.logs.export.captures import Capture, Series, TextArray

__all__ = ["write_csv", "write_parquet"]

_AXES = ("sequence", "time", "unit")
#: So many digits tell every number of a precision from every other.
_DIGITS = {"float16": 5, "float32": 9}


def write_csv(path: Path, series: Sequence[Series], progress: Callable[[], object]) -> None:
    """Write comma-separated values; the first row has the names of the columns."""
    pandas = optional_import("pandas", extra="export", purpose="A .csv file")
    with path.open("w", newline="") as file:
        for number, columns in enumerate(_tables(series, progress)):
            frame = pandas.DataFrame(columns)
            digits = _DIGITS[columns["precision"][0]]
            frame.to_csv(file, index=False, header=number == 0, float_format=f"%.{digits}g")


def write_parquet(path: Path, series: Sequence[Series], progress: Callable[[], object]) -> None:
    """Write a Parquet file with a row group for each layer and step."""
    arrow = optional_import("pyarrow", extra="export", purpose="A .parquet file")
    parquet = optional_import("pyarrow.parquet", extra="export", purpose="A .parquet file")
    writer = None
    try:
        for columns in _tables(series, progress):
            layer = columns.pop("layer")
            # All rows have the same layer, so its name is stored once.
            indices = arrow.array(np.zeros(len(layer), np.int32))
            name = arrow.DictionaryArray.from_arrays(indices, arrow.array([layer[0]]))
            table = arrow.table({"layer": name, **columns})
            writer = writer or parquet.ParquetWriter(path, table.schema, compression="zstd")
            writer.write_table(table)
    finally:
        if writer is not None:
            writer.close()


def _tables(series: Sequence[Series], progress: Callable[[], object]) -> Iterator[dict[str, Any]]:
    letters = list(dict.fromkeys(letter for each in series for letter in each.first.gates))
    masked = any(each.first.mask is not None for each in series)
    worded = any(each.first.words is not None for each in series)
    named = any(each.first.names is not None for each in series)
    for each in series:
        for capture in each:
            columns = _columns(each.layer, capture, letters, masked)
            if worded:
                columns["label"] = _texts(capture, capture.words)
            if named:
                names = None if capture.names is None else capture.names[:, None]
                columns["sequence_name"] = _texts(capture, names)
            yield {**columns, "precision": np.full(len(columns["step"]), capture.precision, object)}
            progress()


def _texts(capture: Capture, texts: TextArray | None) -> Any:
    """Texts of `(sequence, time)` or `(sequence, 1)` for every row of the table."""
    shape = tuple(len(capture.labels[axis]) for axis in _AXES)
    filled = np.full((1, 1), "", object) if texts is None else texts.astype(object)
    return np.broadcast_to(filled[:, :, None], shape).ravel()


def _columns(layer: str, capture: Capture, letters: Sequence[str], masked: bool) -> dict[str, Any]:
    shape = tuple(len(capture.labels[axis]) for axis in _AXES)
    rows = int(np.prod(shape))
    columns: dict[str, Any] = {
        "layer": np.full(rows, layer, object),
        "step": np.full(rows, capture.step, np.int64),
        "epoch": np.full(rows, capture.epoch),
    }
    for axis, index in zip(_AXES, np.indices(shape, np.int32), strict=True):
        columns[axis] = capture.labels[axis][index.ravel()]
    for letter in letters:
        values = np.full(shape, np.nan, np.float32)
        if letter in capture.gates:  # a projection has fewer units than the gates
            values[..., : capture.gates[letter].shape[-1]] = capture.gates[letter]
        columns[letter] = values.ravel()
    if masked:
        mask = np.ones(shape[:2], bool) if capture.mask is None else capture.mask.astype(bool)
        columns["mask"] = np.broadcast_to(mask[:, :, None], shape).ravel()
    return columns
