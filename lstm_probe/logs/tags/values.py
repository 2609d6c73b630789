"""Arrays, pictures, numbers and texts as TensorBoard's summary values.

Each value carries its plugin's metadata, every time: a file that begins in the middle of a run
still shows.

Source: tensorboard/plugins/{scalar,image,histogram,text}/summary_v2.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from types import ModuleType
from typing import TYPE_CHECKING

import numpy as np
from tensorboard.compat.proto.summary_pb2 import Summary, SummaryMetadata
from tensorboard.compat.proto.tensor_pb2 import TensorProto
from tensorboard.compat.proto.types_pb2 import DT_DOUBLE, DT_FLOAT, DT_STRING
from tensorboard.plugins.histogram import metadata as histogram_metadata
from tensorboard.plugins.image import metadata as image_metadata
from tensorboard.plugins.scalar import metadata as scalar_metadata
from tensorboard.plugins.text import metadata as text_metadata

from lstm_probe.core.arrays import Array

if TYPE_CHECKING:
    from lstm_probe.pictures import Png

__all__ = ["histogram", "image", "scalar", "strings_value", "text"]

_BUCKETS = 30


def scalar(tag: str, value: float, *, description: str = "") -> Summary.Value:
    """A number, kept in float32; infinite where it is too large for that.

    Example:
        >>> scalar("loss", 0.5).tensor.float_val[0]
        0.5
    """
    tensor = TensorProto(dtype=DT_FLOAT, tensor_shape={}, float_val=[value])
    metadata = _metadata(scalar_metadata, description)
    return Summary.Value(tag=tag, tensor=tensor, metadata=metadata)


def image(tag: str, png: Png, *, description: str = "") -> Summary.Value:
    """A picture."""
    strings = [str(png.width).encode(), str(png.height).encode(), png.data]
    return strings_value(tag, _metadata(image_metadata, description), strings, scalar=False)


def histogram(tag: str, values: Array, *, description: str = "") -> Summary.Value | None:
    """The distribution of the finite values, in 30 buckets; None if there are none."""
    finite = values[np.isfinite(values)]
    if not finite.size:
        return None
    buckets = _buckets(np.asarray(finite, np.float64))
    tensor = TensorProto(
        dtype=DT_DOUBLE,
        tensor_shape={"dim": [{"size": size} for size in buckets.shape]},
        tensor_content=buckets.astype("<f8").tobytes(),
    )
    metadata = _metadata(histogram_metadata, description)
    return Summary.Value(tag=tag, tensor=tensor, metadata=metadata)


def text(tag: str, markdown: str, *, description: str = "") -> Summary.Value:
    """A text in Markdown."""
    return strings_value(tag, _metadata(text_metadata, description), [markdown.encode()])


def strings_value(
    tag: str, metadata: SummaryMetadata, strings: Sequence[bytes], *, scalar: bool = True
) -> Summary.Value:
    """Bytes: a single string without axes, or a row of them.

    Args:
        tag: the value's tag.
        metadata: names the plugin that reads the value.
        strings: the bytes.
        scalar: whether there is one without axes.
    """
    shape = {} if scalar else {"dim": [{"size": len(strings)}]}
    tensor = TensorProto(dtype=DT_STRING, tensor_shape=shape, string_val=strings)
    return Summary.Value(tag=tag, tensor=tensor, metadata=metadata)


@lru_cache(maxsize=1024)
def _metadata(plugin: ModuleType, description: str) -> SummaryMetadata:
    return plugin.create_summary_metadata("", description)


def _buckets(values: Array) -> Array:
    """Rows of left edge, right edge and count; a constant has one bucket around it.

    Args:
        values: `(count,)`, float64, finite; at least one.
    """
    low, high = float(values.min()), float(values.max())
    size = max(abs(low), abs(high))
    # In a narrower range the edges of 30 buckets would no longer be distinct numbers.
    if high - low <= max(1e-12 * size, 1e-300):
        margin = max(0.5, 1e-6 * size)
        return np.array([[low - margin, high + margin, values.size]])
    edges = np.linspace(low, high, _BUCKETS + 1)
    # A value within rounding of an edge may be counted on its other side, which np.histogram
    # avoids, but it takes several times as long.
    places = ((values - low) * (_BUCKETS / (high - low))).astype(np.intp)
    highest = _BUCKETS - 1  # also for the highest value itself
    counts = np.bincount(np.minimum(places, highest), minlength=_BUCKETS)
    return np.array([edges[:-1], edges[1:], counts]).T
