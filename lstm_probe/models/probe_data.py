"""`ProbeData`: the inputs of a probe and what they are to give, as a log keeps them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from lstm_probe.core.groups import Groups
from lstm_probe.models.joining import check_groups
from lstm_probe.models.probe import Probe, padded_leaves
from lstm_probe.models.targets import as_targets, check_targets

__all__ = ["ProbeData", "data_of_arrays", "data_of_probe"]

#: Arrays by name; a single one has the empty name, those of a list are numbered.
Named = Mapping[str, npt.NDArray[Any]]


@dataclass(frozen=True)
class ProbeData:
    """The inputs of a probe and its targets, each with the batch first.

    Attributes:
        inputs: `(batch, time, ...)` or another shape, by name. Texts are left out: they are no
            numbers, and `ProbeTexts` makes labels of them.
        targets: `(batch, ...)` by name; classes as whole numbers, or any other numbers. Where a
            sequence is shorter than others, classes are filled up with -1 and numbers with NaN.
        groups: the named probes whose sequences these are, and how many each has; none of a single
            probe without a name.

    Example:
        >>> ProbeData({"": np.ones((2, 5, 1))}, {"": np.array([0, 1])}).sequences
        2
    """

    inputs: Named = field(default_factory=dict)
    targets: Named = field(default_factory=dict)
    groups: Groups = ()

    @property
    def sequences(self) -> int | None:
        """How many sequences the probe has; None where its inputs do not agree on that."""
        sizes = {len(each) for each in self.inputs.values() if each.ndim}
        return sizes.pop() if len(sizes) == 1 else None


def data_of_probe(probe: Probe, targets: Any = None, groups: Groups | None = None) -> ProbeData:
    """What a log keeps of a probe.

    Args:
        probe: as the model takes it, in the structure of `as_probe`.
        targets: as `as_targets` takes them; None for no targets.
        groups: of named probes.

    Raises:
        LstmProbeError: the targets or the groups do not fit the probe.

    Example:
        >>> probe = {"b": np.ones((2, 3, 1)), "a": np.zeros((2, 4))}
        >>> data_of_probe(probe, [0, 1]).inputs["a"].shape
        (2, 4)
    """
    names = list(map(str, probe)) if isinstance(probe, Mapping) else None
    return data_of_arrays(_named(padded_leaves(probe), names), targets, groups)


def data_of_arrays(
    inputs: Mapping[str, Any], targets: Any = None, groups: Groups | None = None
) -> ProbeData:
    """The same of arrays by name.

    Args:
        inputs: with the batch first.
        targets: as `as_targets` takes them.
        groups: of named probes.

    Raises:
        LstmProbeError: the targets or the groups do not fit the probe.

    Example:
        >>> data_of_arrays({"x": np.ones((3, 4, 1))}, np.arange(2))
        Traceback (most recent call last):
            ...
        lstm_probe.core.errors.LstmProbeError: The targets do not fit the probe. Received: targets \
with 2 of them, shape (2,). Expected: one for each of its 3 sequences, the batch first, as in \
probe=(x_test[:8], y_test[:8]).
    """
    leaves = {name: np.asarray(each) for name, each in inputs.items()}
    data = ProbeData(leaves, as_targets(targets))
    # Texts tell how many sequences there are, and are no numbers that could be shown.
    check_groups(groups, data.sequences)
    check_targets(data.targets, data.sequences)
    numbers = {name: each for name, each in data.inputs.items() if each.dtype.kind not in "USO"}
    return ProbeData(numbers, data.targets, groups or ())


def _named(leaves: Sequence[Any], names: Sequence[str] | None) -> dict[str, npt.NDArray[Any]]:
    if names is None:
        names = [""] if len(leaves) == 1 else [str(number) for number in range(len(leaves))]
    return dict(zip(names, leaves, strict=True))
