"""The routes of the explorer: the reply to each question of the page, by its address.

TensorBoard's plugin and the server of `lstm-probe serve` both reply by this one table, so that the
page finds the same addresses, parameters, limits and errors with either.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

from lstm_probe.core.errors import LstmProbeError
from lstm_probe.explorer.answers import Answers
from lstm_probe.explorer.download import as_csv, as_npz, file_name
from lstm_probe.explorer.requests import MissingError, Query, Reply, blob, document, download

__all__ = ["Routes"]

_logger = logging.getLogger(__name__)


class Routes:
    """The replies to the page's questions.

    Args:
        answers: what the page is told.
        host: who serves, as the page names it in its sentences.
    """

    def __init__(self, answers: Answers, *, host: str) -> None:
        self._answers, self._host = answers, host
        self._table: dict[str, Callable[[Query], Reply]] = {
            "/runs": self._runs,
            "/layers": self._layers,
            "/steps": self._steps,
            "/timeline": self._timeline,
            "/alerts": self._alerts,
            "/sentences": self._sentences,
            "/explained": self._explained,
            "/capture": self._capture,
            "/weights": self._weights,
            "/probe": self._probe,
            "/series": self._series,
            "/history": self._over_training,
            "/download": self._download,
        }

    @property
    def addresses(self) -> tuple[str, ...]:
        """All addresses that are answered."""
        return tuple(self._table)

    def reply(self, address: str, method: str, query: Query) -> Reply:
        """The reply to a request; what fails is told by a status and a sentence.

        Args:
            address: one of `addresses`.
            method: that of HTTP; only reading is served.
            query: the request's parameters.
        """
        if method not in ("GET", "HEAD"):
            return document({"error": "Only GET is served here."}, 405)
        try:
            return self._table[address](query)
        except Exception as error:  # the page is to say in words what failed
            return document(*self._failure(error, address))

    def _failure(self, error: Exception, address: str) -> tuple[dict[str, str], int]:
        # TensorBoard's own errors say which status they are.
        status = getattr(error, "http_code", None)
        if isinstance(error, MissingError):
            text, status = str(error), 404
        elif isinstance(error, LstmProbeError):
            text, status = str(error), 400
        # TensorBoard's legacy loader raises KeyError where the fast one says 404.
        elif isinstance(error, (KeyError, IndexError)) or status == 404:
            dropped = f"{self._host} has dropped it"
            text, status = f"There is no such run, layer or step, or not any more: {dropped}.", 404
        elif isinstance(status, int):
            text = str(error)
        else:
            _logger.error("The gate explorer could not answer %s", address, exc_info=error)
            text, status = f"{self._host} could not read the log: see its output.", 503
        return {"error": text}, status

    def _runs(self, query: Query) -> Reply:
        return document(self._answers.runs(query.scope))

    def _layers(self, query: Query) -> Reply:
        return document(self._answers.layers(query.scope, query.text("run")))

    def _steps(self, query: Query) -> Reply:
        run, layer = query.text("run"), query.text("layer")
        return document(self._answers.steps(query.scope, run, layer))

    def _timeline(self, query: Query) -> Reply:
        return document(self._answers.timeline(query.scope, query.text("run")))

    def _alerts(self, query: Query) -> Reply:
        return document(self._answers.alerts(query.scope, query.text("run")))

    def _sentences(self, query: Query) -> Reply:
        return document(self._answers.sentences(query.scope, *query.place()))

    def _explained(self, query: Query) -> Reply:
        run, layer = query.text("run"), query.text("layer")
        step = query.integer("step") if "step" in query.parameters else None
        return document(self._answers.explained(query.scope, run, layer, step))

    def _capture(self, query: Query) -> Reply:
        return blob(self._answers.capture(query.scope, *query.place()))

    def _weights(self, query: Query) -> Reply:
        return blob(self._answers.weights(query.scope, *query.place()))

    def _probe(self, query: Query) -> Reply:
        return blob(self._answers.probe(query.scope, query.text("run")))

    def _series(self, query: Query) -> Reply:
        run, layer = query.text("run"), query.text("layer")
        cell = (query.integer("sequence"), query.integer("timestep"), query.integer("unit"))
        return blob(self._answers.series(query.scope, run, layer, cell))

    def _over_training(self, query: Query) -> Reply:
        run, layer = query.text("run"), query.text("layer")
        return blob(self._answers.history(query.scope, run, layer, query.text("name")))

    def _download(self, query: Query) -> Reply:
        run, layer, step = query.place()
        kind = query.one_of("format", ("npz", "csv"))
        stored = self._answers.unpacked(query.scope, run, layer, step)
        data = as_npz(stored) if kind == "npz" else as_csv(stored)
        return download(data, file_name(run, layer, step, kind))
