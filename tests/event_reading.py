"""Reads event files back with TensorBoard's own loader."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from PIL import Image
from tensorboard.backend.event_processing.event_file_loader import EventFileLoader
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.util.tensor_util import make_ndarray


def events(directory: Path) -> list[Event]:
    """All events of a run, in the order in which TensorBoard reads them."""
    files = sorted(directory.glob("*tfevents*"))
    return [event for file in files for event in EventFileLoader(str(file)).Load()]


def values(directory: Path) -> dict[tuple[str, int], Summary.Value]:
    """Every value of a run by tag and step."""
    return {
        (value.tag, event.step): value
        for event in events(directory)
        for value in event.summary.value
    }


def steps(directory: Path, tag: str) -> list[int]:
    """The steps of a tag, in the order of the file."""
    return [event.step for event in events(directory) for v in event.summary.value if v.tag == tag]


def captured_steps(log_dir: Path, tag: str = "memory/gates/2_f") -> list[int]:
    """The steps at which a probe captured; by default those of an LSTM called `memory`."""
    return steps(log_dir / "lstm_probe", tag)


def array(value: Summary.Value) -> np.ndarray:
    """A scalar, histogram or text as an array."""
    return make_ndarray(value.tensor)


def picture(value: Summary.Value) -> Image.Image:
    """An image, decoded; its stated size must be its own."""
    width, height, data = make_ndarray(value.tensor)
    image = Image.open(io.BytesIO(data))
    assert image.size == (int(width), int(height))
    return image
