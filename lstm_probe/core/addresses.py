"""Addresses under which Python finds no file: those of modules that have moved, and two others.

`import lstm_probe` registers a finder that Python asks last: whatever has a file is found as ever,
and nothing is imported before somebody asks for it. The finder knows

- modules that once stood at the root of the package. The documentation named some of them, such as
  `lstm_probe.alerts` and `lstm_probe.report`; pickled snapshots and analyses name others. An old
  address gives the very module that stands at the new one. A type checker does not know it: code
  that is checked imports from the new address.
- `lstm_probe.callbacks` in a checkout, where its folder lies beside the package and not inside it.
- `lstm_probe.__main__`, which stands with the rest of the command: `python -m lstm_probe`.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib import import_module
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from importlib.abc import Loader, MetaPathFinder
else:  # they need not be derived from, and importing them takes as long as all of lstm_probe
    Loader = MetaPathFinder = object

__all__ = ["MOVED", "serve"]

#: Where a module is now, by its old name.
MOVED: Final = {
    "lstm_probe.alert": "lstm_probe.analysis.alerts.alert",
    "lstm_probe.alerts": "lstm_probe.analysis.alerts.board",
    "lstm_probe.convention_weights": "lstm_probe.analysis.conventions.weights",
    "lstm_probe.conventions": "lstm_probe.analysis.conventions.search",
    "lstm_probe.dynamics": "lstm_probe.analysis.change.dynamics",
    "lstm_probe.errors": "lstm_probe.core.errors",
    "lstm_probe.gradient": "lstm_probe.analysis.gradient.gradient",
    "lstm_probe.health": "lstm_probe.analysis.health.health",
    "lstm_probe.parity": "lstm_probe.analysis.parity.error",
    "lstm_probe.provenance": "lstm_probe.analysis.health.not_finite",
    "lstm_probe.recomputed": "lstm_probe.analysis.recomputed",
    "lstm_probe.report": "lstm_probe.logs.report",
    "lstm_probe.snapshot": "lstm_probe.analysis.snapshot",
    "lstm_probe.spectra": "lstm_probe.analysis.change.spectra",
    "lstm_probe.trace": "lstm_probe.core.trace",
    "lstm_probe.verdict": "lstm_probe.analysis.parity.verdict",
}
_PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
_ROOT = os.path.dirname(_PACKAGE)


def serve() -> None:
    """Have Python find the addresses, after everything else has been tried."""
    if not any(isinstance(finder, _Finder) for finder in sys.meta_path):
        sys.meta_path.append(_Finder())


class _Finder(MetaPathFinder):
    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if name in MOVED:
            return ModuleSpec(name, _Moved())
        if name == "lstm_probe.__main__":
            return _spec(name, os.path.join(_PACKAGE, "cli", "__main__.py"))
        if name == "lstm_probe.callbacks" and os.path.isfile(os.path.join(_ROOT, "setup.cfg")):
            folder = os.path.join(_ROOT, "callbacks")
            return _spec(name, os.path.join(folder, "__init__.py"), [folder])
        return None


def _spec(name: str, path: str, folders: list[str] | None = None) -> ModuleSpec | None:
    from importlib.util import spec_from_file_location

    return spec_from_file_location(name, path, submodule_search_locations=folders)


class _Moved(Loader):
    """Puts the module of the new address in the place of the one that is being imported."""

    def create_module(self, spec: ModuleSpec) -> None:
        """Python makes one as usual, for the moment."""

    def exec_module(self, module: ModuleType) -> None:
        sys.modules[module.__name__] = import_module(MOVED[module.__name__])
