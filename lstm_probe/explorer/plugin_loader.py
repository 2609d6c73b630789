"""What TensorBoard imports when it starts.

An ImportError here would stop the user's TensorBoard, so nothing is imported but its own base.
"""

from __future__ import annotations

from argparse import Namespace
from typing import Any

from tensorboard.plugins import base_plugin

__all__ = ["GateExplorerLoader", "GatesAddressLoader"]

_PLUGIN = "lstm_probe"
#: Captures kept of each layer: TensorBoard's own default is 10, at random. They all lie in its
#: memory, so "all" would not do for a directory of long trainings.
_CAPTURES = 1000


class GateExplorerLoader(base_plugin.TBLoader):
    """Makes the plugin, once TensorBoard runs."""

    def fix_flags(self, flags: Namespace) -> None:
        """Keep the captures of a run, unless the user says how many.

        Args:
            flags: TensorBoard's command line, parsed.
        """
        flags.samples_per_plugin.setdefault(_PLUGIN, _CAPTURES)

    def load(self, context: base_plugin.TBContext) -> Any:
        """The plugin; TensorBoard logs an error in it and goes on without.

        Args:
            context: what TensorBoard hands to a plugin.
        """
        from lstm_probe.explorer.plugin import GateExplorer

        return GateExplorer(context)


class GatesAddressLoader(base_plugin.TBLoader):
    """Makes the plugin that gives the tab the address `#gates`."""

    def load(self, context: base_plugin.TBContext) -> Any:
        """The plugin; TensorBoard logs an error in it and goes on without.

        Args:
            context: what TensorBoard hands to a plugin.
        """
        from lstm_probe.explorer.gates_address import GatesAddress

        return GatesAddress(context)
