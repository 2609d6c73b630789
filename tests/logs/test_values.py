"""Values put together out of serialised parts are, bit by bit, what protobuf serialises."""

from __future__ import annotations

import math

import numpy as np
import pytest
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.compat.proto.tensor_pb2 import TensorProto
from tensorboard.compat.proto.types_pb2 import DT_DOUBLE, DT_FLOAT, DT_STRING
from tensorboard.plugins.histogram import metadata as histogram_metadata
from tensorboard.plugins.image import metadata as image_metadata
from tensorboard.plugins.scalar import metadata as scalar_metadata
from tensorboard.plugins.text import metadata as text_metadata
from tensorboard.util.tensor_util import make_tensor_proto

from lstm_probe.logs.events.wire import field
from lstm_probe.logs.tags.values import histogram, image, scalar, text
from lstm_probe.pictures import Png

TAG = "lstm/gates/1_i"


@pytest.mark.parametrize("number", [0.0, 1.5, -1e-30, 1e300, -1e300, math.inf, 7])
def test_a_scalar_is_what_protobuf_makes(number: float) -> None:
    tensor = TensorProto(dtype=DT_FLOAT, tensor_shape={}, float_val=[number])
    metadata = scalar_metadata.create_summary_metadata("", "words")
    expected = Summary.Value(tag=TAG, tensor=tensor, metadata=metadata)
    assert scalar(TAG, number, description="words") == expected.SerializeToString()


def test_a_scalar_that_is_not_a_number_stays_so() -> None:
    assert math.isnan(Summary.Value.FromString(scalar(TAG, math.nan)).tensor.float_val[0])


@pytest.mark.parametrize("size", [0, 1, 127, 128, 16_383, 16_384, 300_000])
def test_a_picture_is_what_protobuf_makes(size: int, rng: np.random.Generator) -> None:
    png = Png(580, 370, rng.bytes(size))
    strings = [b"580", b"370", png.data]
    tensor = TensorProto(dtype=DT_STRING, tensor_shape={"dim": [{"size": 3}]}, string_val=strings)
    metadata = image_metadata.create_summary_metadata("", "\N{GREEK SMALL LETTER ALPHA}")
    expected = Summary.Value(tag=TAG, tensor=tensor, metadata=metadata)
    value = image(TAG, png, description="\N{GREEK SMALL LETTER ALPHA}")
    assert value == expected.SerializeToString()


def test_a_text_is_what_protobuf_makes() -> None:
    metadata = text_metadata.create_summary_metadata("", "")
    tensor = make_tensor_proto("### Title", dtype=DT_STRING)
    expected = Summary.Value(tag=TAG, tensor=tensor, metadata=metadata)
    assert text(TAG, "### Title") == expected.SerializeToString()


def test_a_histogram_is_what_protobuf_makes() -> None:
    value = histogram(TAG, np.array([0.0, 30.0, 30.0]), description="words")
    buckets = [[k, k + 1, {0: 1, 29: 2}.get(k, 0)] for k in range(30)]
    tensor = make_tensor_proto(np.array(buckets, np.float64), dtype=DT_DOUBLE)
    metadata = histogram_metadata.create_summary_metadata("", "words")
    expected = Summary.Value(tag=TAG, tensor=tensor, metadata=metadata)
    assert value == expected.SerializeToString()


@pytest.mark.parametrize("size", [1, 127, 128, 255, 16_383, 16_384, 2_097_152])
def test_a_field_is_what_protobuf_makes(size: int) -> None:
    data = bytes(size)
    value = TensorProto(string_val=[data], tensor_content=data).SerializeToString()
    assert field(4, data) + field(8, data[: size // 2], data[size // 2 :]) == value
