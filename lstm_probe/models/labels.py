"""The names of a probe's timesteps and sequences, which are checked before the training begins."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, TypeAlias

import numpy as np

from lstm_probe.core.arrays import BoolArray
from lstm_probe.core.errors import LstmProbeError
from lstm_probe.core.trace import GateTrace
from lstm_probe.core.warn import warn
from lstm_probe.models.decoding import Decode, decoded
from lstm_probe.models.probe import Probe, probe_leaves

__all__ = ["GivenLabels", "ProbeLabels", "as_labels", "as_labels_of_feeds"]

_log = logging.getLogger(__name__)

#: One list for all sequences, or one list for each sequence.
GivenLabels: TypeAlias = "Sequence[str] | Sequence[Sequence[str]]"

#: Every capture holds the labels. With more characters its header could not be read again.
_MOST_CHARACTERS: Final = 2**20


@dataclass(frozen=True)
class ProbeLabels:
    """The labels of a probe: names of the timesteps of each sequence, and names of the sequences.

    Attributes:
        rows: for each sequence the names of its timesteps; a single row if `shared`; no row if the
            timesteps have no names.
        shared: whether the single row holds for every sequence.
        names: the name of each sequence; none if they have no names.
        sequences: how many sequences the probe has; None if that is not known.
        timesteps: how many timesteps it has; None if that is not known.
        at_end: for each row, whether it names the last timesteps where it is shorter than the
            sequence, because the sequence is padded at its beginning.
    """

    rows: tuple[tuple[str, ...], ...] = ()
    shared: bool = False
    names: tuple[str, ...] = ()
    sequences: int | None = None
    timesteps: int | None = None
    at_end: tuple[bool, ...] = ()

    def on(self, trace: GateTrace) -> GateTrace:
        """A layer's trace with the labels that belong to it.

        A layer that reads other sequences than the probe's, or another number of timesteps, gets
        none: they would stand under what they do not name.

        Args:
            trace: the layer's trace.

        Example:
            >>> trace = GateTrace({"h": np.zeros((1, 3, 2))}, {"h": None})
            >>> ProbeLabels((("good", "film"),)).on(trace).labels
            (('good', 'film', ''),)
        """
        batch, time = trace[trace.letters[0]].shape[:2]
        if self.sequences not in (None, batch):
            return trace
        names = self.names if len(self.names) == batch else None
        return replace(trace, labels=self._labels(batch, time, trace.mask), sequence_names=names)

    def check(self, traces: Iterable[GateTrace]) -> None:
        """Check that there is a layer that the labels belong to, at the first capture.

        Where they fit the probe but no layer, as behind a convolution with strides, a warning says
        that they are not shown.

        Args:
            traces: those of all layers.

        Raises:
            LstmProbeError: the probe did not tell its size, and no layer reads as many sequences
                and timesteps as there are labels for.
        """
        traces = list(traces)
        labelled = [self.on(trace) for trace in traces]
        fits = not self.rows or any(trace.labels for trace in labelled)
        if fits and (not self.names or any(trace.sequence_names for trace in labelled)):
            return
        sizes = sorted({trace[trace.letters[0]].shape[:2] for trace in traces})
        if self.sequences is not None and (self.timesteps is not None or not self.rows):
            warn(
                _log,
                "lstm_probe: the labels fit the probe, but no layer reads as many sequences and "
                "timesteps as it has, so they are not shown. The layers read %s.",
                " and ".join(f"{batch} x {time}" for batch, time in sizes),
            )
            return
        raise LstmProbeError(
            f"The labels do not fit the probe. Received: {self._described()}. Expected: labels "
            f"for {' or '.join(f'{b} sequences of {t} timesteps' for b, t in sizes)}: one list for "
            "all sequences, or one list for each, and as many names as sequences."
        )

    def _described(self) -> str:
        lengths = ", ".join(str(len(row)) for row in self.rows) or "no"
        kind = "in one list for all sequences" if self.shared else "in a list for each sequence"
        return f"{lengths} labels {kind}, {len(self.names)} names"

    def _labels(
        self, batch: int, time: int, mask: BoolArray | None
    ) -> tuple[tuple[str, ...], ...] | None:
        rows = self.rows * batch if self.shared else self.rows
        longest = max(map(len, rows), default=0)
        if len(rows) != batch or longest > time or self.timesteps not in (None, time):
            return None
        if self.shared:
            return rows
        at_end = self.at_end or (False,) * batch
        return tuple(
            _placed(row, time, None if mask is None else mask[k], at_end[k])
            for k, row in enumerate(rows)
        )


def _placed(
    row: tuple[str, ...], time: int, mask: BoolArray | None, at_end: bool
) -> tuple[str, ...]:
    """The labels of a sequence, one for each timestep. Those of a shorter sequence stand at the
    steps that count where there are as many of them; else the padding is where the probe has it."""
    missing = ("",) * (time - len(row))
    if missing and mask is not None and np.count_nonzero(mask) == len(row):
        words = iter(row)
        return tuple(next(words) if counts else "" for counts in mask.tolist())
    return missing + row if at_end else row + missing


def as_labels(
    probe: Probe,
    labels: GivenLabels | None = None,
    *,
    names: Sequence[str] | None = None,
    decode: Decode | None = None,
) -> ProbeLabels | None:
    """The labels of a probe.

    Args:
        probe: as `as_probe` returns it.
        labels: one list for all sequences, with a name for each timestep; or one list for each
            sequence, of which shorter ones are padded as the probe is.
        names: a name for each sequence.
        decode: makes the labels from the probe's tokens, in place of `labels`.

    Returns:
        None if neither timesteps nor sequences have names.

    Raises:
        LstmProbeError: there are not as many labels as timesteps, or lists as sequences.

    Example:
        >>> probe = np.zeros((2, 2, 3))
        >>> as_labels(probe, ["mon", "tue"]).rows
        (('mon', 'tue'),)
        >>> as_labels(probe, [["good", "film"], ["bad"]]).rows
        (('good', 'film'), ('bad',))
    """
    given = _parsed(probe_leaves(probe), labels, names, decode)
    if given is None:
        return None
    leaves = probe_leaves(probe)
    batches = {len(leaf) for leaf in leaves if leaf.ndim}
    sequences = batches.pop() if len(batches) == 1 else None
    # Whole texts as strings tell nothing of how many words the model cuts them into.
    texts = any(leaf.dtype.kind in "SUO" and leaf.size == len(leaf) for leaf in leaves if leaf.ndim)
    wide = [leaf for leaf in leaves if leaf.ndim > 1]
    # A row of fractions is a list of features, where another input is a sequence.
    lengths = sorted({leaf.shape[1] for leaf in filter(_is_sequence, wide)} or
                     {leaf.shape[1] for leaf in wide})  # fmt: skip
    _check_names(given, sequences)
    if not given.rows or (texts and not given.shared):
        _check_sequences(given, sequences)
        return replace(given, sequences=sequences)
    timesteps = _timesteps(given, sequences, lengths)
    _check_sequences(given, sequences)
    at_end = tuple(_is_padded_in_front(leaves, k, len(row), timesteps)
                   for k, row in enumerate(given.rows) if not given.shared)  # fmt: skip
    return replace(given, sequences=sequences, timesteps=timesteps, at_end=at_end)


def as_labels_of_feeds(
    feeds: Iterable[Any],
    labels: GivenLabels | None = None,
    *,
    names: Sequence[str] | None = None,
    decode: Decode | None = None,
    time_major: bool = False,
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

    Raises:
        LstmProbeError: these are no labels, or the tokens cannot be decoded.
    """
    leaves = [np.asarray(feed) for feed in feeds]
    if time_major:
        leaves = [leaf.swapaxes(0, 1) if leaf.ndim > 1 else leaf for leaf in leaves]
    given = _parsed(leaves, labels, names, decode)
    if given is None or not given.shared:
        return given
    return replace(given, timesteps=len(given.rows[0]))


def _parsed(
    leaves: Sequence[Any],
    labels: GivenLabels | None,
    names: Sequence[str] | None,
    decode: Decode | None,
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
    if labels is None and decode is None and names is None:
        return None
    rows, shared = (decoded(leaves, decode), False) if decode is not None else _rows(labels)
    parsed = ProbeLabels(
        tuple(tuple(map(_text, row)) for row in rows),
        shared,
        names=() if names is None else tuple(map(_text, names)),
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


def _check_names(given: ProbeLabels, sequences: int | None) -> None:
    if given.names and sequences not in (None, len(given.names)):
        raise LstmProbeError(
            f"The names do not fit the probe. Received: {len(given.names)} names. Expected: one "
            f"for each of its {sequences} sequences."
        )


def _check_sequences(given: ProbeLabels, sequences: int | None) -> None:
    if given.rows and not given.shared and sequences not in (None, len(given.rows)):
        raise LstmProbeError(
            f"The labels do not fit the probe. Received: {len(given.rows)} lists of labels. "
            f"Expected: one for each of its {sequences} sequences, or a single list of names, not "
            "of lists, for all of them."
        )


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
