"""`GateTrace`: every gate of every timestep, as named arrays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from os import PathLike
from typing import TYPE_CHECKING, TypeAlias

from lstm_probe.core.arrays import Array, BoolArray
from lstm_probe.core.errors import LstmProbeError
from lstm_probe.core.groups import Groups, total
from lstm_probe.core.masks import emitted
from lstm_probe.core.views import view

if TYPE_CHECKING:
    import pandas
    import xarray
    from matplotlib.figure import Figure

__all__ = ["GateTrace", "Interval", "title"]

#: A closed interval of values, or None if they are not bounded.
Interval: TypeAlias = "tuple[float, float] | None"

_TITLES = {
    "i": "input gate",
    "f": "forget gate",
    "g": "candidate",
    "o": "output gate",
    "c": "cell state",
    "h": "hidden state",
    "z": "update gate",
    "r": "reset gate",
}


def title(letter: str) -> str:
    """The name of an array, followed by its letter.

    Args:
        letter: A letter of the equations. An unknown letter is returned as it is.

    Example:
        >>> title("f")
        'forget gate f'
    """
    return f"{_TITLES[letter]} {letter}" if letter in _TITLES else letter


@dataclass(frozen=True, eq=False, repr=False)
class GateTrace:
    """The gates of a cell at every timestep of a batch of sequences.

    An array is read by its letter, as `trace["f"]` or `trace.f`.

    Attributes:
        arrays: The gates and states by letter, in the order of display. Each is
            `(batch, time, units)`, of float32 or float64. The last axis of an `h` that is projected
            has the size of the projection's output.
        ranges: The closed interval of the values of each array, or None if they are not bounded.
        cell: The name of the cell, such as `lstm`.
        mask: `(batch, time)`. It is False where a step was skipped. None if all steps count.
        layer: The name of the layer. It is empty if there is no layer.
        step: The training step of the weights, or None.
        states: The letters of the states among the arrays, in the order of the cell.
        reverse: Whether the cell read from the last timestep to the first. The arrays are in the
            order of the input all the same.
        labels: For each sequence the name of each timestep, such as the words of a sentence. It is
            empty where a timestep has no name. None if no timestep has one.
        sequence_names: The name of each sequence, or None if they have no names.
        groups: The named probes whose sequences these are, each with its number of sequences. Those
            of the first come first. None if they are of one probe without a name.

    Raises:
        LstmProbeError: The shapes of the arrays, the labels or the names do not fit each other.

    Example:
        >>> import numpy as np
        >>> trace = GateTrace({"h": np.zeros((1, 5, 2))}, {"h": (-1.0, 1.0)})
        >>> trace.h.shape, trace.timesteps, trace.units
        ((1, 5, 2), 5, 2)
    """

    arrays: Mapping[str, Array]
    ranges: Mapping[str, Interval]
    cell: str = ""
    mask: BoolArray | None = None
    layer: str = ""
    step: int | None = None
    states: tuple[str, ...] = ("h",)
    reverse: bool = False
    labels: tuple[tuple[str, ...], ...] | None = None
    sequence_names: tuple[str, ...] | None = None
    groups: Groups | None = None

    def __post_init__(self) -> None:
        shapes = {letter: array.shape for letter, array in self.arrays.items()}
        gates = {shape for letter, shape in shapes.items() if letter != "h"}
        steps = {shape[:2] if len(shape) == 3 else None for shape in shapes.values()}
        if len(gates) > 1 or len(steps) != 1 or None in steps:
            raise LstmProbeError(
                f"The arrays of a trace do not fit each other. Received: {shapes}. Expected: one "
                "shape (batch, time, units) for all; only the last axis of h may differ."
            )
        batch, time = self._shape[:2]
        rows = [time] * batch if self.labels is None else [len(row) for row in self.labels]
        names = batch if self.sequence_names is None else len(self.sequence_names)
        if self.groups is not None and total(self.groups) != batch:
            raise LstmProbeError(
                f"The probes of a trace do not fit its arrays. Received: {self.groups}. Expected: "
                f"{batch} sequences in all."
            )
        if rows != [time] * batch or names != batch:
            raise LstmProbeError(
                f"The labels of a trace do not fit its arrays. Received: {rows} labels, {names} "
                f"names of sequences. Expected: {time} labels for each of {batch} sequences, and "
                "a name for each sequence."
            )

    def __repr__(self) -> str:
        batch, timesteps, units = self._shape
        whose = f"{''.join(self.letters)} of layer {self.layer!r}, cell {self.cell!r}"
        size = f"{batch} sequences, {timesteps} timesteps, {units} units"
        return f"GateTrace({whose}, step {self.step}: {size})"

    @property
    def letters(self) -> tuple[str, ...]:
        """The letters of the arrays, in the order of display."""
        return tuple(self.arrays)

    @property
    def timesteps(self) -> int:
        """The length of the sequences."""
        return int(self._shape[1])

    @property
    def units(self) -> int:
        """The number of units."""
        return int(self._shape[2])

    @property
    def _shape(self) -> tuple[int, ...]:
        return next(iter(self.arrays.values())).shape

    def __getitem__(self, letter: str) -> Array:
        if letter not in self.arrays:
            raise LstmProbeError(
                f"The trace has no such array. Received: {letter!r}. "
                f"Expected one of {', '.join(self.letters)}."
            )
        return self.arrays[letter]

    def __getattr__(self, letter: str) -> Array:
        arrays: Mapping[str, Array] = self.__dict__.get("arrays", {})
        if letter in arrays:
            return arrays[letter]
        raise AttributeError(f"{type(self).__name__} has no attribute or array {letter!r}")

    def valid(self, letter: str) -> Array:
        """The values of an array at the steps that count, for statistics.

        Args:
            letter: The letter of the array.

        Returns:
            `(steps, units)`. The steps of all sequences are on one axis.

        Raises:
            LstmProbeError: The trace has no such array.

        Example:
            >>> import numpy as np
            >>> trace = GateTrace({"h": np.zeros((2, 5, 3))}, {"h": None})
            >>> trace.valid("h").shape
            (10, 3)
        """
        array = self[letter]
        return array.reshape(-1, array.shape[-1]) if self.mask is None else array[self.mask]

    def reversed_in_time(self) -> GateTrace:
        """The trace with its time reversed, and `reverse` with it.

        The cell computes in the order of reading. This aligns a layer that reads backwards with its
        input again.
        """
        return replace(
            self,
            arrays={letter: array[:, ::-1] for letter, array in self.arrays.items()},
            mask=None if self.mask is None else self.mask[:, ::-1],
            reverse=not self.reverse,
            labels=None if self.labels is None else tuple(row[::-1] for row in self.labels),
        )

    @property
    def final(self) -> dict[str, Array]:
        """The states after the last step that the cell computed, by letter, `(batch, units)`.

        A layer returns these as its states, and the next part of a sequence begins with them.

        Example:
            >>> import numpy as np
            >>> h = np.array([[[0.1], [0.2]]])
            >>> GateTrace({"h": h}, {"h": None}).final["h"].tolist()
            [[0.2]]
        """
        last = 0 if self.reverse else -1
        return {letter: self.arrays[letter][:, last] for letter in self.states}

    def shown(
        self, *, zero_output_for_mask: bool = False, initial_output_for_mask: bool = False
    ) -> Array:
        """The output of a layer of this cell. It differs from `h` at masked steps only.

        A masked step repeats the output of the step before it. Before the first valid step the
        output is zero.

        Args:
            zero_output_for_mask: Every masked step gives zeros.
            initial_output_for_mask: Before the first valid step the output is the initial state, as
                in Keras on JAX.

        Returns:
            `(batch, time, units)`.

        Example:
            >>> import numpy as np
            >>> h, mask = np.array([[[0.5], [0.7]]]), np.array([[False, True]])
            >>> GateTrace({"h": h}, {"h": None}, mask=mask).shown().ravel().tolist()
            [0.0, 0.7]
        """
        order = slice(None, None, -1 if self.reverse else 1)
        mask = None if self.mask is None else self.mask[:, order]
        output = emitted(
            self.arrays["h"][:, order],
            mask,
            zero_output_for_mask=zero_output_for_mask,
            initial_output_for_mask=initial_output_for_mask,
        )
        return output[:, order]

    def plot(self, letters: str | Sequence[str] | None = None, *, sequence: int = 0) -> Figure:
        """Draw heatmaps, units over timesteps, in the colour map `RdBu` with a colour bar.

        Args:
            letters: One letter such as `"f"`, or several letters. The default is all.
            sequence: The index of the sequence in the batch.

        Returns:
            A matplotlib figure without a window. A notebook shows it as the value of a cell, and
            `savefig` writes it to a file.

        Raises:
            LstmProbeError: There is no such letter or sequence.

        Example:
            >>> import numpy as np
            >>> trace = GateTrace({"f": np.full((1, 5, 2), 0.5)}, {"f": (0.0, 1.0)})
            >>> [axes.get_xlabel() for axes in trace.plot("f").axes if axes.get_xlabel()]
            ['timestep']
        """
        chosen = self.letters if letters is None else tuple(letters)
        figure: Figure = view("GateTrace.plot")(self, chosen, sequence=sequence)
        return figure

    def _repr_html_(self) -> str:
        return str(view("GateTrace._repr_html_")(self))

    def to_xarray(self) -> xarray.Dataset:
        """The trace as an xarray Dataset. Its arrays are not copied.

        It needs `pip install "lstm_probe[export]"`.

        Returns:
            A dataset with a variable for each letter over the dimensions `sequence`, `time` and
            `unit`. The attributes of a variable are its name and its interval, and those of the
            dataset are layer, cell and step. A mask is the coordinate `mask`, labels of timesteps
            are `label`, names of sequences `sequence_name`, and those of named probes `probe`. An
            `h` that is projected has the dimension `output_unit` in place of `unit`.

        Raises:
            LstmProbeError: xarray is not installed, or a letter is the name of a dimension.

        Example:
            >>> import numpy as np
            >>> trace = GateTrace({"f": np.full((1, 5, 2), 0.5)}, {"f": (0.0, 1.0)})
            >>> trace.to_xarray().f.mean("time").values.tolist()
            [[0.5, 0.5]]
        """
        dataset: xarray.Dataset = view("GateTrace.to_xarray")(self)
        return dataset

    def to_dataframe(self) -> pandas.DataFrame:
        """The trace as a pandas DataFrame, for seaborn, plotly and `groupby`.

        It needs `pip install "lstm_probe[export]"`. The frame's
        `melt(["sequence", "time", "unit"])` gives one row for each value, with the gate as a
        column.

        Returns:
            A frame with one row for each sequence, timestep and unit. The columns are `sequence`,
            `time`, `unit`, `sequence_name`, `probe`, `label` and `mask` if there are such, and one
            for each letter. An `h` that is projected is NaN at units that it does not have. Layer,
            cell and step are in `attrs`.

        Raises:
            LstmProbeError: pandas is not installed, or a letter is the name of another column.

        Example:
            >>> import numpy as np
            >>> trace = GateTrace({"f": np.full((1, 5, 2), 0.5)}, {"f": (0.0, 1.0)})
            >>> trace.to_dataframe().groupby("unit").f.mean().tolist()
            [0.5, 0.5]
        """
        frame: pandas.DataFrame = view("GateTrace.to_dataframe")(self)
        return frame

    def save(self, path: str | PathLike[str]) -> None:
        """Write the trace to an `.npz` file, without pickles.

        Args:
            path: The file. NumPy adds `.npz` if it is missing.

        Example:
            >>> import os, tempfile, numpy as np
            >>> trace = GateTrace({"h": np.zeros((1, 5, 2))}, {"h": None}, cell="lstm")
            >>> path = os.path.join(tempfile.mkdtemp(), "trace.npz")
            >>> trace.save(path)
            >>> GateTrace.load(path).cell
            'lstm'
        """
        from lstm_probe.core.trace_files import write_fields  # few programs save a trace

        write_fields(path, vars(self))

    @classmethod
    def load(cls, path: str | PathLike[str]) -> GateTrace:
        """Read a trace that `save` wrote. No code in a file is ever run.

        Args:
            path: The file.

        Raises:
            LstmProbeError: The file does not contain a trace.
            FileNotFoundError: There is no such file.

        Example:
            >>> GateTrace.load("trace.npz").letters  # doctest: +SKIP
            ('i', 'f', 'g', 'o', 'c', 'h')
        """
        from lstm_probe.core.trace_files import read_fields  # few programs load a trace

        return cls(**read_fields(path))
