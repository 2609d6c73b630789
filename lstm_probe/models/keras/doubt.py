"""Subclasses of Keras's recurrent layers that replace more than how the layer is made.

Such a layer may compute something else than its class says, although its cell is Keras's own: it
may change what the cell reads, or its states between the steps. Whether it does is seen when the
layer is recomputed.
"""

from __future__ import annotations

from dataclasses import replace

from lstm_probe.analysis.analysis import analyse
from lstm_probe.analysis.snapshot import Snapshot
from lstm_probe.models.keras.flavour import Layer

__all__ = ["checked", "replaced_methods"]

_METHODS = ("__call__", "call", "inner_loop")


def replaced_methods(layer: Layer) -> list[str]:
    """The methods of Keras's class that compute the layer, and that a subclass has replaced.

    Args:
        layer: a recurrent layer, or a cell: of a cell none.
    """
    for kind in type(layer).__mro__:
        if kind.__module__.startswith(("keras.", "tf_keras.")):
            return [
                name
                for name in _METHODS
                if getattr(type(layer), name, None) is not getattr(kind, name, None)
            ]
    return []


def checked(snapshot: Snapshot) -> Snapshot:
    """The snapshot; without the cell if the layer computes something else."""
    parity = None if snapshot.cell is None else analyse(snapshot).parity
    is_other = parity is not None and parity.verdict and parity.verdict.kind == "mismatch"
    return replace(snapshot, cell=None) if is_other else snapshot
