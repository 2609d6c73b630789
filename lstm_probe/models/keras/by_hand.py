"""Listening to cells that the user's own code calls, step by step: decoders, agents, wrappers."""

from __future__ import annotations

import inspect
from typing import Any

from lstm_probe.models.keras.flavour import flavour_of
from lstm_probe.models.keras.heard import Call, Heard

__all__ = ["CellTap"]


class CellTap:
    """Stands in for a cell's `call`. Each call is heard as a sequence of one step.

    Args:
        cell: the cell.
        heard: collects the calls.
    """

    def __init__(self, cell: Any, heard: Heard) -> None:
        self._cell = cell
        self._flavour = flavour_of(cell)
        self._call = self._flavour.call(cell)
        self._signature = inspect.signature(cell.call)
        self._heard = heard

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if self._heard.is_trial(self._cell):
            with self._heard.silencing(None):
                return self._call(*args, **kwargs)
        result = self._call(*args, **kwargs)
        if not _is_step(result):
            self._heard.unlike_cells.add(id(self._cell))
            return result
        if not self._heard.hears(self._cell):
            return result
        x, *rest = self._signature.bind(*args, **kwargs).arguments.values()
        output, states = result
        self._heard.add(
            Call(
                self._cell,
                self._cell,
                "",
                x[:, None],
                output[:, None],
                None,
                None,
                self._flavour.flatten(rest[0]) if rest else None,
                False,
                self._flavour.flatten(states),
            )
        )
        return self._heard.loops.tied(result)


def _is_step(result: Any) -> bool:
    """Whether a call has returned an output with new states, as cells do."""
    return isinstance(result, (tuple, list)) and len(result) == 2 and hasattr(result[0], "shape")
