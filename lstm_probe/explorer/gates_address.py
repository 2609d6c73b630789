"""The address `#gates`, which leads to the tab.

TensorBoard's addresses are the names of plugins, and ours is that of the data in old logs. A second
plugin without data has the shorter name. It has no tab, and its page goes on to ours.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tensorboard.backend import http_util
from tensorboard.plugins import base_plugin
from werkzeug import Request

from lstm_probe.explorer.static_files import static_files

__all__ = ["GatesAddress"]

_SCRIPT = "/static/gates_address.js"


class GatesAddress(base_plugin.TBPlugin):
    """Leads from `#gates` to the gate explorer.

    Args:
        context: what TensorBoard hands to a plugin.
    """

    plugin_name = "gates"

    def is_active(self) -> bool:
        """Never: it has no tab of its own."""
        return False

    def frontend_metadata(self) -> base_plugin.FrontendMetadata:
        """TensorBoard lists it among the plugins that have nothing to show."""
        return base_plugin.FrontendMetadata(
            es_module_path=_SCRIPT, tab_name="Gates (#gates)", disable_reload=True
        )

    def get_plugin_apps(self) -> Mapping[str, Any]:
        """The one script of its page."""
        reply = static_files()[_SCRIPT]
        return {
            _SCRIPT: Request.application(
                lambda request: http_util.Respond(request, reply.content, reply.kind)
            )
        }
