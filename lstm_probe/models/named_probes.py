"""`Probes`: several named probes, such as sequences of the training and of the validation."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from lstm_probe.core.errors import LstmProbeError

__all__ = ["Probes"]

#: More would be told apart neither in a list nor by their colours.
_MOST: Final = 8
_LONGEST_NAME: Final = 40


class Probes(Mapping[str, Any]):
    """Several probes with a name each, which are looked at together and told apart.

    Whatever takes a probe takes these: the callbacks, the hook's `feed_dict`, `inspect`, `capture`
    and `explain`. Their sequences become one batch. Each sequence is then called by the name of its
    probe and its number in it, such as `validation 3`, and means and answers are given for each
    probe.

    Args:
        probes: The probes by name, for names that are no words of Python.
        **named: The probes by name. Each is an input of the model, such as `x[:8]`, or a tuple
            `(inputs, targets)`. A tuple of two is always that, and one of three has weights in
            addition, which are left out: several inputs are a list or a dict, and
            `(inputs, None)` has no targets. All probes have targets, or none has. Their
            arrays have one shape, the number of sequences aside; sequences of other lengths are
            taken where a probe may hold them.

    Raises:
        LstmProbeError: There is no probe, there are more than 8, or a name is empty, longer than
            40 characters or given twice.

    Example:
        >>> import numpy as np
        >>> x, y = np.ones((12, 5, 1)), np.zeros(12)
        >>> probes = Probes(train=(x[:8], y[:8]), validation=(x[8:], y[8:]))
        >>> list(probes), len(Probes({"hard ones": x[:2]}, easy=x[2:4]))
        (['train', 'validation'], 2)
    """

    def __init__(self, probes: Mapping[str, Any] | None = None, /, **named: Any) -> None:
        if probes is not None and not isinstance(probes, Mapping):
            raise LstmProbeError(
                f"The probes have no names. Received: {type(probes).__name__}. Expected: "
                "Probes(train=x_train[:8], validation=x_val[:8]), or a dict of probes by name."
            )
        given = [*(probes or {}).items(), *named.items()]
        names = [_checked(name) for name, _ in given]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise LstmProbeError(
                f"A probe's name is given twice. Received: {', '.join(map(repr, twice))}. "
                "Expected: a name of its own for each probe."
            )
        if not 0 < len(given) <= _MOST:
            raise LstmProbeError(
                f"So many probes cannot be told apart. Received: {len(given)}. Expected: 1 to "
                f"{_MOST}, such as Probes(train=x_train[:8], validation=x_val[:8])."
            )
        self._probes = dict(zip(names, (probe for _, probe in given), strict=True))

    def __getitem__(self, name: str) -> Any:
        return self._probes[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._probes)

    def __len__(self) -> int:
        return len(self._probes)

    def __repr__(self) -> str:
        return f"Probes({', '.join(self._probes)})"


def _checked(name: Any) -> str:
    if not isinstance(name, str) or not name.strip() or len(name) > _LONGEST_NAME:
        raise LstmProbeError(
            f"The name of a probe is not valid. Received: {name!r:.80}. Expected: a text of 1 to "
            f"{_LONGEST_NAME} characters, such as 'validation'."
        )
    return name.strip()
