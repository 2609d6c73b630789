"""Pictures whose frame is compressed beforehand have the same pixels as any others."""

from __future__ import annotations

import zlib
from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from lstm_probe.pictures.deflate import CELL_BYTES, END, cell_pattern, compressed
from lstm_probe.pictures.frame import Frame, draw_frame
from lstm_probe.pictures.palette import HATCH, PAPER, Indices
from lstm_probe.pictures.png import Png, encode

# The widths of a cell: those that are one to four pixels, of one match, of two, and the limits.
SHAPES = [
    (1, 1), (1, 128), (2, 3), (3, 5), (28, 1), (28, 128), (302, 30), (350, 220), (190, 115),
    (127, 77), (95, 60), (1000, 1024), (380, 230),
]  # fmt: skip


def frame_of(shape: tuple[int, int], letter: str = "f") -> Frame:
    return draw_frame(shape, (0.0, 1.0), letter)


def random_levels(frame: Frame, rng: np.random.Generator) -> Indices:
    """Every colour that a cell can have: the marks of NaN and of values outside as well."""
    shape = frame.layout.units.drawn, frame.layout.time.drawn
    return rng.integers(0, HATCH[0], shape).astype(np.uint8)


def ordinary(frame: Frame, levels: Indices) -> Indices:
    """The pixels, put together one by one."""
    layout, pixels = frame.layout, frame.pixels.copy()
    cells = np.kron(levels, np.ones((layout.units.cell, layout.time.cell), np.uint8))
    top, left = layout.top, layout.left
    pixels[top : top + len(cells), left : left + cells.shape[1]] = cells
    return pixels


def decoded(png: Png) -> Indices:
    image = Image.open(BytesIO(png.data))
    image.verify()  # the checksums of the chunks
    return np.asarray(Image.open(BytesIO(png.data)))


@pytest.mark.parametrize("letter", ["f", "log10 |dh_T/dh|"])
@pytest.mark.parametrize("shape", SHAPES)
def test_pixels_are_those_of_the_ordinary_way_when_cells_are_random(
    shape: tuple[int, int], letter: str, rng: np.random.Generator
) -> None:
    frame = frame_of(shape, letter)
    levels = random_levels(frame, rng)
    png = frame.stencil.picture(levels, title=frame.pixels[: frame.stencil.above])
    np.testing.assert_array_equal(decoded(png), ordinary(frame, levels))
    np.testing.assert_array_equal(decoded(encode(ordinary(frame, levels))), decoded(png))


@pytest.mark.parametrize("shape", [(28, 128), (302, 30), (1, 4)])
def test_title_and_caption_are_those_given_when_pictures_follow_each_other(
    shape: tuple[int, int], rng: np.random.Generator
) -> None:
    frame = frame_of(shape)
    stencil = frame.stencil
    for with_caption in (True, False, True):
        levels = random_levels(frame, rng)
        expected = ordinary(frame, levels)
        title, bottom = expected[: stencil.above].copy(), expected[stencil.below :].copy()
        title[:20], bottom[30:] = rng.integers(0, 256, (2, 1, 1), np.uint8)
        png = stencil.picture(levels, title=title, bottom=bottom if with_caption else None)
        expected[: stencil.above] = title
        if with_caption:
            expected[stencil.below :] = bottom
        np.testing.assert_array_equal(decoded(png), expected)


@pytest.mark.parametrize("width", [*range(1, 24), 258, 259, 260, 261, 262, 380, 517, 600])
def test_a_run_of_a_colour_is_whole_bytes_when_cells_have_any_width(width: int) -> None:
    literals, rest = cell_pattern(width)
    paper = np.full(40, PAPER, np.uint8)
    [begin, end] = compressed(np.append(paper, paper), np.array([0, 40]))
    cells = b"".join(bytes([CELL_BYTES[level]]) * literals + rest for level in (7, 204, 7))
    # The last block is an empty one (RFC 1951, 3.2.6).
    stream = begin + cells + end + END + b"\x03\0"
    expected = bytes(paper) + bytes([7] * width + [204] * width + [7] * width) + bytes(paper)
    assert zlib.decompress(stream, -15) == expected


def test_every_byte_and_run_length_comes_back_when_compressed(rng: np.random.Generator) -> None:
    lengths = np.append(np.arange(1, 600), rng.integers(1, 20, 2000))
    values = rng.permutation(np.arange(len(lengths)) % 256).astype(np.uint8)
    paper = np.full(11, PAPER, np.uint8)
    data = np.concatenate([values.repeat(lengths), np.zeros(1, np.uint8), paper])
    parts = compressed(data, np.array([0]))
    assert zlib.decompress(b"".join([*parts, END, b"\x03\0"]), -15) == data.tobytes()


def test_a_picture_is_not_larger_than_the_compressor_makes_it_by_more_than_a_half(
    rng: np.random.Generator,
) -> None:
    frame = frame_of((28, 128))
    levels = random_levels(frame, rng)
    png = frame.stencil.picture(levels, title=frame.pixels[: frame.stencil.above])
    assert len(png.data) < 1.5 * len(encode(ordinary(frame, levels)).data)
