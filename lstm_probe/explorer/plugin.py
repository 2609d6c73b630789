"""The TensorBoard plugin: it serves the explorer's routes and files inside TensorBoard."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from tensorboard import plugin_util
from tensorboard.backend import http_util
from tensorboard.plugins import base_plugin
from werkzeug import Request, Response

from lstm_probe.explorer.answers import Answers
from lstm_probe.explorer.requests import Query, Reply, Scope
from lstm_probe.explorer.routes import Routes
from lstm_probe.explorer.source import CaptureSource
from lstm_probe.explorer.static_files import static_files
from lstm_probe.logs.stored.names import PLUGIN

__all__ = ["GateExplorer"]


class GateExplorer(base_plugin.TBPlugin):
    """Serves the stored captures of the logs that TensorBoard has loaded.

    Args:
        context: what TensorBoard hands to a plugin; only its `data_provider` is used, so that both
            of TensorBoard's loaders do.
    """

    plugin_name = PLUGIN

    def __init__(self, context: base_plugin.TBContext) -> None:
        self._routes = Routes(Answers(CaptureSource(context.data_provider)), host="TensorBoard")

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
        files = {address: partial(_response, reply) for address, reply in static_files().items()}
        routes = {address: partial(self._answer, address) for address in self._routes.addresses}
        return {address: Request.application(app) for address, app in {**files, **routes}.items()}

    def _answer(self, address: str, request: Request) -> Response:
        environ = request.environ
        scope = Scope(plugin_util.context(environ), plugin_util.experiment_id(environ))
        reply = self._routes.reply(address, request.method, Query(request.args, scope))
        return _response(reply, request)


def _response(reply: Reply, request: Request) -> Response:
    """The reply with TensorBoard's headers, compressed if the browser takes that."""
    return http_util.Respond(
        request, reply.content, reply.kind, code=reply.status, headers=list(reply.headers)
    )
