"""What the gate explorer's server answers, inside TensorBoard's own application."""

from __future__ import annotations

import io
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import keras
import numpy as np
import trained
from logs import capture_as_data
from masking import masked
from observations import Observations
from tensorboard.backend.application import TensorBoardWSGI
from tensorboard.backend.event_processing.data_provider import MultiplexerDataProvider
from tensorboard.backend.event_processing.plugin_event_multiplexer import EventMultiplexer
from tensorboard.plugins.base_plugin import TBContext
from werkzeug.test import Client

from lstm_probe.callbacks import ProbeCallback

__all__ = ["observe"]

_PREFIX = "/data/plugin/lstm_probe/"
_RUN, _LAYER = "run/lstm_probe", "both/forward_lstm"
_PLACE = {"run": _RUN, "layer": _LAYER}
#: What is asked for, with the words of the query.
_QUERIES: dict[str, tuple[str, dict[str, Any]]] = {
    "runs": ("runs", {}),
    "layers": ("layers", {"run": _RUN}),
    "steps": ("steps", _PLACE),
    "timeline": ("timeline", {"run": _RUN}),
    "capture": ("capture", {**_PLACE, "step": 3}),
    "weights": ("weights", {**_PLACE, "step": 3}),
    "series": ("series", {"run": _RUN}),
    "series of a unit": ("series", {**_PLACE, "sequence": 0, "timestep": 2, "unit": 1}),
    "series of nothing": ("series", {**_PLACE, "sequence": 0, "timestep": 99, "unit": 1}),
    "history": ("history", {**_PLACE, "name": "mean/f"}),
    "history of the errors": ("history", {**_PLACE, "name": "error_by_timestep"}),
    "history of nothing": ("history", {**_PLACE, "name": "other"}),
    "npz": ("download", {**_PLACE, "step": 3, "format": "npz"}),
    "csv": ("download", {**_PLACE, "step": 3, "format": "csv"}),
    "no run": ("layers", {"run": "other"}),
    "no layer": ("steps", {"run": _RUN, "layer": "other"}),
    "no step": ("capture", {**_PLACE, "step": 4}),
    "no number": ("capture", {**_PLACE, "step": "x"}),
    "nothing": ("capture", {}),
    "no format": ("download", {**_PLACE, "step": 3, "format": "doc"}),
    "front end": ("static/index.js", {}),
    "outside": ("static/../plugin.py", {}),
}


def observe(seen: Observations) -> None:
    """A log of a training, served by the plugin as TensorBoard finds it."""
    x, y = trained.data()
    probe = ProbeCallback(x[:2], "logs/run", every=3, max_overhead=None, detail="full")
    options: dict[str, Any] = {"shuffle": False, "verbose": 0, "callbacks": [probe]}
    trained.model(keras).fit(x, y, batch_size=8, **options)
    client = _served(Path("logs"))
    for name, (path, query) in _QUERIES.items():
        answer = client.get(_PREFIX + path, query_string=query)
        kind = answer.headers.get("Content-Type", "")
        about = {"status": answer.status_code, "type": kind}
        seen.note("answer", name, {**about, "content": _content(name, kind, answer)})


def _served(log_dir: Path) -> Client:
    (entry,) = entry_points(group="tensorboard_plugins", name="lstm_probe")
    multiplexer = EventMultiplexer(tensor_size_guidance={"lstm_probe": 1000})
    multiplexer.AddRunsFromDirectory(str(log_dir))
    multiplexer.Reload()
    provider = MultiplexerDataProvider(multiplexer, str(log_dir))
    context = TBContext(data_provider=provider)
    return Client(TensorBoardWSGI([entry.load()().load(context)], data_provider=provider))


def _content(name: str, kind: str, answer: Any) -> Any:
    """The front end may change; what it is told may not."""
    if answer.status_code != 200:
        return masked(answer.text)
    if name == "front end":
        return None
    if kind.startswith("application/json"):
        return answer.json
    if name == "npz":
        with np.load(io.BytesIO(answer.data)) as file:
            return {k: v.tolist() if v.dtype.kind in "US" else v for k, v in file.items()}
    return capture_as_data(answer.data) if "octet-stream" in kind else answer.text
