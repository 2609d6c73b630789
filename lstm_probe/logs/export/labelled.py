"""A trace as labelled data: an xarray Dataset, or a pandas DataFrame."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from lstm_probe.core.arrays import Array
from lstm_probe.core.errors import LstmProbeError
from lstm_probe.core.groups import names_by_sequence
from lstm_probe.core.optional import optional_import
from lstm_probe.core.trace import GateTrace, title

if TYPE_CHECKING:
    import pandas
    import xarray

__all__ = ["to_dataframe", "to_xarray"]

_DIMENSIONS = ("sequence", "time", "unit")
_RESERVED = (*_DIMENSIONS, "output_unit", "mask")


def to_xarray(trace: GateTrace) -> xarray.Dataset:
    """A variable for each letter; see `GateTrace.to_xarray`.

    Example:
        >>> trace = GateTrace({"h": np.zeros((1, 5, 2))}, {"h": (-1.0, 1.0)}, layer="memory")
        >>> dict(to_xarray(trace).sizes)
        {'sequence': 1, 'time': 5, 'unit': 2}
    """
    xr = optional_import("xarray", extra="export", purpose="to_xarray")
    _check(trace)
    variables: dict[str, Any] = {}
    coordinates: dict[str, Any] = {}
    for letter in trace.letters:
        array = trace[letter]
        projected = letter == "h" and array.shape[2] != trace.units
        dimensions = (*_DIMENSIONS[:2], "output_unit" if projected else "unit")
        variables[letter] = (dimensions, array, _variable_attributes(trace, letter))
        coordinates |= {
            name: np.arange(size) for name, size in zip(dimensions, array.shape, strict=True)
        }
    if trace.mask is not None:
        coordinates["mask"] = (_DIMENSIONS[:2], trace.mask)
    for name, texts in _texts(trace).items():
        coordinates[name] = (_DIMENSIONS[: texts.ndim], texts)
    return xr.Dataset(variables, coordinates, _attributes(trace))


def to_dataframe(trace: GateTrace) -> pandas.DataFrame:
    """A row for each sequence, timestep and unit; see `GateTrace.to_dataframe`.

    Example:
        >>> trace = GateTrace({"h": np.zeros((1, 5, 2))}, {"h": (-1.0, 1.0)}, layer="memory")
        >>> list(to_dataframe(trace).columns)
        ['sequence', 'time', 'unit', 'h']
    """
    pd = optional_import("pandas", extra="export", purpose="to_dataframe")
    _check(trace)
    batch, time = trace[trace.letters[0]].shape[:2]
    units = max(trace[letter].shape[2] for letter in trace.letters)
    shape = (batch, time, units)
    columns: dict[str, Any] = {
        name: index.ravel() for name, index in zip(_DIMENSIONS, np.indices(shape), strict=True)
    }
    for name, texts in _texts(trace).items():
        aligned = texts.reshape(*texts.shape, *[1] * (3 - texts.ndim))
        columns[name] = np.broadcast_to(aligned.astype(object), shape).ravel()
    columns |= {letter: _widened(trace[letter], units).ravel() for letter in trace.letters}
    if trace.mask is not None:
        columns["mask"] = np.broadcast_to(trace.mask[:, :, None], shape).ravel()
    frame = pd.DataFrame(columns)
    frame.attrs.update(_attributes(trace))
    return frame


def _texts(trace: GateTrace) -> dict[str, npt.NDArray[np.str_]]:
    """The names of sequences and of their probes `(sequence,)`, and those of timesteps
    `(sequence, time)`, if there are any."""
    probes = None if trace.groups is None else names_by_sequence(trace.groups)
    found = {"sequence_name": trace.sequence_names, "probe": probes, "label": trace.labels}
    return {name: np.array(texts, np.str_) for name, texts in found.items() if texts is not None}


def _check(trace: GateTrace) -> None:
    reserved = (*_RESERVED, *_texts(trace))
    taken = [letter for letter in trace.letters if letter in reserved]
    if taken:
        raise LstmProbeError(
            f"Arrays of this trace bear names that the axes need. Received: {', '.join(taken)}. "
            f"Expected: other names than {', '.join(reserved)}; register the cell with others."
        )


def _attributes(trace: GateTrace) -> dict[str, Any]:
    # Only text and numbers, so that a netCDF file can hold them.
    attributes: dict[str, Any] = {"layer": trace.layer, "cell": trace.cell}
    return attributes if trace.step is None else {**attributes, "step": trace.step}


def _variable_attributes(trace: GateTrace, letter: str) -> dict[str, Any]:
    interval = trace.ranges.get(letter)
    known = {} if interval is None else {"valid_range": [float(end) for end in interval]}
    return {"long_name": title(letter), **known}


def _widened(array: Array, units: int) -> Array:
    missing = units - array.shape[2]
    return np.pad(array, ((0, 0), (0, 0), (0, missing)), constant_values=np.nan)
