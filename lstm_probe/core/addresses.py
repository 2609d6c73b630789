"""Former addresses of names and modules, and addresses under which Python finds no file.

Public names that have moved are looked up by `former`; they work for one release, with a warning
that names the new address. docs/names.md lists them.

`import lstm_probe` registers a finder that Python asks last: whatever has a file is found as ever,
and nothing is imported before somebody asks for it. The finder knows

- modules that once stood at the root of the package. The documentation named some of them, such as
  `lstm_probe.alerts` and `lstm_probe.report`; pickled snapshots and analyses name others. A former
  address gives the very module that stands at the new one, with a warning. A type checker does
  not know it: code that is checked imports from the new address.
- `lstm_probe.callbacks` in a checkout, where its folder lies beside the package and not inside it.
- `lstm_probe.__main__`, which stands with the rest of the command: `python -m lstm_probe`.
"""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Sequence
from importlib import import_module
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from importlib.abc import Loader, MetaPathFinder
else:  # they need not be derived from, and importing them takes as long as all of lstm_probe
    Loader = MetaPathFinder = object

__all__ = ["MODULES", "NAMES", "former", "serve"]

#: The package that has a public name now, by the name's former address.
NAMES: Final = {
    **{
        f"lstm_probe.{name}": "lstm_probe.analysis"
        for name in (
            "AlertBoard",
            "Convention",
            "Dynamics",
            "GateHealth",
            "Gradient",
            "Health",
            "Parity",
            "ParityError",
            "SpectralNorms",
            "Thresholds",
            "Verdict",
            "find_alerts",
            "find_convention",
            "gradient_of_loss",
            "gradient_through_time",
            "jacobian_norms",
            "measure_dynamics",
            "measure_health",
            "measure_spectra",
            "memory_horizon",
        )
    },
    "lstm_probe.LstmWeights": "lstm_probe.weights",
    "lstm_probe.callbacks.capture": "lstm_probe",
    "lstm_probe.cell_from_onnx": "lstm_probe.models",
    "lstm_probe.mask_from_onnx": "lstm_probe.models",
}
#: Where a module is now, by its former address.
MODULES: Final = {
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


def former(address: str) -> Any:
    """What a key of `NAMES` means, with a warning at the line that reads the attribute.

    Example:
        >>> import pytest
        >>> with pytest.warns(DeprecationWarning, match="use lstm_probe.analysis.find_alerts"):
        ...     former("lstm_probe.find_alerts").__name__
        'find_alerts'
    """
    home, name = NAMES[address], address.rpartition(".")[2]
    _warn(address, f"{home}.{name}", stacklevel=4)
    return getattr(import_module(home), name)


def _warn(address: str, now: str, *, stacklevel: int) -> None:
    warnings.warn(
        f"{address} has moved, and its former address goes with the next release: use {now}.",
        DeprecationWarning,
        stacklevel=stacklevel,
    )


class _Finder(MetaPathFinder):
    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if name in MODULES:
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
        former_address, now = module.__name__, MODULES[module.__name__]
        _warn(former_address, now, stacklevel=3)  # Python leaves out its own import machinery
        sys.modules[former_address] = import_module(now)
