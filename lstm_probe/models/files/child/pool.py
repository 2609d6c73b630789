"""The child of this process: the same for one file after another, as long as it serves."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

from lstm_probe.models.files.child.process import Child
from lstm_probe.models.files.child.surroundings import chosen_variables, import_folders

__all__ = ["child_for", "end_child"]

#: Seconds after which a child that nobody needs is ended.
_IDLE = 60.0
_lock = threading.Lock()
_kept: dict[int, Child] = {}  # by the process that started it: a fork has none


def child_for(path: Path) -> Child:
    """A child for a file: the one there is, if it would be started in the same way, is not busy and
    has not grown; importing a framework anew takes seconds.

    Args:
        path: the file or folder.

    Raises:
        LstmProbeError: none can be started.
    """
    folder = path if path.is_dir() else path.parent
    folders, chosen = import_folders(folder), chosen_variables()
    with _lock:
        child = _kept.get(os.getpid())
        same = child is not None and child.chosen == chosen and child.folders == folders
        if child is None or not same or child.is_busy or not child.fits_more:
            child = _kept[os.getpid()] = Child(folders, chosen)
            _end_when_idle(child)
        return child


def end_child() -> None:
    """End the child that is kept for the next file, if there is one."""
    with _lock:
        child = _kept.pop(os.getpid(), None)
    if child is not None:
        child.close()


def _end_when_idle(child: Child) -> None:
    """Look again and again whether anybody needs it."""

    def look() -> None:
        with _lock:
            idle = time.monotonic() - child.asked
            needed = child.is_busy or len(child.users) > 0
            if child.close.alive and (needed or idle < _IDLE):
                _later(look)
                return
            if _kept.get(os.getpid()) is child:
                del _kept[os.getpid()]
            if not needed:
                child.close()

    _later(look)


def _later(look: object) -> None:
    timer = threading.Timer(_IDLE / 2, look)  # type: ignore[arg-type]
    timer.daemon = True
    timer.start()
