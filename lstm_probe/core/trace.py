"""`GateTrace`: every gate of every timestep, as named arrays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from os import PathLike
from typing import TYPE_CHECKING, TypeAlias

from lstm_probe.core.arrays import Array, BoolArray
from lstm_probe.core.errors import LstmProbeError
from lstm_probe.core.masks import emitted
from lstm_probe.core.views import view

if TYPE_CHECKING:
    import pandas
    import xarray
    from matplotlib.figure import Figure

__all__ = ["GateTrace", "Interval", "title"]

#: A closed interval of values, or None where they are not bounded.
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
    """What a letter of the equations stands for, with the letter.

    Example:
        >>> title("f")
        'forget gate f'
    """
    return f"{_TITLES[letter]} {letter}" if letter in _TITLES else letter


@dataclass(frozen=True, eq=False, repr=False)
class GateTrace:
    """The gates of a cell along a batch of sequences.

    An array is read by its letter, as `trace["f"]` or `trace.f`.

    Attributes:
        arrays: `(batch, time, units)` each, by letter, in the order in which they are shown; an
            `h` that is projected has the width of the projection.
        ranges: for each letter the closed interval of its values, None if not bounded.
        cell: the cell's name, such as `lstm`.
        mask: `(batch, time)`, False where the step was skipped; None if all steps count.
        layer: the name of the layer, empty if there is none.
        step: the training step of the weights, None if there is none.
        states: the letters of the states among the arrays, in the cell's order.
        reverse: the cell read from the last timestep to the first; the arrays are in the order of
            the input's time all the same.

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

    def __post_init__(self) -> None:
        shapes = {letter: array.shape for letter, array in self.arrays.items()}
        gates = {shape for letter, shape in shapes.items() if letter != "h"}
        steps = {shape[:2] if len(shape) == 3 else None for shape in shapes.values()}
        if len(gates) > 1 or len(steps) != 1 or None in steps:
            raise LstmProbeError(
                f"The arrays of a trace do not fit each other. Received: {shapes}. Expected: one "
                "shape (batch, time, units) for all; only the last axis of h may differ."
            )

    def __repr__(self) -> str:
        batch, timesteps, units = self._shape
        whose = f"{''.join(self.letters)} of layer {self.layer!r}, cell {self.cell!r}"
        size = f"{batch} sequences, {timesteps} timesteps, {units} units"
        return f"GateTrace({whose}, step {self.step}: {size})"

    @property
    def letters(self) -> tuple[str, ...]:
        """The letters of the arrays, in the order in which they are shown."""
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
        """The values at the steps that count, `(steps, units)`: what statistics are made of.

        Example:
            >>> import numpy as np
            >>> trace = GateTrace({"h": np.zeros((2, 5, 3))}, {"h": None})
            >>> trace.valid("h").shape
            (10, 3)
        """
        array = self[letter]
        return array.reshape(-1, array.shape[-1]) if self.mask is None else array[self.mask]

    def reversed_in_time(self) -> GateTrace:
        """The trace of a layer that reads backwards, aligned with its input again."""
        return replace(
            self,
            arrays={letter: array[:, ::-1] for letter, array in self.arrays.items()},
            mask=None if self.mask is None else self.mask[:, ::-1],
            reverse=not self.reverse,
        )

    @property
    def final(self) -> dict[str, Array]:
        """The states after the last step that the cell computed, `(batch, units)` by letter: what a
        layer returns as its states, and what the next part of a sequence begins with.

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
        """What a layer of this cell shows, `(batch, time, units)`: `h`, but for masked steps.

        A masked step repeats the output of the step before it, and shows zeros as long as no step
        was valid.

        Args:
            zero_output_for_mask: every masked step shows zeros.
            initial_output_for_mask: before the first valid step the initial state is shown, as
                Keras does on JAX.

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
            letters: one letter such as `"f"`, or several; all by default.
            sequence: which sequence of the batch.

        Returns:
            A matplotlib figure that belongs to no window: show it in a notebook by naming it, or
            call its `savefig`.

        Raises:
            LstmProbeError: no such letter or sequence.

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
        """The trace as an xarray Dataset, without copying its arrays.

        Needs `pip install "lstm_probe[export]"`.

        Returns:
            A variable for each letter, over the dimensions `sequence`, `time` and `unit`, with its
            name and interval as attributes; layer, cell and step are attributes of the dataset.
            A mask is the coordinate `mask`. An `h` that is projected has the dimension
            `output_unit` in place of `unit`.

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
        """The trace as a pandas DataFrame: what seaborn, plotly and `groupby` take.

        Needs `pip install "lstm_probe[export]"`. For one row for each value, with the gate as a
        column, call the frame's `melt(["sequence", "time", "unit"])`.

        Returns:
            A row for each sequence, timestep and unit, which are columns; then a column for each
            letter, and `mask` if there is one. An `h` that is projected is NaN at units that it
            does not have. Layer, cell and step are in `attrs`.

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
            path: the file; NumPy adds `.npz` where it is missing.

        Example:
            >>> import os, tempfile, numpy as np
            >>> trace = GateTrace({"h": np.zeros((1, 5, 2))}, {"h": None}, cell="lstm")
            >>> path = os.path.join(tempfile.mkdtemp(), "trace.npz")
            >>> trace.save(path)
            >>> GateTrace.load(path).cell
            'lstm'
        """
        from lstm_probe.core.trace_files import write_fields  # seldom needed

        write_fields(path, vars(self))

    @classmethod
    def load(cls, path: str | PathLike[str]) -> GateTrace:
        """Read a trace that `save` wrote.

        Raises:
            LstmProbeError: the file is not such a trace. No code in a file is ever run.
            FileNotFoundError: there is no such file.
        """
        from lstm_probe.core.trace_files import read_fields  # seldom needed

        return cls(**read_fields(path))
