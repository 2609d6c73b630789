"""Former addresses of names and modules, and addresses under which Python finds no file.

`former` looks up public names that have moved. They work for one release, with a warning that names
the new address. docs/names.md lists them.

`import lstm_probe` registers a finder that Python asks last. A module that has a file is found as
usual, and nothing is imported before somebody asks for it. The finder knows these addresses:

- Modules that have moved. The documentation named some of their former addresses, such as
  `lstm_probe.alerts` and `lstm_probe.report`. Pickled snapshots and analyses name others. A former
  address gives the same module as the new one, with a warning. A type checker does not know the
  former addresses, so code that is checked imports from the new ones.
- `lstm_probe.callbacks` in a checkout, where its folder is beside the package and not inside it.
- `lstm_probe.__main__`, which stands with the rest of the command: `python -m lstm_probe`.

A few packages had the name of a function, such as `lstm_probe.cells.gru`. A finder cannot serve
them, because Python would then bind the package to that name, in place of the function. Python
finds them in `sys.modules` instead.
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
    from importlib.abc import Loader
else:  # importlib.abc takes as long to import as all of lstm_probe, and only type checkers need it
    Loader = object

__all__ = ["FORMER_PACKAGES", "MODULES", "NAMES", "former", "serve"]

#: The package that has a public name now, by the former address of the name.
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
#: The addresses where modules stand now, by their former addresses.
MODULES: Final = {
    "lstm_probe.alert": "lstm_probe.analysis.alerts.alert",
    "lstm_probe.alerts": "lstm_probe.analysis.alerts.board",
    "lstm_probe.cells.conv_lstm.cell": "lstm_probe.cells.conv_lstm_cell.cell",
    "lstm_probe.cells.gru.cell": "lstm_probe.cells.gru_cell.cell",
    "lstm_probe.cells.lstm.cell": "lstm_probe.cells.lstm_cell.cell",
    "lstm_probe.cells.simple_rnn.cell": "lstm_probe.cells.simple_rnn_cell.cell",
    "lstm_probe.convention_weights": "lstm_probe.analysis.conventions.weights",
    "lstm_probe.conventions": "lstm_probe.analysis.conventions.search",
    "lstm_probe.dynamics": "lstm_probe.analysis.change.dynamics",
    "lstm_probe.errors": "lstm_probe.core.errors",
    "lstm_probe.gradient": "lstm_probe.analysis.gradient.gradient",
    "lstm_probe.health": "lstm_probe.analysis.health.health",
    "lstm_probe.parity": "lstm_probe.analysis.parity.error",
    "lstm_probe.provenance": "lstm_probe.analysis.health.not_finite",
    "lstm_probe.recomputed": "lstm_probe.analysis.recomputation",
    "lstm_probe.report": "lstm_probe.logs.report",
    "lstm_probe.snapshot": "lstm_probe.analysis.snapshot",
    "lstm_probe.spectra": "lstm_probe.analysis.change.spectra",
    "lstm_probe.trace": "lstm_probe.core.trace",
    "lstm_probe.verdict": "lstm_probe.analysis.parity.verdict",
}
#: Packages whose names belong to functions now. The package around each has what they contained.
FORMER_PACKAGES: Final = (
    "lstm_probe.cells.conv_lstm",
    "lstm_probe.cells.gru",
    "lstm_probe.cells.lstm",
    "lstm_probe.cells.simple_rnn",
)
_PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
_ROOT = os.path.dirname(_PACKAGE)


def serve() -> None:
    """Register the finder, so that Python asks it after all others. A second call does nothing."""
    if not any(isinstance(finder, _Finder) for finder in sys.meta_path):
        sys.meta_path.append(_Finder())
    for name in FORMER_PACKAGES:
        sys.modules.setdefault(name, _FormerPackage(name))


def former(address: str) -> Any:
    """Look up a name that has moved, with a warning at the line that reads the attribute.

    Args:
        address: A key of `NAMES`.

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
    """Warn that an address has moved."""
    warnings.warn(
        f"{address} has moved, and its former address goes with the next release: use {now}.",
        DeprecationWarning,
        stacklevel=stacklevel,
    )


class _Finder:
    """Finds the modules that have moved, the callbacks of a checkout, and the command."""

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
    """How Python loads a module from a file, and the submodules of a package from its folders."""
    from importlib.util import spec_from_file_location

    return spec_from_file_location(name, path, submodule_search_locations=folders)


class _FormerPackage(ModuleType):
    """A package without a file. The public names of the package around it are its names."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.__path__: list[str] = []

    def __getattr__(self, name: str) -> Any:
        home = import_module(self.__name__.rpartition(".")[0])
        if name not in home.__all__:
            raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")
        _warn(f"{self.__name__}.{name}", f"{home.__name__}.{name}", stacklevel=3)
        return getattr(home, name)


class _Moved(Loader):
    """Replaces the module that is being imported by the module at the new address."""

    def create_module(self, spec: ModuleSpec) -> None:
        """Let Python create an empty module, which `exec_module` replaces."""

    def exec_module(self, module: ModuleType) -> None:
        former_address, now = module.__name__, MODULES[module.__name__]
        _warn(former_address, now, stacklevel=3)  # Python does not count its own frames
        sys.modules[former_address] = import_module(now)
