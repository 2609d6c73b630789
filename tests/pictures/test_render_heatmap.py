"""Pictures, decoded: what is in the pixels."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib import colormaps
from PIL import Image

from lstm_probe import LstmProbeError
from lstm_probe.pictures import HeatmapPainter, canvas
from lstm_probe.pictures.layout import Axis, Layout
from lstm_probe.pictures.palette import HATCH, NOT_FINITE_INDEX, OUTSIDE_INDEX, PAPER

pytestmark = pytest.mark.filterwarnings("error")

UNIT, SIGNED = (0.0, 1.0), (-1.0, 1.0)
SHAPES = [(1, 1), (1, 128), (28, 1), (28, 128), (302, 30), (7, 5), (350, 220)]
BIG_SHAPES = [(601, 3), (1000, 512), (3, 301), (5000, 2000)]


def random_gate(shape, seed=0, interval=UNIT):
    return np.random.default_rng(seed).uniform(*interval, size=shape)


def paint(array, *, painter=None, interval=UNIT, letter="f", **keywords):
    painter = painter or HeatmapPainter()
    return painter.paint(array, interval=interval, letter=letter, **keywords)


def decode(png):
    image = Image.open(BytesIO(png.data))
    image.load()
    assert (image.format, image.mode, image.size) == ("PNG", "P", (png.width, png.height))
    return image


def area(png, shape):
    """The pixels of the cells as palette indices."""
    layout = Layout.of(*shape)
    rows = slice(layout.top, layout.top + layout.units.pixels)
    columns = slice(layout.left, layout.left + layout.time.pixels)
    return np.asarray(decode(png))[rows, columns]


def cells(png, shape):
    """One palette index for each cell, `(units, time)`, from the middle of it."""
    layout = Layout.of(*shape)
    across, down = layout.time.cell, layout.units.cell
    return area(png, shape)[down // 2 :: down, across // 2 :: across]


@pytest.mark.parametrize("interval", [UNIT, SIGNED, (-0.5, 4.0)])
@pytest.mark.parametrize("shape", SHAPES)
def test_every_cell_has_the_colour_of_its_value_when_shape_is_random(shape, interval):
    values = random_gate(shape, sum(shape), interval)
    png = paint(values, interval=interval)
    colours = np.array(decode(png).getpalette()).reshape(-1, 3)[cells(png, shape)]
    low, high = interval
    expected = colormaps["RdBu"]((values.T - low) / (high - low), bytes=True)[..., :3].astype(int)
    assert np.abs(colours - expected).max() <= 6


@pytest.mark.parametrize("shape", SHAPES)
def test_cells_fill_their_rectangles_when_enlarged(shape):
    png = paint(random_gate(shape))
    layout = Layout.of(*shape)
    block = np.ones((layout.units.cell, layout.time.cell), np.uint8)
    np.testing.assert_array_equal(area(png, shape), np.kron(cells(png, shape), block))


def test_unit_is_row_and_time_is_column_when_one_cell_differs():
    values = np.zeros((5, 4))
    values[3, 1] = 1
    found = cells(paint(values), (5, 4))
    assert found.shape == (4, 5)
    assert np.argwhere(found == 200).tolist() == [[1, 3]]


def test_colour_of_a_value_is_fixed_when_the_other_data_change():
    values = random_gate((10, 6))
    louder = values * 100
    louder[4, 2] = values[4, 2]
    for interval in (None, UNIT):
        quiet, loud = (cells(paint(a, interval=interval), (10, 6)) for a in (values, louder))
        assert quiet[2, 4] == loud[2, 4]
        assert (quiet != loud).any()


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("interval", [UNIT, None])
def test_cell_is_marked_when_it_is_not_finite(value, interval):
    values = random_gate((10, 6))
    values[4, 2] = value
    found = cells(paint(values, interval=interval), (10, 6))
    assert np.argwhere(found == NOT_FINITE_INDEX).tolist() == [[2, 4]]


@pytest.mark.parametrize("value", [-0.1, 1.1, 1e30])
def test_cell_is_marked_when_it_is_outside_of_the_interval(value):
    values = random_gate((10, 6))
    values[4, 2] = value
    found = cells(paint(values), (10, 6))
    assert np.argwhere(found == OUTSIDE_INDEX).tolist() == [[2, 4]]


def test_caption_appears_when_something_is_marked():
    values = random_gate((10, 6))
    marked = values.copy()
    marked[0, 0] = np.nan
    clean, noted = (np.asarray(decode(paint(array)))[-24:] for array in (values, marked))
    assert (clean == PAPER).all()
    assert (noted != PAPER).sum() > 100


def test_step_is_hatched_when_masked():
    mask = np.random.default_rng(1).random(20) < 0.6
    values = random_gate((20, 6))
    values[~mask] = np.nan  # what padding holds does not matter
    found = area(paint(values, mask=mask), (20, 6))
    hatched = np.isin(found, HATCH).all(axis=0)
    np.testing.assert_array_equal(hatched, ~mask.repeat(Layout.of(20, 6).time.cell))
    assert set(np.unique(found[:, hatched])) == set(HATCH)
    assert NOT_FINITE_INDEX not in found


def test_cells_are_not_counted_when_they_are_masked():
    mask = np.arange(20) > 4
    values = random_gate((20, 6))
    padded = np.where(mask[:, None], values, np.nan)
    assert paint(padded, mask=mask) == paint(values, mask=mask)


def test_whole_area_is_hatched_when_all_is_masked():
    found = area(paint(random_gate((9, 4)), mask=np.zeros(9, bool)), (9, 4))
    assert np.isin(found, HATCH).all()


def test_only_the_title_changes_when_the_step_changes():
    values = random_gate((10, 6))
    first, second = (np.asarray(decode(paint(values, step=step))) for step in (100, 101))
    rows = np.flatnonzero((first != second).any(axis=1))
    assert len(rows) > 0
    assert rows.max() < Layout.top


def test_title_and_label_change_when_the_letter_changes():
    layout = Layout.of(10, 6)
    values = random_gate((10, 6))
    first, second = (np.asarray(decode(paint(values, letter=letter))) for letter in "fi")
    changed = first != second
    assert changed[: layout.top].any()
    assert changed[layout.top :, layout.bar_left + layout.bar :].any()
    assert not changed[layout.top :, : layout.bar_left].any()


@pytest.mark.parametrize("name", ["x" * 300, "encoder/" * 40 + "forward_lstm"])
def test_title_stays_inside_when_the_layer_name_is_long(name):
    values = random_gate((28, 128))
    pixels = np.asarray(decode(paint(values, layer=name, step=123456)))
    top = pixels[: Layout.top - 3]
    columns = np.flatnonzero((top != PAPER).any(axis=0))
    assert columns.min() >= 10
    assert pixels.shape[1] - 40 < columns.max() < pixels.shape[1] - 10


def test_end_of_the_name_is_shown_when_the_layer_name_is_long():
    values = random_gate((28, 128))
    start, end = "encoder/" * 40, "/forward_lstm"
    long = [paint(values, layer=name) for name in (start + end, "x" + start + end)]
    assert long[0] == long[1]
    assert paint(values, layer=start + "/backward_lstm") != long[0]


@pytest.mark.parametrize("interval", [UNIT, None])
@pytest.mark.parametrize("shape", [(28, 128), (302, 30), (1000, 512)])
def test_axes_and_bar_have_ticks_and_names_when_painted(shape, interval):
    layout = Layout.of(*shape)
    pixels = np.asarray(decode(paint(random_gate(shape), interval=interval)))
    bottom, bar = layout.top + layout.units.pixels, layout.bar_left + layout.bar
    plot = slice(layout.top - 8, bottom + 8)
    texts = {
        "unit": pixels[plot, 8:24],
        "unit ticks": pixels[plot, 28 : layout.left - 6],
        "timestep": pixels[bottom + 24 : bottom + 40, layout.left :],
        "timestep ticks": pixels[bottom + 7 : bottom + 21, layout.left :],
        "bar ticks": pixels[plot, bar + 8 : bar + 40],
        "bar": pixels[plot, -24:-6],
    }
    inked = {name: int((strip != PAPER).sum()) for name, strip in texts.items()}
    assert min(inked.values()) > 40, inked
    assert all((pixels[plot, column] == PAPER).all() for column in (0, 5, 26, -2))
    for name in ("unit", "bar"):  # read upwards: longer than wide
        rows, columns = np.nonzero(texts[name] != PAPER)
        assert np.ptp(rows) > 1.2 * np.ptp(columns)


def test_colour_bar_runs_from_blue_to_red_when_read_downwards():
    layout = Layout.of(28, 128)
    pixels = np.asarray(decode(paint(random_gate((28, 128)))))
    bar = pixels[layout.top : layout.top + layout.units.pixels, layout.bar_left + 3].astype(int)
    assert (bar[0], bar[-1]) == (200, 0)
    assert (np.diff(bar) <= 0).all()


@pytest.mark.parametrize("shape", BIG_SHAPES)
def test_cells_are_means_of_blocks_when_data_are_larger_than_the_picture(shape):
    values = random_gate(shape, 3)
    layout = Layout.of(*shape)
    found = cells(paint(values), shape)
    blocks = layout.time.block, layout.units.block
    assert found.shape == (layout.units.drawn, layout.time.drawn)
    for row, column in np.random.default_rng(0).integers(found.shape, size=(50, 2)).tolist():
        time, unit = column * blocks[0], row * blocks[1]
        mean = values[time : time + blocks[0], unit : unit + blocks[1]].mean()
        assert abs(int(found[row, column]) - mean * 200) <= 0.51


@pytest.mark.parametrize("value", [np.nan, np.inf, 7.0])
def test_mark_stays_visible_when_it_is_one_of_a_block(value):
    values = random_gate((1000, 512))
    values[501, 301] = value
    found = cells(paint(values), (1000, 512))
    mark = OUTSIDE_INDEX if value == 7 else NOT_FINITE_INDEX
    layout = Layout.of(1000, 512)
    assert np.argwhere(found == mark).tolist() == [
        [301 // layout.units.block, 501 // layout.time.block]
    ]


def test_masked_steps_stay_out_of_means_when_they_share_a_block():
    values = np.full((1000, 3), 0.25)
    mask = np.arange(1000) < 501
    values[~mask] = 1
    found = cells(paint(values, mask=mask), (1000, 3))
    valid = -(-501 // Layout.of(1000, 3).time.block)
    assert 1 < valid < found.shape[1]
    assert set(found[:, :valid].ravel()) == {50}
    assert np.isin(found[:, valid:], HATCH).all()


def test_axis_says_so_when_steps_are_averaged():
    assert Axis.fitted("timestep", 600, target=600).label == "timestep"
    assert Axis.fitted("unit", 513, target=300).label == "unit (means of 2)"


@pytest.mark.parametrize("count", [*range(1, 40), 299, 301, 600, 601, 899, 1201, 100_000])
def test_axis_is_neither_sliver_nor_giant_when_count_is_any(count):
    axis = Axis.fitted("timestep", count, target=600)
    assert 400 <= axis.pixels <= 800
    ticks = axis.ticks(55)
    assert 0 in ticks
    assert all(0 <= index < count and 0 <= x < axis.pixels for index, x in ticks.items())
    assert len(ticks) <= axis.pixels // 55 + 1


@pytest.mark.parametrize("shape", [*SHAPES, *BIG_SHAPES])
@pytest.mark.parametrize("value", [0.0, 0.5, 1.0, np.nan, np.inf])
def test_area_is_flat_and_nothing_warns_when_the_array_is_constant(shape, value):
    with np.errstate(all="raise"):
        png = paint(np.full(shape, value))
    expected = NOT_FINITE_INDEX if not np.isfinite(value) else round(200 * value)
    assert set(np.unique(area(png, shape))) == {expected}


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.int64])
def test_picture_is_the_same_when_the_dtype_is_another(dtype):
    values = np.random.default_rng(0).integers(0, 2, (6, 5))
    assert paint(values.astype(dtype)) == paint(values.astype(np.float64))


def test_array_and_mask_are_not_written_to_when_painted():
    values, mask = random_gate((700, 6)), np.arange(700) > 9
    values[3, 3] = np.nan
    values.setflags(write=False)
    mask.setflags(write=False)
    paint(values, mask=mask)
    paint(values.astype(np.float32)[:, ::-1], mask=mask)


def test_pictures_do_not_touch_each_other_when_one_painter_paints_all():
    painter = HeatmapPainter()
    first, second = random_gate((10, 6), 1), random_gate((10, 6), 2)
    alone = paint(first, layer="a long name of a layer", step=10)
    marked = paint(second, painter=painter, mask=np.arange(10) > 4, step=999)
    assert paint(first, painter=painter, layer="a long name of a layer", step=10) == alone
    assert marked != alone


def test_frames_are_bounded_when_shapes_are_many():
    painter = HeatmapPainter()
    for timesteps in range(1, 80):
        paint(random_gate((timesteps, 2)), painter=painter)
    info = painter._frame.cache_info()
    assert (info.misses, info.currsize) == (79, info.maxsize)


def test_lines_of_text_are_bounded_when_layers_are_many():
    painter, values = HeatmapPainter(), random_gate((5, 2))
    for number in range(1100):
        paint(values, painter=painter, layer=f"layer_{number}")
    for cache in (canvas._ink, canvas._width):
        info = cache.cache_info()
        assert (info.currsize, info.misses >= 1100) == (info.maxsize, True)


def test_frame_is_drawn_once_when_step_and_layer_change():
    painter = HeatmapPainter()
    for step in range(5):
        paint(random_gate((5, 2), step), painter=painter, layer=f"lstm_{step}", step=step)
    assert painter._frame.cache_info().misses == 1


def test_pictures_are_the_same_when_painted_on_threads():
    painter, arrays = HeatmapPainter(), [random_gate((28, 30), seed) for seed in range(40)]
    expected = [paint(array, step=7) for array in arrays]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda array: paint(array, painter=painter, step=7), arrays))
    assert found == expected


@pytest.mark.parametrize("shape", [(0, 5), (5, 0), (0, 0), (5,), (2, 3, 4)])
def test_array_is_refused_when_there_is_nothing_to_paint(shape):
    with pytest.raises(LstmProbeError, match="nothing to paint"):
        paint(np.zeros(shape))


@pytest.mark.parametrize("shape", [(4,), (5, 1), ()])
def test_mask_is_refused_when_its_shape_is_another(shape):
    with pytest.raises(LstmProbeError, match=r"mask does not fit.*Expected: \(5,\)"):
        paint(np.zeros((5, 3)), mask=np.ones(shape, bool))


def test_picture_is_the_same_when_the_user_has_a_style():
    values = random_gate((28, 30))
    plain = paint(values)
    style = {"figure.facecolor": "black", "font.size": 30, "axes.grid": True, "image.cmap": "jet"}
    with mpl.rc_context(style):
        assert paint(values) == plain


def test_pyplot_is_not_loaded_and_styles_are_unchanged_when_painting():
    code = """
import sys, numpy, matplotlib
styles = lambda: {k: matplotlib.rcParams[k] for k in matplotlib.rcParams if k != "backend"}
before = styles()  # without the backend: reading it loads pyplot
from lstm_probe.pictures import HeatmapPainter, canvas
HeatmapPainter().paint(numpy.zeros((5, 3)), interval=None, letter="c")
assert styles() == before, "rcParams"
assert "matplotlib.pyplot" not in sys.modules, "pyplot"
assert "matplotlib.figure" not in sys.modules, "figure"
"""
    subprocess.run([sys.executable, "-c", code], check=True)
