"""What a user gives as labels of a probe, checked before the training begins."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final, TypeAlias

import numpy as np

from lstm_probe.core.errors import LstmProbeError
from lstm_probe.core.groups import Groups, total
from lstm_probe.models.decoding import Decode, decoded
from lstm_probe.models.labels import ProbeLabels
from lstm_probe.models.probe import Probe, padded_leaves
from lstm_probe.models.texts import texts_of

__all__ = ["GivenLabels", "as_labels", "as_labels_of_feeds"]

#: One list for all sequences, or one list for each sequence.
GivenLabels: TypeAlias = "Sequence[str] | Sequence[Sequence[str]]"

#: Every capture holds the labels. With more characters its header could not be read again.
_MOST_CHARACTERS: Final = 2**20


def as_labels(
    probe: Probe,
    labels: GivenLabels | None = None,
    *,
    names: Sequence[str] | None = None,
    decode: Decode | None = None,
    groups: Groups | None = None,
    texts: bool = False,
) -> ProbeLabels | None:
    """The labels of a probe.

    Args:
        probe: as `as_probe` returns it.
        labels: one list for all sequences, with a name for each timestep; or one list for each
            sequence, of which shorter ones are padded as the probe is.
        names: a name for each sequence.
        decode: makes the labels from the probe's tokens, in place of `labels`.
        groups: the named probes whose sequences these are.
        texts: whether the words of a probe of texts are labels, where none are given.

    Returns:
        None if neither timesteps nor sequences have names, and there are no named probes.

    Raises:
        LstmProbeError: there are not as many labels as timesteps, or lists as sequences.

    Example:
        >>> probe = np.zeros((2, 2, 3))
        >>> as_labels(probe, ["mon", "tue"]).rows
        (('mon', 'tue'),)
        >>> as_labels(probe, [["good", "film"], ["bad"]]).rows
        (('good', 'film'), ('bad',))
    """
    leaves = padded_leaves(probe)
    given = _parsed(leaves, labels, names, decode, groups, texts=texts)
    if given is None:
        return None
    batches = {len(leaf) for leaf in leaves if leaf.ndim}
    sequences = batches.pop() if len(batches) == 1 else None
    _check_sequences(given, sequences)
    given = replace(given, sequences=sequences)
    if not given.rows or any(map(_is_text, leaves)):
        return given
    timesteps = _timesteps(given, sequences, _lengths(leaves))
    rows = () if given.shared else given.rows
    at_end = [_is_padded_in_front(leaves, k, len(row), timesteps) for k, row in enumerate(rows)]
    return replace(given, timesteps=timesteps, at_end=tuple(at_end))


def as_labels_of_feeds(
    feeds: Iterable[Any],
    labels: GivenLabels | None = None,
    *,
    names: Sequence[str] | None = None,
    decode: Decode | None = None,
    time_major: bool = False,
    groups: Groups | None = None,
    texts: bool = False,
) -> ProbeLabels | None:
    """The labels of a probe that is fed to a graph, as `as_labels` takes them.

    How many sequences and timesteps the cell reads is known at the first capture: `check` compares
    them then.

    Args:
        feeds: the arrays that are fed.
        labels: see `as_labels`.
        names: see `as_labels`.
        decode: see `as_labels`.
        time_major: whether tokens are fed as `(time, batch)`.
        groups: see `as_labels`.
        texts: see `as_labels`.

    Raises:
        LstmProbeError: these are no labels, or the tokens cannot be decoded.
    """
    leaves = [np.asarray(feed) for feed in feeds]
    if time_major:
        leaves = [leaf.swapaxes(0, 1) if leaf.ndim > 1 else leaf for leaf in leaves]
    return _parsed(leaves, labels, names, decode, groups, texts=texts)


def _parsed(
    leaves: Sequence[Any],
    labels: GivenLabels | None,
    names: Sequence[str] | None,
    decode: Decode | None,
    groups: Groups | None,
    *,
    texts: bool,
) -> ProbeLabels | None:
    """What was given, without a look at the size of the probe."""
    if labels is not None and decode is not None:
        raise LstmProbeError(
            "There are two sources of labels. Received: both labels and decode. Expected: labels, "
            "or decode, which makes them from the tokens of the probe."
        )
    if isinstance(names, (str, Mapping)):
        raise LstmProbeError(
            f"The names of the sequences are no list. Received: names={names!r:.80}. Expected: a "
            "list with a name for each sequence of the probe."
        )
    found = texts_of(leaves) if texts else None
    if labels is None and decode is None and names is None and not groups and found is None:
        return None
    rows, shared = (decoded(leaves, decode), False) if decode is not None else _rows(labels)
    parsed = ProbeLabels(
        tuple(tuple(map(_text, row)) for row in rows),
        shared,
        names=() if names is None else tuple(map(_text, names)),
        sequences=total(groups) if groups else None,
        groups=groups,
        texts=found,
    )
    characters = sum(len(word) for row in (*parsed.rows, parsed.names) for word in row)
    if characters > _MOST_CHARACTERS:
        raise LstmProbeError(
            f"The labels are too long. Received: {characters} characters. Expected: up to "
            f"{_MOST_CHARACTERS}: each capture holds them. Probe fewer sequences, or shorten the "
            "labels."
        )
    return parsed


def _rows(labels: GivenLabels | None) -> tuple[list[Any], bool]:
    """A row of labels for each sequence, or a single row, and whether it is for all of them."""
    if labels is None:
        return [], False
    if isinstance(labels, Mapping):
        raise LstmProbeError(
            f"The labels are no list. Received: a {type(labels).__name__}. Expected: a list with a "
            "name for each timestep, or such a list for each sequence of the probe; the names of "
            "the sequences are an option of their own, names=[...]."
        )
    given = list(labels)
    lists = [_is_list(row) for row in given if row is not None]
    if not any(lists):
        return [given], True
    rows = [[] if row is None else list(row) for row in given]
    if not all(lists) or any(_is_list(word) for row in rows for word in row):
        raise LstmProbeError(
            f"The labels are of several kinds. Received: {given!r:.80}. Expected: a name for each "
            "timestep, or a list of names for each sequence of the probe."
        )
    return rows, False


def _is_list(label: Any) -> bool:
    return isinstance(label, (list, tuple)) or (isinstance(label, np.ndarray) and label.ndim > 0)


def _text(label: Any) -> str:
    if isinstance(label, bytes):
        return label.decode("utf-8", "replace")
    return "" if label is None else str(label)


def _check_sequences(given: ProbeLabels, sequences: int | None) -> None:
    if given.names and sequences not in (None, len(given.names)):
        raise LstmProbeError(
            f"The names do not fit the probe. Received: {len(given.names)} names. Expected: one "
            f"for each of its {sequences} sequences."
        )
    if given.rows and not given.shared and sequences not in (None, len(given.rows)):
        raise LstmProbeError(
            f"The labels do not fit the probe. Received: {len(given.rows)} lists of labels. "
            f"Expected: one for each of its {sequences} sequences, or a single list of names, not "
            "of lists, for all of them."
        )


def _lengths(leaves: Sequence[Any]) -> list[int]:
    """How many timesteps the inputs have. A row of fractions is a list of features, and not a
    sequence, where another input is one."""
    wide = [leaf for leaf in leaves if leaf.ndim > 1]
    return sorted({leaf.shape[1] for leaf in list(filter(_is_sequence, wide)) or wide})


def _timesteps(given: ProbeLabels, sequences: int | None, lengths: list[int]) -> int:
    """How many timesteps the labels are for.

    Raises:
        LstmProbeError: the probe has no such number of timesteps, or it is not known which of
            several inputs the labels are for.
    """
    longest = max(map(len, given.rows))
    if longest in lengths:
        return longest
    if given.shared or not lengths:
        hint = " The names of sequences are an option of their own, names=[...]."
        raise LstmProbeError(
            f"The labels do not fit the probe. Received: {longest} labels. Expected: one for "
            f"each of its {' or '.join(map(str, lengths)) or 'no'} timesteps, or a list of them "
            f"for each sequence.{hint if longest == sequences else ''}"
        )
    if longest > lengths[-1]:
        which = max(range(len(given.rows)), key=lambda k: len(given.rows[k]))
        raise LstmProbeError(
            f"The labels do not fit the probe. Received: {longest} labels for sequence {which}. "
            f"Expected: up to {lengths[-1]}, one for each timestep."
        )
    if len(lengths) > 1:
        raise LstmProbeError(
            f"It is not known which input the labels are for. Received: up to {longest} labels "
            f"for a sequence; the probe has inputs of {' and '.join(map(str, lengths))} timesteps. "
            "Expected: as many labels as one of them has timesteps. Pad the labels with ''."
        )
    return lengths[0]


def _is_text(leaf: Any) -> bool:
    """Whether an input is whole texts, which the model cuts into it is not known how many words."""
    return leaf.dtype.kind in "SU" and leaf.size == len(leaf)


def _is_sequence(leaf: Any) -> bool:
    return leaf.ndim > 2 or leaf.dtype.kind not in "f" or bool((leaf == np.floor(leaf)).all())


def _is_padded_in_front(leaves: Sequence[Any], sequence: int, labels: int, timesteps: int) -> bool:
    """Whether the steps that a sequence has beyond its labels are zeros at its beginning alone."""
    missing = timesteps - labels
    for leaf in leaves:
        if missing and leaf.ndim > 1 and leaf.shape[1] == timesteps and len(leaf) > sequence:
            steps = leaf[sequence].reshape(timesteps, -1)
            padded = (steps == ("" if leaf.dtype.kind == "U" else 0)).all(axis=1)
            if padded[:missing].all() != padded[labels:].all():
                return bool(padded[:missing].all())
    return False
