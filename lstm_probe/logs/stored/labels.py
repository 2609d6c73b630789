"""The labels of a stored capture: names of its timesteps and sequences.

`labels` in the header is one list for all timesteps of the layer, by original index. Older releases
know only this field and draw it under every sequence, so it is left out where that would put the
words of one sequence under the gates of another. `sequence_labels` then has a list for each stored
sequence, with a label for each stored timestep. `sequence_names` names the stored sequences.

`groups` lists the named probes, each with the number of its sequences, of which only some may be
stored: the original indices in `sequences` tell whose they are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from lstm_probe.core.groups import Groups
from lstm_probe.core.trace import GateTrace
from lstm_probe.logs.stored.format import Kept, Stored

__all__ = ["StoredLabels", "labels_header", "stored_groups", "stored_labels"]


#: A header that names more has not been written by lstm_probe, and nobody waits for its indices.
_MOST_SEQUENCES: Final = 2**24


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
    if trace.groups is not None:
        fields["groups"] = [list(group) for group in trace.groups]
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


def stored_groups(meta: Mapping[str, Any]) -> Groups:
    """The named probes in the header of a capture or of a probe's data; none if it names none.

    Args:
        meta: the header, which may hold anything.

    Example:
        >>> stored_groups({"groups": [["train", 8], ["validation", 4]]})
        (('train', 8), ('validation', 4))
        >>> stored_groups({"groups": [["train", -1]]}), stored_groups({})
        ((), ())
    """
    groups = meta.get("groups")
    if not isinstance(groups, list) or not all(map(_is_group, groups)):
        return ()
    return tuple((name, count) for name, count in groups)


def _is_group(group: Any) -> bool:
    if not isinstance(group, list) or len(group) != 2:
        return False
    name, count = group
    return isinstance(name, str) and type(count) is int and 0 < count < _MOST_SEQUENCES


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
