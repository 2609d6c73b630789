"""TensorBoard's own functions read back, or make, what the values hold."""

from __future__ import annotations

import math
from typing import Any

import event_reading
import numpy as np
import pytest
from tensorboard.compat.proto.types_pb2 import DT_DOUBLE, DT_FLOAT, DT_STRING
from tensorboard.plugins.histogram import metadata as histogram_metadata
from tensorboard.plugins.image import metadata as image_metadata
from tensorboard.plugins.scalar.summary_v2 import scalar_pb
from tensorboard.plugins.text.summary_v2 import text_pb

from lstm_probe.logs.tags.values import histogram, image, scalar, strings_value, text
from lstm_probe.pictures import Png

TAG = "lstm/gates/1_i"


def only_value(summary: Any) -> Any:
    (value,) = summary.value
    return value


@pytest.mark.parametrize("number", [0.0, 1.5, -1e-30, 3e38, math.inf, 7, np.float32(0.1), True])
def test_a_scalar_is_the_one_of_tensorboard(number: float) -> None:
    value = scalar(TAG, number, description="words")
    assert value == only_value(scalar_pb(TAG, number, "words"))
    assert value.tensor.dtype == DT_FLOAT


@pytest.mark.parametrize("number", [1e300, -1e300])
def test_a_scalar_is_infinite_when_float32_ends_before_it(number: float) -> None:
    assert event_reading.array(scalar(TAG, number)) == math.copysign(math.inf, number)


def test_a_scalar_that_is_not_a_number_stays_so() -> None:
    assert math.isnan(event_reading.array(scalar(TAG, math.nan)))


@pytest.mark.parametrize("size", [0, 1, 127, 128, 16_384, 300_000])
def test_a_picture_is_its_size_and_its_bytes(size: int, rng: np.random.Generator) -> None:
    png = Png(580, 370, rng.bytes(size))
    value = image(TAG, png, description="\N{GREEK SMALL LETTER ALPHA}")
    array = event_reading.array(value)
    assert (array.shape, array.tolist()) == ((3,), [b"580", b"370", png.data])
    assert (value.tag, value.tensor.dtype) == (TAG, DT_STRING)
    expected = image_metadata.create_summary_metadata("", "\N{GREEK SMALL LETTER ALPHA}")
    assert value.metadata == expected


def test_a_text_is_the_one_of_tensorboard() -> None:
    markdown = "### Title \N{EM DASH} and more"
    value = text(TAG, markdown, description="words")
    assert value == only_value(text_pb(TAG, markdown, "words"))


@pytest.mark.parametrize("scalar", [False, True])
def test_bytes_have_the_axes_that_they_are_given(scalar: bool) -> None:
    metadata = image_metadata.create_summary_metadata("", "")
    array = event_reading.array(strings_value(TAG, metadata, [b"\xff\0"], scalar=scalar))
    assert (array.shape, array.ravel().tolist()) == (() if scalar else (1,), [b"\xff\0"])


def test_a_histogram_is_edges_and_counts() -> None:
    value = histogram(TAG, np.array([0.0, 30.0, 30.0, np.nan]), description="words")
    assert value is not None
    expected = [[k, k + 1, {0: 1, 29: 2}.get(k, 0)] for k in range(30)]
    np.testing.assert_array_equal(event_reading.array(value), expected)
    assert (value.tag, value.tensor.dtype) == (TAG, DT_DOUBLE)
    assert value.metadata == histogram_metadata.create_summary_metadata("", "words")


def test_values_of_one_description_do_not_change_each_other() -> None:
    """Their metadata are made once."""
    first, second = (scalar(tag, 0.5, description="words") for tag in ("a", "b"))
    first.metadata.summary_description = "other words"
    third = scalar("c", 0.5, description="words")
    for value in (second, third):
        assert value.metadata.summary_description == "words"
