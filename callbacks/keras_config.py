"""A callback's options as Keras's configurations hold them: numbers and words."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from lstm_probe.callbacks.schedule import Every, Linear, Logarithmic
from lstm_probe.models.ragged import Ragged

__all__ = ["current", "described_probe", "described_schedule", "schedule_from"]

_KINDS = {"Linear": Linear, "Logarithmic": Logarithmic}


def described_probe(probe: Any) -> Any:
    """A probe, with sequences of different lengths as nested lists.

    Example:
        >>> described_probe({"words": Ragged.of([[1, 2], [3]])})
        {'words': [[1, 2], [3]]}
    """
    if isinstance(probe, dict):
        return {name: described_probe(each) for name, each in probe.items()}
    if isinstance(probe, (list, tuple)):
        return type(probe)(map(described_probe, probe))
    return probe.tolist() if isinstance(probe, Ragged) else probe


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
