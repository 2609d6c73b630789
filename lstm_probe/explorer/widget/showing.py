"""`show`: the explorer in a cell, and what probes, reports and analyses show of themselves."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from importlib.util import find_spec
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lstm_probe.analysis.analysis import Analysis
from lstm_probe.core.errors import LstmProbeError

if TYPE_CHECKING:
    from lstm_probe.explorer.widget.widget import ExplorerWidget

__all__ = ["bundle", "show"]


def show(what: Any, *, view: str = "", height: int = 640) -> ExplorerWidget:
    """As `lstm_probe.show`."""
    if find_spec("anywidget") is None:
        raise LstmProbeError(
            "The explorer in a notebook needs anywidget. Received: an environment without it. "
            "Expected: pip install 'lstm_probe[notebook]'; or lstm-probe serve in a terminal."
        )
    if not 200 <= height <= 4000:
        raise LstmProbeError(
            f"The height does not suit a cell. Received: {height}. Expected: 200 to 4000 pixels."
        )
    from lstm_probe.explorer.widget.widget import of_analyses, of_log

    analyses = _analyses(what)
    if analyses:
        return of_analyses(analyses, view=view, height=height)
    log_dir = _log_dir(what)
    if log_dir is None:
        raise LstmProbeError(
            f"This cannot be shown. Received: {type(what).__name__}. Expected: a log directory, a "
            "probe, its report, an analysis, or several analyses."
        )
    return of_log(log_dir, what, view=view, height=height)


def bundle(what: Any, **_: Any) -> tuple[dict[str, Any], dict[str, Any]] | dict[str, Any]:
    """What an object shows of itself in a notebook with widgets: the explorer.

    Returns:
        A bundle of media types; an empty one, so that the notebook takes the object's table,
        where there is no anywidget, no notebook, or nothing to show.
    """
    if find_spec("anywidget") is None or not _in_notebook():
        return {}
    try:
        widget = show(what)
    except LstmProbeError:
        return {}
    data, metadata = widget._repr_mimebundle_() or ({}, {})
    html = getattr(what, "_repr_html_", None)
    more = {"text/plain": str(what) if html is None else repr(what)}
    if html is not None:
        more["text/html"] = html()
    return {**data, **more}, metadata


def _in_notebook() -> bool:
    """Whether a kernel runs this: then IPython is there, and displays with messages."""
    import sys

    ipython = sys.modules.get("IPython")
    shell = None if ipython is None else ipython.get_ipython()
    return getattr(shell, "kernel", None) is not None


def _analyses(what: Any) -> list[Analysis]:
    if isinstance(what, Analysis):
        return [what]
    if isinstance(what, Mapping):
        what = list(what.values())
    several = isinstance(what, Iterable) and not isinstance(what, (str, PathLike))
    found = list(what) if several else []
    return found if all(isinstance(each, Analysis) for each in found) else []


def _log_dir(what: Any) -> Path | None:
    """The directory that something logs to; None if it does not."""
    if not isinstance(what, (str, PathLike)):
        directory = getattr(what, "log_dir", None) or getattr(what, "directory", None)
        return None if directory is None else Path(directory)
    log_dir = Path(what)
    if not log_dir.is_dir():
        raise LstmProbeError(
            f"There is no such log directory. Received: {str(log_dir)!r}. Expected: the log_dir of "
            "a training, or a directory above it. It may be empty still."
        )
    return log_dir
