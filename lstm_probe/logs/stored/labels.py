"""The labels of a stored capture: names of its timesteps and sequences.

`labels` in the header is one list for all timesteps of the layer, by original index. Older releases
know only this field and draw it under every sequence, so it is left out where that would put the
words of one sequence under the gates of another. `sequence_labels` then has a list for each stored
sequence, with a label for each stored timestep. `sequence_names` names the stored sequences.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from lstm_probe.core.trace import GateTrace
from lstm_probe.logs.stored.format import Kept, Stored

__all__ = ["StoredLabels", "labels_header", "stored_labels"]


class StoredLabels(NamedTuple):
    """The labels of what is stored.

    Attributes:
        rows: for each stored sequence the name of each stored timestep, empty where it has none;
            None if no timestep has a name.
        names: the name of each stored sequence; None if they have no names.
    """

    rows: list[list[str]] | None
    names: list[str] | None


def labels_header(trace: GateTrace, kept: Kept) -> dict[str, Any]:
    """The fields of a capture's header that hold a trace's labels.

    Args:
        trace: the layer's trace.
        kept: the part of it that is stored.

    Example:
        >>> import numpy as np
        >>> from lstm_probe.logs.stored.format import keep
        >>> words = (("good", "film"), ("bad", "film"))
        >>> trace = GateTrace({"h": np.zeros((2, 2, 3))}, {"h": None}, labels=words)
        >>> labels_header(trace, keep((2, 2, 3)))
        {'labels': None, 'sequence_labels': [['good', 'film'], ['bad', 'film']]}
    """
    fields: dict[str, Any] = {"labels": None}
    if trace.labels is not None:
        rows = [trace.labels[k] for k in kept.sequences.tolist()]
        if all(row == rows[0] for row in rows):
            fields["labels"] = list(rows[0])
        else:
            timesteps = kept.timesteps.tolist()
            fields["sequence_labels"] = [[row[t] for t in timesteps] for row in rows]
    if trace.sequence_names is not None:
        names = trace.sequence_names
        fields["sequence_names"] = [names[k] for k in kept.sequences.tolist()]
    return fields


def stored_labels(stored: Stored) -> StoredLabels:
    """The labels of a stored capture, whose header may hold anything.

    Args:
        stored: a capture that `checked_capture` has let pass.

    Example:
        >>> import numpy as np
        >>> arrays = {"sequences": np.array([0]), "timesteps": np.array([0, 2])}
        >>> stored_labels(Stored(arrays, {"labels": ["a", "b", "c"]}))
        StoredLabels(rows=[['a', 'c']], names=None)
    """
    sequences, timesteps = len(stored.arrays["sequences"]), stored.arrays["timesteps"].tolist()
    names = stored.meta.get("sequence_names")
    return StoredLabels(
        _rows(stored.meta, sequences, timesteps),
        list(map(str, names)) if isinstance(names, list) and len(names) == sequences else None,
    )


def _rows(
    meta: Mapping[str, Any], sequences: int, timesteps: Sequence[int]
) -> list[list[str]] | None:
    rows, shared = meta.get("sequence_labels"), meta.get("labels")
    if isinstance(rows, list) and len(rows) == sequences:
        if all(isinstance(row, list) and len(row) == len(timesteps) for row in rows):
            return [list(map(str, row)) for row in rows]
    elif isinstance(shared, list) and all(0 <= t < len(shared) for t in timesteps):
        return [[str(shared[t]) for t in timesteps]] * sequences
    return None
