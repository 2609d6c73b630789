"""The runs in a log directory, and the one that a command reads."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from lstm_probe.core.errors import LstmProbeError

if TYPE_CHECKING:
    from lstm_probe.logs.stored.reader import RunReader

__all__ = ["all_runs", "is_log", "one_run"]


def all_runs(log_dir: Path) -> dict[str, RunReader]:
    """The runs under a directory that have data of lstm_probe, by name.

    Raises:
        LstmProbeError: there is no such directory, or it has no such run.
    """
    from lstm_probe.logs.stored.reader import find_runs

    runs = find_runs(log_dir)
    if not runs:
        raise LstmProbeError(
            f"{log_dir} has no log of lstm_probe. Received: a directory without one. Expected: "
            "the log_dir of a training with ProbeCallback or ProbeHook, or of lstm-probe replay."
        )
    return runs


def is_log(path: Path) -> bool:
    """Whether a path is a directory with a run of ours in it, or one itself."""
    if not path.is_dir():
        return False
    from lstm_probe.logs.stored.reader import find_runs

    return bool(find_runs(path))


def one_run(log_dir: Path, name: str | None) -> RunReader:
    """The run that the user chose; by default the only run of the directory.

    Args:
        log_dir: the directory.
        name: the path of the run in it; None if the user chose none.

    Raises:
        LstmProbeError: there is no run of that name, or there are several and none was chosen.
    """
    runs = all_runs(log_dir)
    if name is None and len(runs) == 1:
        return next(iter(runs.values()))
    if name not in runs:
        raise LstmProbeError(
            f"{log_dir} has {len(runs)} runs. Received: "
            f"{'no --run' if name is None else repr(name)}. Expected: --run with one of "
            f"{', '.join(map(repr, runs))}."
        )
    return runs[name]
