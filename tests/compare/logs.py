"""A log as items: read with TensorBoard's own loader, and captures with safetensors itself."""

from __future__ import annotations

import json
import logging
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from described import picture
from masking import masked
from observations import Observations
from safetensors.numpy import load as load_arrays
from tensorboard.backend.event_processing.event_file_loader import EventFileLoader
from tensorboard.util.tensor_util import make_ndarray

__all__ = ["capture_as_data", "note_log", "warnings_of"]

#: Times: their tags and steps are compared, their values are not.
TIMES = ("cost/*",)


def note_log(seen: Observations, name: str, directory: Path) -> None:
    """Every value of a log directory, run by run."""
    paths = sorted(directory.rglob("*tfevents*"))
    runs = sorted({path.parent for path in paths})
    seen.note("tags", f"{name}/runs", [str(run.relative_to(directory)) for run in runs])
    for run in runs:
        where = f"{name}/{run.relative_to(directory)}"
        events = [e for p in paths if p.parent == run for e in EventFileLoader(str(p)).Load()]
        values = [(e.step, v) for e in events for v in e.summary.value]
        # The order of steps and tags, and all that TensorBoard is told of each tag.
        seen.note("tags", f"{where}/order", [[step, value.tag] for step, value in values])
        seen.note("tags", f"{where}/version", [e.file_version for e in events if e.file_version])
        _note_values(seen, where, values)


def _note_values(seen: Observations, where: str, values: list[tuple[int, Any]]) -> None:
    metadata: dict[str, Any] = {}
    scalars: dict[str, list[float]] = {}
    times: Counter[str] = Counter()
    for step, value in values:
        plugin = value.metadata.plugin_data.plugin_name
        if plugin or value.tag not in metadata:
            metadata[value.tag] = {
                "plugin": plugin,
                "content": value.metadata.plugin_data.content.hex(),
                "class": value.metadata.data_class,
                "name": value.metadata.display_name,
                "description": masked(value.metadata.summary_description),
                "dtype": value.tensor.dtype,
            }
        plugin, array = metadata[value.tag]["plugin"], make_ndarray(value.tensor)
        place = f"{where}/{value.tag}/{step}"
        times[place] += 1  # a second `fit` begins with the step at which the first one ended
        if times[place] > 1:
            place += f", time {times[place]}"
        if plugin == "scalars":
            timed = any(fnmatchcase(value.tag, each) for each in TIMES)
            scalars.setdefault(value.tag, []).append(0.0 if timed else float(array))
        elif plugin == "histograms":
            seen.note("histogram", place, array)
        elif plugin == "images":
            size, pictures = [int(each) for each in array[:2]], [picture(a) for a in array[2:]]
            seen.note("pixels", place, {"size": size, "pictures": pictures})
        elif plugin == "lstm_probe":
            for number, data in enumerate(array.ravel()):
                kind = "course" if value.tag == "lstm_probe/captures" else "capture"
                content = json.loads(data) if kind == "course" else capture_as_data(data)
                seen.note(kind, f"{place}/{number}", content)
        else:
            seen.note("text", place, [masked(each.decode()) for each in array.ravel()])
    seen.note("tags", f"{where}/metadata", metadata)
    seen.note("scalar", where, scalars)


def capture_as_data(data: bytes) -> Any:
    """A stored capture: arrays and header, whatever their order in the file."""
    size = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + size])["__metadata__"]
    return {
        "arrays": dict(sorted(load_arrays(data).items())),
        "header": {key: json.loads(text) for key, text in header.items()},
    }


@contextmanager
def warnings_of(seen: Observations, name: str) -> Iterator[None]:
    """Note what is logged in the block by any logger of ours."""
    said: list[list[str]] = []

    class Handler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            said.append([record.levelname, masked(record.getMessage())])

    handler, logger = Handler(), logging.getLogger("lstm_probe")
    before = logger.propagate
    logger.addHandler(handler)
    logger.propagate = False
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.propagate = before
        seen.note("warnings", name, said)
