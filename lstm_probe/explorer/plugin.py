"""The TensorBoard plugin, which serves the answers to the page's questions by address."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from tensorboard.plugins import base_plugin
from werkzeug import Request, Response

from lstm_probe.explorer.answers import Answers
from lstm_probe.explorer.download import as_csv, as_npz, file_name
from lstm_probe.explorer.requests import Query, answer_errors, blob, document, download
from lstm_probe.explorer.static_files import static_apps
from lstm_probe.logs.stored.names import PLUGIN

__all__ = ["GateExplorer"]

_App: TypeAlias = "Callable[[Request], Response]"


class GateExplorer(base_plugin.TBPlugin):
    """Serves the stored captures of the logs that TensorBoard has loaded.

    Args:
        context: what TensorBoard hands to a plugin; only its `data_provider` is used, so that both
            of TensorBoard's loaders do.
    """

    plugin_name = PLUGIN

    def __init__(self, context: base_plugin.TBContext) -> None:
        self._answers = Answers(context.data_provider)

    def is_active(self) -> bool:
        """Whether there is data: TensorBoard sees that itself, from the data's plugin name."""
        return False

    def frontend_metadata(self) -> base_plugin.FrontendMetadata:
        """The tab's name and its first module."""
        return base_plugin.FrontendMetadata(
            es_module_path="/static/index.js", tab_name="Gates", disable_reload=True
        )

    def get_plugin_apps(self) -> Mapping[str, Any]:
        """An application for every address of the plugin; TensorBoard answers others with 404."""
        routes: dict[str, Callable[[Query], Response]] = {
            "/runs": self._runs,
            "/layers": self._layers,
            "/steps": self._steps,
            "/timeline": self._timeline,
            "/alerts": self._alerts,
            "/sentences": self._sentences,
            "/capture": self._capture,
            "/weights": self._weights,
            "/series": self._series,
            "/history": self._over_training,
            "/download": self._download,
        }
        apps = {path: answer_errors(app) for path, app in routes.items()}
        return {**static_apps(), **apps}

    def _runs(self, query: Query) -> Response:
        return document(query, self._answers.runs(query.scope))

    def _layers(self, query: Query) -> Response:
        return document(query, self._answers.layers(query.scope, query.text("run")))

    def _steps(self, query: Query) -> Response:
        run, layer = query.text("run"), query.text("layer")
        return document(query, self._answers.steps(query.scope, run, layer))

    def _alerts(self, query: Query) -> Response:
        return document(query, self._answers.alerts(query.scope, query.text("run")))

    def _timeline(self, query: Query) -> Response:
        return document(query, self._answers.timeline(query.scope, query.text("run")))

    def _sentences(self, query: Query) -> Response:
        return document(query, self._answers.sentences(query.scope, *query.place()))

    def _capture(self, query: Query) -> Response:
        return blob(query, self._answers.capture(query.scope, *query.place()))

    def _weights(self, query: Query) -> Response:
        return blob(query, self._answers.weights(query.scope, *query.place()))

    def _series(self, query: Query) -> Response:
        run, layer = query.text("run"), query.text("layer")
        cell = (query.integer("sequence"), query.integer("timestep"), query.integer("unit"))
        return blob(query, self._answers.series(query.scope, run, layer, cell))

    def _over_training(self, query: Query) -> Response:
        run, layer = query.text("run"), query.text("layer")
        return blob(query, self._answers.history(query.scope, run, layer, query.text("name")))

    def _download(self, query: Query) -> Response:
        run, layer, step = query.place()
        kind = query.one_of("format", ("npz", "csv"))
        stored = self._answers.source.unpacked(query.scope, run, layer, step)
        data = as_npz(stored) if kind == "npz" else as_csv(stored)
        return download(query, data, file_name(run, layer, step, kind))
