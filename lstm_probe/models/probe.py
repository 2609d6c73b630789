"""The probe: the fixed input of all captures, which is checked before the training begins."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from os import PathLike
from pathlib import Path
from typing import Any, Final, TypeAlias

import numpy.typing as npt

from lstm_probe.core.errors import LstmProbeError
from lstm_probe.core.groups import Groups
from lstm_probe.core.warn import warn
from lstm_probe.models.arrays import Leaf, as_leaf, is_array
from lstm_probe.models.batches import first_batch
from lstm_probe.models.joining import joined
from lstm_probe.models.named_probes import Probes
from lstm_probe.models.ragged import Ragged
from lstm_probe.models.targets import joined_targets

__all__ = [
    "UNUSED",
    "GivenProbe",
    "Probe",
    "as_probe",
    "given_probe",
    "padded_leaves",
    "probe_leaves",
]

_log = logging.getLogger(__name__)

#: What is said of a probe with more in it than a model's inputs.
UNUSED: Final = (
    "lstm_probe: the probe is a pair of inputs and targets: the inputs are looked at, the targets "
    "are not."
)

#: One array, or several in a list or dict, as the model takes its inputs; or what holds batches.
Probe: TypeAlias = Any

_FILES = (".npy", ".npz", ".csv", ".tsv", ".txt")


def as_probe(probe: Probe, *, ragged: bool = False) -> Probe:
    """Copy a probe into NumPy arrays, and check it.

    Args:
        probe: an array of numbers or of strings, of whichever framework, or a list or dict of
            arrays, as the model takes its inputs; sequences of different lengths, as lists or as a
            `tf.RaggedTensor`; a table of pandas'; a `tf.data.Dataset`, `PyDataset`, `Sequence` or
            `DataLoader`, of which the inputs of the first batch are taken; or the path of an
            `.npy`, `.npz` or `.csv` file.
        ragged: whether sequences of different lengths are kept as a `Ragged`, for a reader that
            knows what to do with them. By default they are refused.

    Returns:
        The arrays, in the structure of the probe.

    Raises:
        LstmProbeError: an array is empty, is not finite, or holds neither numbers nor strings; or
            no batch can be taken without a change that the training would notice.

    Example:
        >>> as_probe([[1.0, 2.0]]).shape, as_probe([["a", "b c"]]).tolist()
        ((1, 2), [['a', 'b c']])
    """
    given = given_probe(probe, ragged=ragged)
    if given.targets is not None and isinstance(probe, (tuple, Probes)):
        warn(_log, UNUSED)
    return given.inputs


@dataclass(frozen=True)
class GivenProbe:
    """What a user gave as the probe.

    Attributes:
        inputs: the arrays, in the structure of the probe.
        targets: those of what is certainly a pair of inputs and targets, as they were given; None
            if there are none.
        groups: the named probes whose sequences these are; None if it is one without a name.
        parts: inputs and targets of each of them, by its name.
    """

    inputs: Probe
    targets: Any = None
    groups: Groups | None = None
    parts: Mapping[str, tuple[Probe, Any]] = field(default_factory=dict)


def given_probe(probe: Probe, *, ragged: bool = False) -> GivenProbe:
    """The one form of whatever is given as a probe, with its targets; `Probes` become one batch.

    Of a tuple of two arrays the model tells whether the second is an input: it stays a tuple.

    Args:
        probe: as `as_probe` takes it.
        ragged: likewise.

    Raises:
        LstmProbeError: as of `as_probe`; or named probes do not fit together.

    Example:
        >>> import numpy as np
        >>> given_probe(({"words": np.ones((2, 3))}, [0, 1])).targets
        [0, 1]
        >>> given = given_probe(Probes(train=np.ones((2, 3)), validation=np.zeros((1, 3))))
        >>> given.inputs.shape, given.groups
        ((3, 3), (('train', 2), ('validation', 1)))
    """
    if not isinstance(probe, Probes):
        inputs, targets = _parts(probe)
        return GivenProbe(_as_leaves(inputs, ragged=ragged), targets)
    pairs = {name: _pair(each) for name, each in probe.items()}
    parts = {
        name: _as_leaves(inputs, ragged=ragged, called=f"probe[{name!r}]")
        for name, (inputs, _) in pairs.items()
    }
    inputs, groups = joined(parts, ragged=ragged)
    targets = {name: each for name, (_, each) in pairs.items()}
    both = {name: (each, targets[name]) for name, each in parts.items()}
    return GivenProbe(inputs, joined_targets(targets, groups), groups, both)


def _as_leaves(probe: Any, *, ragged: bool, called: str = "probe") -> Probe:
    members = probe.values() if isinstance(probe, Mapping) else probe
    inside = [*members] if isinstance(probe, (Mapping, list, tuple)) else []
    if any(isinstance(each, Probes) for each in (probe, *inside)):
        raise LstmProbeError(
            f"Named probes are inside of another probe. Received: {called}, which holds Probes. "
            "Expected: Probes on the outside, with inputs and targets in each of them, as in "
            "Probes(train=(x[:8], y[:8]), validation=(x_val[:8], y_val[:8]))."
        )
    if isinstance(probe, Mapping):
        pairs = [name for name, each in probe.items() if _is_pair(each)]
        if pairs:
            raise LstmProbeError(
                f"The probe is a dict of pairs. Received: {called}[{pairs[0]!r}], a tuple of "
                "arrays. Expected: an array for each input of the model; or, for several probes "
                "with targets, Probes(train=(x[:8], y[:8]), validation=(x_val[:8], y_val[:8]))."
            )
        return {
            name: as_leaf(f"{called}[{name!r}]", leaf, ragged=ragged)
            for name, leaf in probe.items()
        }
    if isinstance(probe, (list, tuple)) and any(is_array(leaf) for leaf in probe):
        leaves = [as_leaf(f"{called}[{i}]", leaf, ragged=ragged) for i, leaf in enumerate(probe)]
        return tuple(leaves) if isinstance(probe, tuple) else leaves
    return as_leaf(called, probe, ragged=ragged)


def _is_pair(member: Any) -> bool:
    return isinstance(member, tuple) and any(is_array(each) for each in member)


def _pair(probe: Any) -> tuple[Any, Any]:
    """Inputs and targets of one of several named probes: a tuple of two is always that, and one of
    three ends with weights, as batches of Keras do."""
    if isinstance(probe, tuple) and len(probe) in (2, 3):
        inputs = first_batch(_read(probe[0]))[0]
        return list(inputs) if isinstance(inputs, tuple) else inputs, probe[1]
    return _parts(probe)


def probe_leaves(probe: Probe) -> Sequence[Leaf]:
    """The arrays of a probe as a list, in the order of its list or dict.

    Args:
        probe: as `as_probe` returns it.

    Example:
        >>> import numpy as np
        >>> [leaf.shape for leaf in probe_leaves(as_probe({"words": np.zeros((1, 2, 3))}))]
        [(1, 2, 3)]
    """
    if isinstance(probe, Mapping):
        return list(probe.values())
    return list(probe) if isinstance(probe, (list, tuple)) else [probe]


def padded_leaves(probe: Probe) -> Sequence[npt.NDArray[Any]]:
    """The same, with sequences of different lengths filled up at their ends.

    Args:
        probe: as `as_probe` returns it, ragged ones included.

    Example:
        >>> padded_leaves(as_probe([["a", "b"], ["c"]], ragged=True))[0].tolist()
        [['a', 'b'], ['c', '']]
    """
    return [
        leaf.padded(leaf.dtype.type()) if isinstance(leaf, Ragged) else leaf
        for leaf in probe_leaves(probe)
    ]


def _parts(probe: Any) -> tuple[Any, Any]:
    """Inputs and targets of a pair whose first part no array can be, and of a first batch."""
    inputs, targets = first_batch(_read(probe))
    if targets is not None or not isinstance(inputs, tuple) or len(inputs) not in (2, 3):
        return inputs, targets
    first = inputs[0]
    several = isinstance(first, Mapping) or (
        isinstance(first, (list, tuple)) and any(is_array(each) for each in first)
    )
    if not several:
        return inputs, None
    return list(first) if isinstance(first, tuple) else first, inputs[1]


def _read(probe: Any) -> Any:
    """What a file holds, if the probe is the path of one."""
    if isinstance(probe, PathLike) or (isinstance(probe, str) and probe.endswith(_FILES)):
        from lstm_probe.models.files.probes import read_probe

        return read_probe(Path(probe))
    if isinstance(probe, (str, bytes)):
        shown = repr(probe[:40])
        raise LstmProbeError(
            f"The probe is no batch. Received: one string, {shown}. Expected: a list of strings, "
            'probe=[["a sentence"]], as the model takes them, or the path of an .npy, .npz or '
            ".csv file. The folder of the log comes after the probe."
        )
    return probe
