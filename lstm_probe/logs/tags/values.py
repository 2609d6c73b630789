"""Arrays, pictures, numbers and texts as TensorBoard's summary values, serialised.

Each value carries its plugin's metadata, every time: a file that begins in the middle of a run
still shows. A value is bytes: what stays the same from capture to capture (tag, metadata, dtype
and shape) is serialised once by protobuf's classes and kept, and only the data are put in.

Source: tensorboard/plugins/{scalar,image,histogram,text}/summary_v2.py.
"""

from __future__ import annotations

import math
from array import array as numbers
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from types import ModuleType

import numpy as np
from tensorboard.compat.proto.summary_pb2 import Summary, SummaryMetadata
from tensorboard.compat.proto.tensor_pb2 import TensorProto
from tensorboard.compat.proto.tensor_shape_pb2 import TensorShapeProto
from tensorboard.compat.proto.types_pb2 import DT_DOUBLE, DT_FLOAT, DT_STRING
from tensorboard.plugins.histogram import metadata as histogram_metadata
from tensorboard.plugins.image import metadata as image_metadata
from tensorboard.plugins.scalar import metadata as scalar_metadata
from tensorboard.plugins.text import metadata as text_metadata

from lstm_probe.core.arrays import Array
from lstm_probe.logs.events.wire import field_number, head
from lstm_probe.pictures import Png

__all__ = ["histogram", "histograms", "image", "scalar", "strings_value", "text"]

_BUCKETS = 30
_EDGES = np.linspace(0.0, 1.0, _BUCKETS + 1)
# Beyond these, histograms are counted one by one, which takes more care: float32 would not tell
# the values of a narrower or larger range apart.
_NARROW, _LEAST, _MOST = 1e-3, 1e-30, 1e30
_LARGEST = {np.dtype(kind).char: float(np.finfo(kind).max) for kind in ("f2", "f4", "f8")}
_TENSOR = field_number(Summary.Value, "tensor")
_METADATA = field_number(Summary.Value, "metadata")
_CONTENT = field_number(TensorProto, "tensor_content")
_FLOATS = field_number(TensorProto, "float_val")
_STRINGS = field_number(TensorProto, "string_val")


def scalar(tag: str, value: float, *, description: str = "") -> bytes:
    """A number, kept in float32.

    Example:
        >>> Summary.Value.FromString(scalar("loss", 0.5)).tensor.float_val[0]
        0.5
    """
    data = numbers("f", [value]).tobytes()  # infinite where float32 ends
    metadata = _metadata(scalar_metadata, description)
    return _value(tag, metadata, _tensor(DT_FLOAT), head(_FLOATS, len(data)), data)


def image(tag: str, png: Png, *, description: str = "") -> bytes:
    """A picture."""
    strings = [str(png.width).encode(), str(png.height).encode(), png.data]
    return strings_value(tag, _metadata(image_metadata, description), strings, scalar=False)


def histogram(tag: str, values: Array, *, description: str = "") -> bytes | None:
    """The distribution of the finite values, in 30 buckets; None if there are none."""
    finite, low, high = _finite(values)
    if not finite.size:
        return None
    return _histogram(tag, _buckets(finite, low, high), description)


def histograms(arrays: Mapping[str, Array], descriptions: Sequence[str]) -> Iterator[bytes]:
    """The distributions of several arrays by tag; of one shape, they are counted together."""
    together = _all_buckets(list(arrays.values()))
    for index, (tag, values) in enumerate(arrays.items()):
        if together is not None:
            yield _histogram(tag, together[index], descriptions[index])
            continue
        value = histogram(tag, values, description=descriptions[index])
        if value is not None:
            yield value


def text(tag: str, markdown: str, *, description: str = "") -> bytes:
    """A text in Markdown."""
    return strings_value(tag, _metadata(text_metadata, description), [markdown.encode()])


def strings_value(
    tag: str, metadata: bytes, strings: Sequence[bytes], *, scalar: bool = True
) -> bytes:
    """Bytes: a single string without axes, or a row of them.

    Args:
        tag: of the value.
        metadata: a serialised `SummaryMetadata`.
        strings: the bytes.
        scalar: whether there is one without axes.
    """
    sizes = () if scalar else (len(strings),)
    parts = [part for each in strings for part in (head(_STRINGS, len(each)), each)]
    return _value(tag, metadata, _tensor(DT_STRING, *sizes), *parts)


