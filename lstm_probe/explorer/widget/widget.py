"""The widget itself, on anywidget: Jupyter, JupyterLab, VS Code, Colab and marimo show it."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Sequence
from pathlib import Path
from threading import Event, Thread
from typing import Any

import anywidget
import traitlets

from lstm_probe.analysis.analysis import Analysis
from lstm_probe.core.errors import LstmProbeError
from lstm_probe.core.trace import GateTrace
from lstm_probe.explorer.captures import Captures
from lstm_probe.explorer.log_captures import LogCaptures
from lstm_probe.explorer.requests import WHOLE
from lstm_probe.explorer.widget.conversation import Conversation
from lstm_probe.explorer.widget.memory_captures import MemoryCaptures
from lstm_probe.explorer.widget.scripts import script
from lstm_probe.logs.stored.checked import read_capture

__all__ = ["ExplorerWidget", "of_analyses", "of_log"]

#: Seconds between two looks for something to tell.
_PERIOD = 0.5


class ExplorerWidget(anywidget.AnyWidget):
    """The explorer in a cell; `lstm_probe.show` makes it.

    Attributes:
        view: what is being looked at, as the end of a link; assign another one to go there.
        height: in pixels.
    """

    _esm = script()
    opening = traitlets.Dict().tag(sync=True)
    view = traitlets.Unicode("").tag(sync=True)
    height = traitlets.Int(640).tag(sync=True)

    def __init__(
        self,
        captures: Captures,
        *,
        run: Callable[[], str | None] = lambda: None,
        view: str = "",
        height: int = 640,
    ) -> None:
        self._captures = captures
        self._over = Event()
        self._thread: Thread | None = None
        self._conversation = Conversation(captures, self._say, run=run)
        super().__init__(
            opening=self._conversation.opening(),
            view=view,
            height=height,
        )
        self.on_msg(lambda _, content, __: self._conversation.heard(content))

    def _say(self, message: dict[str, Any], data: list[bytes]) -> None:
        if not self._over.is_set():
            self.send(message, data)

    def follow(self) -> None:
        """Tell the page of new captures from now on, also while a cell runs."""
        self._thread = Thread(target=self._keep_telling, name="lstm_probe-widget", daemon=True)
        self._thread.start()

    def _keep_telling(self) -> None:
        while not self._over.wait(_PERIOD):
            self._conversation.tell()

    def close(self) -> None:
        """End the conversation and the reading of the log."""
        self._over.set()
        if self._thread is not None:
            self._thread.join()
        if isinstance(self._captures, LogCaptures):
            self._captures.__exit__()
        super().close()

    def _repr_mimebundle_(self, **kwargs: Any) -> tuple[dict[str, Any], dict[str, Any]] | None:
        """The widget, and a picture for where no widgets run."""
        shown = super()._repr_mimebundle_(**kwargs)
        if shown is None:
            return None
        data, metadata = shown
        picture = _picture(self._captures)
        more = {} if picture is None else {"image/png": picture}
        return {**data, **more}, metadata


def of_analyses(analyses: Sequence[Analysis], *, view: str, height: int) -> ExplorerWidget:
    """The explorer over analyses in memory.

    Args:
        analyses: at least one.
        view: as for `show`.
        height: as for `show`.
    """
    return ExplorerWidget(MemoryCaptures(analyses), view=view, height=height)


def of_log(log_dir: Path, probe: Any, *, view: str, height: int) -> ExplorerWidget:
    """The explorer over a log directory, which it follows.

    Args:
        log_dir: the directory; it need not be there yet.
        probe: what writes the log, or the directory itself.
        view: as for `show`.
        height: as for `show`.
    """

    def own_run() -> str | None:
        """The run that the probe writes, once it does."""
        report = getattr(probe, "report", probe)
        directory = getattr(report, "directory", None)
        if directory is None or not Path(directory).is_relative_to(log_dir):
            return None
        return Path(directory).relative_to(log_dir).as_posix()

    captures = LogCaptures(log_dir).__enter__()
    widget = ExplorerWidget(captures, run=own_run, view=view, height=height)
    widget.follow()
    return widget


def _picture(captures: Captures) -> str | None:
    """All gates of the first layer's newest capture, as PNG in base64; None if there are none."""
    from lstm_probe.pictures.mosaic import paint_mosaic

    try:
        run = captures.runs(WHOLE)[0]["name"]
        layer, steps = next(iter(captures.layers(WHOLE, run).items()))
        stored = read_capture(captures.capture(WHOLE, run, layer, steps[-1]))
    except (LstmProbeError, IndexError, StopIteration):
        return None
    letters, ranges = stored.meta["letters"], stored.meta.get("ranges", {})
    gates = {letter: stored.arrays[f"gates/{letter}"].astype("float64") for letter in letters}
    if any(0 in gate.shape for gate in gates.values()):
        return None
    mask = stored.arrays.get("mask")
    trace = GateTrace(
        gates,
        {letter: ranges.get(letter) for letter in letters},
        cell=str(stored.meta.get("cell", "")),
        mask=None if mask is None else mask.astype(bool),
        layer=layer,
    )
    return b64encode(paint_mosaic(trace).data).decode()
