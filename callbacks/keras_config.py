"""A callback's options as Keras's configurations hold them: numbers and words."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from lstm_probe.callbacks.schedule import Every, Linear, Logarithmic
from lstm_probe.models.named_probes import Probes
from lstm_probe.models.ragged import Ragged

__all__ = [
    "current",
    "described_probe",
    "described_schedule",
    "probe_from",
    "schedule_from",
]

#: The key of named probes.
_NAMED = "named"
_KINDS = {"Linear": Linear, "Logarithmic": Logarithmic}


def described_probe(probe: Any) -> Any:
    """A probe, with sequences of different lengths as nested lists, and named probes by name.

    Example:
        >>> described_probe({"words": Ragged.of([[1, 2], [3]])})
        {'words': [[1, 2], [3]]}
        >>> described_probe(Probes(train=([[1.0]], [0]), validation=[[2.0]]))
        {'named': {'train': ([[1.0]], [0]), 'validation': ([[2.0]], None)}}
    """
    if isinstance(probe, Probes):
        return {_NAMED: {name: described_probe(_pair(each)) for name, each in probe.items()}}
    if isinstance(probe, dict):
        return {name: described_probe(each) for name, each in probe.items()}
    if isinstance(probe, (list, tuple)):
        return type(probe)(map(described_probe, probe))
    return probe.tolist() if isinstance(probe, Ragged) else probe


def probe_from(described: Any) -> Any:
    """The inverse of `described_probe`, but for sequences of different lengths.

    Example:
        >>> probe_from({"named": {"train": [[[1.0]], [0]]}})["train"]
        ([[1.0]], [0])
    """
    if isinstance(described, dict) and described.keys() == {_NAMED}:
        return Probes({name: tuple(pair) for name, pair in described[_NAMED].items()})
    return described


def described_schedule(every: Every) -> Any:
    """A schedule of ours as a dictionary; an interval or a function as it is.

    Example:
        >>> described_schedule(Linear(100)), described_schedule(50)
        ({'schedule': 'Linear', 'every': 100, 'first': 0}, 50)
    """
    if isinstance(every, (Linear, Logarithmic)):
        return {"schedule": type(every).__name__, **asdict(every)}
    return every


def schedule_from(described: Any) -> Every:
    """The inverse of `described_schedule`.

    Example:
        >>> schedule_from({"schedule": "Linear", "every": 100, "first": 0})
        Linear(every=100, first=0)
    """
    if isinstance(described, dict) and described.get("schedule") in _KINDS:
        options = {name: value for name, value in described.items() if name != "schedule"}
        return _KINDS[described["schedule"]](**options)
    return described


def current(config: dict[str, Any]) -> dict[str, Any]:
    """A configuration of an older release, in the options of this one.

    Example:
        >>> current({"write_images": False, "detail": "gates"})
        {'detail': 'explorer'}
    """
    given = dict(config)
    pictures = given.pop("write_images", True)
    if not pictures and given.get("detail", "gates") == "gates":
        given["detail"] = "explorer"
    elif not pictures and given["detail"] == "full":  # no level of detail says this
        given["write_images"] = False
    return given


def _pair(probe: Any) -> tuple[Any, Any]:
    return probe if isinstance(probe, tuple) and len(probe) == 2 else (probe, None)
