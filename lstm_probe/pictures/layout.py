"""`Layout`: where everything in a picture lies, and how many pixels a cell has."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from matplotlib.ticker import MaxNLocator

from lstm_probe.core.arrays import Array, BoolArray

__all__ = ["Axis", "Layout"]


@dataclass(frozen=True)
class Axis:
    """How timesteps or units become columns or rows.

    Attributes:
        name: `timestep` or `unit`.
        count: how many there are.
        block: how many of them are averaged into one column or row; 1 if each has its own.
        cell: the pixels of a column or row.
    """

    name: str
    count: int
    block: int
    cell: int

    @classmethod
    def fitted(cls, name: str, count: int, *, target: int) -> Axis:
        """The axis whose length in pixels comes nearest to a target, from 2/3 to 4/3 of it.

        Example:
            >>> Axis.fitted("timestep", 28, target=600)
            Axis(name='timestep', count=28, block=1, cell=21)
            >>> Axis.fitted("timestep", 1000, target=600).label
            'timestep (means of 2)'
        """
        block = -(-count // target)
        return cls(name, count, block, max(1, round(target / -(-count // block))))

    @property
    def drawn(self) -> int:
        """The number of columns or rows."""
        return -(-self.count // self.block)

    @property
    def pixels(self) -> int:
        """The length in pixels."""
        return self.drawn * self.cell

    @property
    def label(self) -> str:
        """The name; if blocks are averaged, it says so."""
        if self.block == 1:
            return self.name
        return f"{self.name} (means of {self.block})"

    def ticks(self, spacing: int) -> dict[int, int]:
        """Which timesteps or units the axis names, and the pixel at the centre of each.

        Args:
            spacing: how many pixels there are between two of them at least.
        """
        locator = MaxNLocator(max(1, self.pixels // spacing), integer=True, steps=[1, 2, 5, 10])
        values = {round(value) for value in locator.tick_values(0, self.count - 1)} | {0}
        return {
            index: (2 * (index // self.block) + 1) * self.cell // 2
            for index in sorted(values)
            if 0 <= index < self.count
        }

    def sums(self, array: Array) -> Array:
        """The sums over blocks along the first axis: what is drawn as one column or row."""
        if self.block == 1:
            return array
        total = array[:: self.block].copy()
        for offset in range(1, self.block):
            part = array[offset :: self.block]
            total[: len(part)] += part  # np.add.reduceat takes up to 50 times as long
        return total


@dataclass(frozen=True)
class Layout:
    """The places of a picture's parts, in pixels.

    Attributes:
        time: the columns.
        units: the rows; unit 0 is at the top.
        room: the pixels below the heatmap that names of timesteps need beyond numbers.
    """

    time: Axis
    units: Axis
    room: int = 0

    left: Final = 72
    top: Final = 42
    right: Final = 116
    bottom: Final = 72
    bar_gap: Final = 18
    bar: Final = 16

    @classmethod
    def of(cls, timesteps: int, units: int, *, room: int = 0) -> Layout:
        """The layout for an array of a shape; the picture has about 560 x 340 pixels.

        TensorBoard's cards show a picture 300 to 400 pixels wide, so larger ones would have text
        that is too small to read.

        Args:
            timesteps: how many columns there are to be drawn.
            units: how many rows.
            room: how many pixels the names of timesteps need below the heatmap, beyond those that
                numbers need.
        """
        return cls(
            Axis.fitted("timestep", timesteps, target=380),
            Axis.fitted("unit", units, target=230),
            room,
        )

    @property
    def width(self) -> int:
        """The width of the picture."""
        return self.left + self.time.pixels + self.right

    @property
    def height(self) -> int:
        """The height of the picture."""
        return self.top + self.units.pixels + self.bottom + self.room

    @property
    def bar_left(self) -> int:
        """Where the colour bar begins."""
        return self.left + self.time.pixels + self.bar_gap

    def reduced(self, positions: Array, mask: BoolArray | None) -> tuple[Array, BoolArray]:
        """Average over blocks, so that every column and row has one value.

        Args:
            positions: `(time, units)`; NaN and infinity stay visible in the means.
            mask: `(time,)`, False where the step was skipped: it takes no part in the means.

        Returns:
            `(columns, rows)`, and for each column whether it shows anything: `(columns,)`.
        """
        counted = np.ones(len(positions), np.bool_) if mask is None else mask
        if self.time.block == self.units.block == 1:
            return positions, counted
        if mask is not None:
            positions = np.where(mask[:, None], positions, 0)
        steps = self.time.sums(counted.astype(positions.dtype))
        units = self.units.sums(np.ones(self.units.count, positions.dtype))
        means = self.time.sums(positions) / np.maximum(steps, 1)[:, None]
        return (self.units.sums(means.T) / units[:, None]).T, steps > 0
