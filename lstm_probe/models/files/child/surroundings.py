"""With what the child starts: its command, its environment, and the folders it imports from."""

from __future__ import annotations

import json
import os
import shutil
import sys
import sysconfig
from collections.abc import Mapping
from pathlib import Path

from lstm_probe.core.errors import LstmProbeError

__all__ = ["chosen_variables", "command", "environment", "import_folders"]

#: Variables that frameworks and their libraries read, by their names or their beginnings.
_NAMES = frozenset(
    {"KERAS_BACKEND", "KERAS_NNX_ENABLED", "LANG", "LD_LIBRARY_PATH", "PATH", "SYSTEMROOT", "TZ"}
    | {"DYLD_LIBRARY_PATH", "LD_PRELOAD", "NUMEXPR_NUM_THREADS", "SYSTEMDRIVE", "WINDIR"}
)
_STARTS = ("JAX_", "KMP_", "LC_", "MKL_", "NVPL_", "OMP_", "OPENBLAS_", "TF_", "TORCH_", "XLA_")
#: No accelerator: a probe is small, and the memory of one has no limit of ours.
_NO_GPU = {
    "CUDA_VISIBLE_DEVICES": "-1",
    "HIP_VISIBLE_DEVICES": "-1",
    "ROCR_VISIBLE_DEVICES": "-1",
    "JAX_PLATFORMS": "cpu",
    # An arena for each thread reserves memory that nobody uses.
    "MALLOC_ARENA_MAX": "4",
}


def command(folders: list[str]) -> list[str]:
    """The command that starts the child: a module of ours, by its path.

    Python runs it isolated, so that neither variables nor the folder to work in decide what is
    imported.

    Args:
        folders: where it is to import from.

    Raises:
        LstmProbeError: Python is part of another program, and cannot be started.
    """
    if not sys.executable:
        raise LstmProbeError(
            "No process can be started for what the file's framework has to load. Received: a "
            "Python within another program (sys.executable is empty). Expected: Python itself; or "
            "trusted=True, which loads the file in this process, if you know who made it."
        )
    package = sys.modules["lstm_probe"]
    told = {
        "path": folders,
        "package": str(package.__file__),
        "folders": [str(each) for each in package.__path__],
    }
    start = Path(__file__).with_name("start.py")
    flags = ["-B"] if sys.flags.dont_write_bytecode else []
    return [sys.executable, "-I", *flags, str(start), json.dumps(told)]


def import_folders(avoided: Path) -> list[str]:
    """Where this process imports from, Python's own modules first.

    Args:
        avoided: the folder of a file from elsewhere, where a `json.py` may lie; it is left out, and
            so is the folder to work in.
    """
    bad = {os.path.realpath(each) for each in (os.curdir, avoided)}
    own = [os.path.realpath(sysconfig.get_path(name)) for name in ("stdlib", "platstdlib")]
    found = [each for each in sys.path if os.path.isabs(each) and os.path.realpath(each) not in bad]

    def is_other(folder: str) -> bool:
        real = Path(os.path.realpath(folder))
        of_python = any(real.is_relative_to(each) for each in own) or real.suffix == ".zip"
        return not of_python or bool({"site-packages", "dist-packages"} & set(real.parts))

    return sorted(found, key=is_other)


def chosen_variables() -> dict[str, str]:
    """The variables that the child has of this process, with the backend of a Keras that this
    process has imported already, however it was chosen."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if name.upper() in _NAMES or name.startswith(_STARTS)
    }
    return {**kept, **_backend_in_use(), **_NO_GPU}


def environment(chosen: Mapping[str, str], folder: Path) -> dict[str, str]:
    """All variables of the child.

    Args:
        chosen: those of this process.
        folder: its own, which is its home too: what it would write there goes with it.
    """
    (folder / ".keras").mkdir()
    home = os.environ.get("KERAS_HOME") or os.path.join(os.path.expanduser("~"), ".keras")
    settings = Path(home) / "keras.json"  # names the backend
    if settings.is_file():
        shutil.copyfile(settings, folder / ".keras" / "keras.json")
    own = dict.fromkeys(("HOME", "USERPROFILE", "TMPDIR", "TEMP", "TMP"), str(folder))
    return {**chosen, **own, "KERAS_HOME": str(folder / ".keras")}


def _backend_in_use() -> Mapping[str, str]:
    backend = getattr(sys.modules.get("keras"), "backend", None)
    name = getattr(backend, "backend", None)
    return {} if name is None else {"KERAS_BACKEND": str(name())}
