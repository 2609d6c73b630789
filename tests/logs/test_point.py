"""A point of a run's course: what is taken, what is left out, and that every reader agrees."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import samples
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tensorboard.backend.event_processing.data_provider import MultiplexerDataProvider
from tensorboard.backend.event_processing.plugin_event_multiplexer import EventMultiplexer
from tensorboard.compat.proto.summary_pb2 import DATA_CLASS_TENSOR
from tensorboard.context import RequestContext

from lstm_probe import Analysis, analyse
from lstm_probe.analysis import AlertBoard
from lstm_probe.explorer.requests import Scope
from lstm_probe.explorer.source import CaptureSource
from lstm_probe.logs import EventFile, RunLog
from lstm_probe.logs.stored.names import CAPTURES_TAG, FORMAT
from lstm_probe.logs.stored.point import Point, parse_point
from lstm_probe.logs.stored.reader import RunReader
from lstm_probe.logs.stored.values import plugin_metadata
from lstm_probe.logs.tags.values import strings_value

ALERT = {"rule": "dead_units", "layer": "m", "step": 7, "value": "inf", "threshold": 0.1,
         "gate": None, "unit": 2, "timestep": None, "text": "dead_units: layer 'm'"}  # fmt: skip
LAYER = {"saturated": {"i": 0.5, "f": "nan"}, "longest_horizon": "inf", "dead_units": 0.0,
         "gradient_reach": None, "update_ratio": 1e-3, "verdict": "match", "max_abs": 0,
         "tolerance": 1e-5, "error_by_timestep": [0.0, "nan", 1]}  # fmt: skip
POINT = {"format": 1, "step": 7, "epoch": 0.5, "layers": {"m": LAYER}, "alerts": [ALERT]}


def changed(*path: Any, to: Any) -> bytes:
    """The point above, with another value in one place."""
    point = json.loads(json.dumps(POINT))
    place = point
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = to
    return json.dumps(point).encode()


def without(*path: Any) -> bytes:
    """The point above, without one of its values."""
    point = json.loads(changed(*path, to=None))
    place = point
    for key in path[:-1]:
        place = place[key]
    del place[path[-1]]
    return json.dumps(point).encode()


#: What lstm_probe writes, or has written.
HONEST = {
    "whole": json.dumps(POINT).encode(),
    "nothing in it": changed("layers", to={}),
    "no alerts": changed("alerts", to=[]),
    "no epoch": changed("epoch", to=None),
    "no epoch at all": without("epoch"),
    "whole epoch": changed("epoch", to=3),
    "not judged": changed("layers", "m", "verdict", to=None),
    "not recomputed": changed("layers", "m", to={"saturated": {}, "dead_units": 0.1}),
    "a name in Greek": changed("layers", to={"\N{GREEK SMALL LETTER ALPHA}": LAYER}),
    "before the first step": changed("step", to=-1),
}
#: What lstm_probe has never written.
MALFORMED = {
    "empty": b"",
    "cut": json.dumps(POINT).encode()[:-1],
    "not UTF-8": b"\xff" + json.dumps(POINT).encode(),
    "UTF-16": json.dumps(POINT).encode("utf-16"),
    "no record": b"[]",
    "a number": b"7",
    "too deep": b"[" * 100_000,
    "no format": without("format"),
    "newer": changed("format", to=FORMAT + 1),
    "format in words": changed("format", to="1"),
    "true format": changed("format", to=True),
    "no step": without("step"),
    "step in words": changed("step", to="7"),
    "true step": changed("step", to=True),
    "part of a step": changed("step", to=7.0),
    "step of 80 bits": changed("step", to=2**80),
    "epoch in words": changed("epoch", to="first"),
    "infinite epoch": changed("epoch", to=0.5).replace(b"0.5,", b"1e999,", 1),
    "epoch that is no number": changed("epoch", to=float("nan")),
    "huge epoch": changed("epoch", to=10**400),
    "no layers": without("layers"),
    "row of layers": changed("layers", to=[LAYER]),
    "layer that is a number": changed("layers", "m", to=3),
    "half a surrogate pair": changed("layers", to={"\ud800": LAYER}),
    "verdict in a row": changed("layers", "m", "verdict", to=["match"]),
    "error in words": changed("layers", "m", "max_abs", to="small"),
    "no error": changed("layers", "m", "max_abs", to=None),
    "infinite error": changed("layers", "m", "max_abs", to=float("inf")),
    "one saturation": changed("layers", "m", "saturated", to=0.5),
    "saturation in words": changed("layers", "m", "saturated", "i", to="much"),
    "true horizon": changed("layers", "m", "longest_horizon", to=True),
    "errors that are none": changed("layers", "m", "error_by_timestep", to=[None]),
    "no alerts at all": without("alerts"),
    "alerts that are numbers": changed("alerts", to=[1]),
    "alert without a layer": without("alerts", 0, "layer"),
    "alert without a text": without("alerts", 0, "text"),
    "alert with a number for a text": changed("alerts", 0, "text", to=7),
    "alert that cannot be printed": changed("alerts", 0, "text", to="\ud800"),
    "alert at part of a step": changed("alerts", 0, "step", to=0.5),
    "alert of a unit in words": changed("alerts", 0, "unit", to="2"),
}  # fmt: skip


def read_by_command(directory: Path) -> list[Point]:
    return RunReader(directory).course


def read_by_explorer(directory: Path) -> list[Point]:
    multiplexer = EventMultiplexer(tensor_size_guidance={"lstm_probe": 1000})
    multiplexer.AddRun(str(directory), "run")
    multiplexer.Reload()
    provider = MultiplexerDataProvider(multiplexer, str(directory))
    return CaptureSource(provider).timeline(Scope(RequestContext(), ""), "run")


ENTRANCES = [read_by_command, read_by_explorer]


def written(directory: Path, points: Sequence[bytes | None]) -> Path:
    """A log of these points, one a step; None for a value without a text."""
    metadata = plugin_metadata(DATA_CLASS_TENSOR)
    with EventFile(directory) as file:
        for step, point in enumerate(points):
            texts = [] if point is None else [point]
            file.write([strings_value(CAPTURES_TAG, metadata, texts)], step=step)
    return directory


@pytest.mark.parametrize("read", ENTRANCES)
@pytest.mark.parametrize("name", HONEST)
def test_an_honest_point_is_read(tmp_path: Path, name: str, read: Callable[[Path], Any]) -> None:
    [point] = read(written(tmp_path, [HONEST[name]]))
    assert point.as_data() == {"epoch": None, **json.loads(HONEST[name])}


@pytest.mark.parametrize("read", ENTRANCES)
def test_malformed_points_are_left_out(tmp_path: Path, read: Callable[[Path], Any]) -> None:
    good = changed("step", to=1000)
    written(tmp_path, [point for bad in MALFORMED.values() for point in (bad, good)])
    assert read(tmp_path) == [parse_point(good)] * len(MALFORMED)


@pytest.mark.parametrize("name", MALFORMED)
def test_a_malformed_point_is_none(name: str) -> None:
    assert parse_point(MALFORMED[name]) is None


@pytest.mark.parametrize("read", ENTRANCES)
def test_a_value_of_another_kind_is_left_out(tmp_path: Path, read: Callable[[Path], Any]) -> None:
    whole, metadata = HONEST["whole"], plugin_metadata(DATA_CLASS_TENSOR)
    with EventFile(tmp_path) as file:
        file.write([strings_value(CAPTURES_TAG, metadata, [whole, whole], scalar=False)], step=0)
        file.write([strings_value(CAPTURES_TAG, metadata, [whole])], step=1)
    assert read(tmp_path) == [parse_point(whole)]


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=4,
)
places = st.sampled_from(
    [(name,) for name in POINT]
    + [("layers", "m"), ("alerts", 0), ("layers", "m", "saturated", "i")]
    + [("layers", "m", name) for name in [*LAYER, "unknown"]]
    + [("alerts", 0, name) for name in [*ALERT, "unknown"]]
)


@settings(
    max_examples=15,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow],
)
@given(st.lists(st.tuples(places, values), min_size=20, max_size=20))
def test_every_reader_says_the_same_of_any_point(changes: list[tuple[Any, Any]]) -> None:
    points = [changed(*place, to=value) for place, value in changes]
    with tempfile.TemporaryDirectory() as directory:
        written(Path(directory), points)
        ours, theirs = (read(Path(directory)) for read in ENTRANCES)
    assert ours == theirs == [p for p in map(parse_point, points) if p is not None]
    for point in ours:
        json.dumps(point.as_data(), allow_nan=False, ensure_ascii=False).encode()


def test_a_field_that_is_not_known_is_dropped() -> None:
    for place in (("later",), ("layers", "m", "later"), ("alerts", 0, "later")):
        assert parse_point(changed(*place, to=1)) == parse_point(HONEST["whole"])


def ill(rng: np.random.Generator, step: int) -> Analysis:
    """An analysis with a mismatch, and with NaN in its figures."""
    seen = samples.snapshot(rng, epoch=1.5, step=step)
    seen.output[:] += 0.1
    seen.weights.kernel[0, 1, 2] = np.nan
    return analyse(seen)


def test_everything_that_is_written_is_read_back(tmp_path: Path, rng: np.random.Generator) -> None:
    board = AlertBoard()
    with RunLog(tmp_path) as log:
        for step, analysis in enumerate([analyse(samples.snapshot(rng, step=0)), ill(rng, 1)]):
            alerts = board.update([analysis], loss=0.5)
            others = [*board.noted, *board.cleared]
            training = {"loss": 0.5, "val_loss": float("nan")}
            log.write(
                [analysis],
                step=step,
                dynamics=board.dynamics,
                alerts=alerts,
                others=others,
                training=training,
            )
    [path] = tmp_path.rglob("*tfevents*")
    course = RunReader(log.directory).course
    assert [point.as_data() for point in course] == [*map(json.loads, _points_of(path))]
    assert course[1].alerts
    assert course[1].training == {"loss": 0.5, "val_loss": "nan"}
    assert course[1].layers["memory"]["verdict"] == "mismatch"


def _points_of(path: Path) -> list[bytes]:
    from tensorboard.backend.event_processing.event_file_loader import RawEventFileLoader
    from tensorboard.compat.proto.event_pb2 import Event

    events = map(Event.FromString, RawEventFileLoader(str(path)).Load())
    found = [value for event in events for value in event.summary.value]
    return [value.tensor.string_val[0] for value in found if value.tag == CAPTURES_TAG]
