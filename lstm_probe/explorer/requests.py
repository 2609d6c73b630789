"""Requests and answers: parameters are checked, errors are said in words."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from tensorboard import errors, plugin_util
from tensorboard.backend import http_util
from werkzeug import Request, Response

from lstm_probe.core.errors import LstmProbeError

__all__ = ["MissingError", "Query", "Scope", "answer_errors", "blob", "document", "download"]

_logger = logging.getLogger(__name__)
#: More digits than any step has; int() takes quadratic time for long strings.
_LONGEST_NUMBER = 19


class MissingError(LstmProbeError):
    """What was asked for is not there, or not any more: status 404."""


class Scope(NamedTuple):
    """On whose behalf TensorBoard reads, and from which experiment."""

    context: Any
    experiment: str


class Query:
    """The parameters of one request.

    Args:
        request: the request.

    Example:
        >>> from werkzeug.test import EnvironBuilder
        >>> query = Query(EnvironBuilder("/", query_string="run=a&step=7").get_request())
        >>> query.text("run"), query.integer("step")
        ('a', 7)
    """

    def __init__(self, request: Request) -> None:
        self.request = request

    @property
    def scope(self) -> Scope:
        """Whose data."""
        environ = self.request.environ
        return Scope(plugin_util.context(environ), plugin_util.experiment_id(environ))

    def text(self, name: str) -> str:
        """A parameter that has to be given.

        Raises:
            LstmProbeError: it is not.
        """
        value = self.request.args.get(name)
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


def answer_errors(app: Callable[[Query], Response]) -> Any:
    """The application for TensorBoard: what fails is answered with a status and a sentence."""

    def answer(request: Request) -> Response:
        if request.method not in ("GET", "HEAD"):
            return _error(request, 405, "Only GET is served here.")
        try:
            return app(Query(request))
        except (MissingError, errors.NotFoundError, KeyError, IndexError) as error:
            # The legacy loader raises KeyError where the fast one says NotFound.
            return _error(request, 404, _sentence(error))
        except errors.PublicError as error:
            return _error(request, error.http_code, str(error))
        except LstmProbeError as error:
            return _error(request, 400, str(error))
        except Exception:  # the tab is to say so in words; the details are in TensorBoard's log
            _logger.exception("The gate explorer could not answer %s", request.path)
            return _error(request, 503, "TensorBoard could not read the log: see its output.")

    return Request.application(answer)


def document(query: Query, content: dict[str, Any]) -> Response:
    """A JSON answer."""
    return http_util.Respond(query.request, content, "application/json")


def blob(query: Query, content: bytes) -> Response:
    """A binary answer."""
    return http_util.Respond(query.request, content, "application/octet-stream")


def download(query: Query, content: bytes, name: str) -> Response:
    """A file that the browser saves."""
    headers = [("Content-Disposition", f'attachment; filename="{name}"')]
    kind = "text/csv" if name.endswith(".csv") else "application/octet-stream"
    return http_util.Respond(query.request, content, kind, headers=headers)


def _sentence(error: Exception) -> str:
    if isinstance(error, MissingError):
        return str(error)
    return "There is no such run, layer or step, or not any more: TensorBoard has dropped it."


def _error(request: Request, code: int, message: str) -> Response:
    return http_util.Respond(request, {"error": message}, "application/json", code=code)