@lru_cache(maxsize=1024)
def _metadata(plugin: ModuleType, description: str) -> bytes:
    metadata: SummaryMetadata = plugin.create_summary_metadata("", description)
    serialised: bytes = metadata.SerializeToString()
    return serialised


@lru_cache(maxsize=1024)
def _tag(tag: str) -> bytes:
    serialised: bytes = Summary.Value(tag=tag).SerializeToString()
    return serialised


@lru_cache(maxsize=64)
def _tensor(dtype: int, *sizes: int) -> bytes:
    """A tensor without its data."""
    shape = TensorShapeProto(dim=[TensorShapeProto.Dim(size=size) for size in sizes])
    serialised: bytes = TensorProto(dtype=dtype, tensor_shape=shape).SerializeToString()
    return serialised


def _value(tag: str, metadata: bytes, *tensor: bytes) -> bytes:
    size = sum(map(len, tensor))
    # Put together at once: of a picture, each copy costs as much as all the rest.
    return b"".join(
        (_tag(tag), head(_TENSOR, size), *tensor, head(_METADATA, len(metadata)), metadata)
    )


def _histogram(tag: str, buckets: Array, description: str) -> bytes:
    data = buckets.astype("<f8", copy=False).tobytes()
    metadata = _metadata(histogram_metadata, description)
    tensor = _tensor(DT_DOUBLE, *buckets.shape)
    return _value(tag, metadata, tensor, head(_CONTENT, len(data)), data)


def _all_buckets(arrays: Sequence[Array]) -> Array | None:
    """`_buckets` of each array, `(arrays, 30, 3)`, to the precision of float32; None where they
    have several shapes, or one is not finite, narrow, or nearly out of range."""
    if not arrays or not arrays[0].size or len({array.shape for array in arrays}) > 1:
        return None
    with np.errstate(over="ignore"):
        places = np.stack([array.reshape(-1) for array in arrays], dtype="f4", casting="unsafe")
    low, high = places.min(axis=1, keepdims=True), places.max(axis=1, keepdims=True)
    size = float(np.maximum(-low, high).max())
    with np.errstate(invalid="ignore"):
        span = high - low
    if not (size < _MOST and (span > np.maximum(_NARROW * np.maximum(-low, high), _LEAST)).all()):
        return None
    places -= low
    places *= _BUCKETS / span
    np.minimum(places, _BUCKETS - 0.5, out=places)  # the highest value itself
    places += _BUCKETS * np.arange(len(arrays), dtype="f4")[:, None]
    counts = np.bincount(places.astype(np.intp).ravel(), minlength=len(arrays) * _BUCKETS)
    edges = low.astype(np.float64) + span * _EDGES
    edges[:, -1:] = high
    return np.stack([edges[:, :-1], edges[:, 1:], counts.reshape(-1, _BUCKETS)], axis=2)


def _buckets(finite: Array, low: float, high: float) -> Array:
    """Rows of left edge, right edge and count; a constant has one bucket around it."""
    size = max(abs(low), abs(high))
    # In a narrower range the edges of 30 buckets would no longer be distinct numbers.
    if high - low <= max(1e-12 * size, 1e-300):
        margin = max(0.5, 1e-6 * size)
        return np.array([[low - margin, high + margin, finite.size]])
    edges = low + (high - low) * _EDGES
    edges[-1] = high
    if max(high - low, _BUCKETS / (high - low)) > _LARGEST[finite.dtype.char]:
        finite = finite.astype(np.float64)
    # In the values' own dtype and without sorting: ten times as fast as np.histogram. A value
    # within rounding of an edge may be counted on the edge's other side.
    scale, origin = (finite.dtype.type(number) for number in (_BUCKETS / (high - low), low))
    places = finite - origin
    places *= scale
    counts = np.bincount(places.astype(np.intp), minlength=_BUCKETS)
    counts[_BUCKETS - 1] += counts[_BUCKETS:].sum()  # the highest value itself
    rows = np.empty((_BUCKETS, 3))
    rows[:, 0], rows[:, 1], rows[:, 2] = edges[:-1], edges[1:], counts[:_BUCKETS]
    return rows


def _finite(values: Array) -> tuple[Array, float, float]:
    """The finite values, in one row, and their extremes; a copy only where some are not."""
    flat = values.reshape(-1)
    low, high = float(flat.min(initial=np.inf)), float(flat.max(initial=-np.inf))
    # NaN and infinity show in the extremes, which cost less than a mask.
    if flat.size and not (math.isfinite(low) and math.isfinite(high)):
        return _finite(flat[np.isfinite(flat)])
    return flat, low, high
