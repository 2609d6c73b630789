"""What is painted is what Pillow decodes, pixel by pixel."""

from __future__ import annotations

import math
from io import BytesIO

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from lstm_probe.pictures import HeatmapPainter, Png
from lstm_probe.pictures.frame import Frame, draw_frame
from lstm_probe.pictures.palette import Indices, palette
from lstm_probe.pictures.png import encode

Floats = npt.NDArray[np.float64]
INTERVAL = (-0.5, 1.5)
# One to many pixels a cell, and no more cells than are drawn without averaging.
SHAPES = [(1, 1), (1, 128), (2, 3), (28, 1), (28, 128), (302, 30), (350, 220), (190, 115), (95, 60)]


def decoded(png: Png) -> Indices:
    Image.open(BytesIO(png.data)).verify()  # the checksums of the chunks
    image = Image.open(BytesIO(png.data))
    assert (image.format, image.mode, image.size) == ("PNG", "P", (png.width, png.height))
    assert image.getpalette() == palette().ravel().tolist()
    return np.asarray(image)


@pytest.mark.parametrize("shape", [(1, 1), (1, 700), (700, 1), (2, 2), (37, 501), (370, 580)])
@pytest.mark.parametrize("kind", ["random", "few colours", "flat", "rows"])
def test_pixels_come_back_when_they_are_any(
    shape: tuple[int, int], kind: str, rng: np.random.Generator
) -> None:
    colours = {"few colours": [0, 200, 255], "flat": [7]}.get(kind, range(256))
    pixels = rng.choice(np.array(colours, np.uint8), shape)
    if kind == "rows":
        pixels[:] = pixels[:, :1]
    before = pixels.copy()
    np.testing.assert_array_equal(decoded(encode(pixels)), before)
    np.testing.assert_array_equal(pixels, before)


def test_pixels_come_back_when_they_lie_upside_down(rng: np.random.Generator) -> None:
    pixels = rng.integers(0, 256, (30, 40), np.uint8)
    for view in (pixels[::-1], pixels.T, pixels[::3, 5:9]):
        np.testing.assert_array_equal(decoded(encode(view)), view)


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("marked", [False, True])
@pytest.mark.parametrize("shape", SHAPES)
def test_a_picture_is_its_frame_and_its_cells_put_together_one_by_one(
    shape: tuple[int, int], marked: bool, masked: bool, rng: np.random.Generator
) -> None:
    values = rng.uniform(*INTERVAL, shape)
    if marked:
        for mark in (math.nan, math.inf, -9.0, 1e300):
            values[rng.random(shape) < 0.1] = mark
    mask = rng.random(len(values)) < 0.6 if masked else None
    frame = draw_frame(shape, INTERVAL, "f")
    found = decoded(HeatmapPainter().paint(values, interval=INTERVAL, letter="f", mask=mask))
    expected = put_together(frame, values, mask)
    # The title stands above the cells, and a caption in the lowest rows.
    rows = slice(frame.layout.top - 1, -24 if marked or masked else None)
    np.testing.assert_array_equal(found[rows], expected[rows])
    assert (found[: frame.layout.top - 1] != expected[: frame.layout.top - 1]).any()


def put_together(
    frame: Frame, values: Floats, mask: npt.NDArray[np.bool_] | None
) -> npt.NDArray[np.uint8]:
    layout, pixels = frame.layout, frame.pixels.copy()
    width, height = layout.time.cell, layout.units.cell
    for time, unit in np.ndindex(values.shape):
        if mask is None or mask[time]:
            cell: int | Indices = index_of(values[time, unit])
        else:  # stripes of four pixels that run downwards and to the left
            y, x = np.ogrid[unit * height : (unit + 1) * height, time * width : (time + 1) * width]
            cell = np.where((x + y) // 4 % 2, 204, 203).astype(np.uint8)
        top, left = layout.top + unit * height, layout.left + time * width
        pixels[top : top + height, left : left + width] = cell
    return pixels


def index_of(value: float) -> int:
    if not math.isfinite(value):
        return 201
    low, high = INTERVAL
    position = (value - low) / (high - low)
    return math.floor(200 * position + 0.5) if 0 <= position <= 1 else 202
