"""Requests and replies, whoever carries them: parameters are checked, replies are bytes.

Nothing here knows a web framework. TensorBoard's plugin and the server translate at their edges.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from lstm_probe.core.errors import LstmProbeError
from lstm_probe.logs.stored.format import as_json

__all__ = ["WHOLE", "MissingError", "Query", "Reply", "Scope", "blob", "document", "download"]

#: More digits than any step has; int() takes quadratic time for long strings.
_LONGEST_NUMBER = 19


class MissingError(LstmProbeError):
    """What was asked for is not there, or not any more: status 404."""


class Scope(NamedTuple):
    """On whose behalf TensorBoard reads, and from which experiment."""

    context: Any
    experiment: str


#: The scope where there is no TensorBoard: all that there is, on nobody's behalf.
WHOLE: Final = Scope(None, "")


class Query:
    """The parameters of one request.

    Args:
        parameters: by name, as texts.
        scope: whose data is asked for.

    Example:
        >>> query = Query({"run": "a", "step": "7"})
        >>> query.text("run"), query.integer("step")
        ('a', 7)
    """

    def __init__(self, parameters: Mapping[str, str], scope: Scope = WHOLE) -> None:
        self.parameters, self.scope = parameters, scope

    def text(self, name: str) -> str:
        """A parameter that has to be given.

        Raises:
            LstmProbeError: it is not.
        """
        value = self.parameters.get(name)
        if not value:
            raise LstmProbeError(
                f"The request lacks a parameter. Received: no {name!r}. Expected: ?{name}=..."
            )
        return value

    def integer(self, name: str) -> int:
        """A parameter that has to be a whole number.

        Raises:
            LstmProbeError: it is not.
        """
        value = self.text(name)
        if not (value.isascii() and value.removeprefix("-").isdigit()) or (
            len(value) > _LONGEST_NUMBER
        ):
            raise LstmProbeError(
                f"The parameter {name!r} is not a number. Received: {value[:40]!r}. Expected: a "
                "whole number."
            )
        return int(value)

    def one_of(self, name: str, choices: Sequence[str]) -> str:
        """A parameter that has to be one of some words.

        Raises:
            LstmProbeError: it is not.
        """
        value = self.text(name)
        if value not in choices:
            raise LstmProbeError(
                f"The parameter {name!r} is unknown. Received: {value[:40]!r}. Expected one of: "
                f"{', '.join(choices)}."
            )
        return value

    def place(self) -> tuple[str, str, int]:
        """Run, layer and step."""
        return self.text("run"), self.text("layer"), self.integer("step")


@dataclass(frozen=True)
class Reply:
    """What a request is answered with.

    Attributes:
        content: the bytes.
        kind: their media type.
        status: that of HTTP.
        headers: those of this reply alone, each a name and a value.
    """

    content: bytes
    kind: str
    status: int = 200
    headers: tuple[tuple[str, str], ...] = ()


def document(content: Mapping[str, Any], status: int = 200) -> Reply:
    """A JSON reply.

    Example:
        >>> document({"steps": [1]}).content
        b'{"steps": [1]}'
    """
    return Reply(as_json(content).encode(), "application/json", status)


def blob(content: bytes) -> Reply:
    """A binary reply."""
    return Reply(content, "application/octet-stream")


def download(content: bytes, name: str) -> Reply:
    """A file that the browser saves.

    Example:
        >>> download(b"", "a.csv").headers
        (('Content-Disposition', 'attachment; filename="a.csv"'),)
    """
    kind = "text/csv" if name.endswith(".csv") else "application/octet-stream"
    headers = (("Content-Disposition", f'attachment; filename="{name}"'),)
    return Reply(content, kind, headers=headers)
