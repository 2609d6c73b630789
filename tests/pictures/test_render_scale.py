"""Which value has which colour, whatever the data."""

import warnings

import numpy as np
import pytest
from matplotlib import colormaps

from lstm_probe import LstmProbeError
from lstm_probe.pictures import Scale
from lstm_probe.pictures.palette import colour_map, grey_indices, level_indices, palette

pytestmark = pytest.mark.filterwarnings("error")

INTERVALS = [(0.0, 1.0), (-1.0, 1.0), (0.0, 6.0), (-0.3, 7.5), (0.0, 0.1)]


@pytest.mark.parametrize("interval", INTERVALS)
def test_positions_are_even_when_interval_is_bounded(interval):
    low, high = interval
    values = np.random.default_rng(0).uniform(low, high, 100)
    expected = [(value - low) / (high - low) for value in values.tolist()]
    np.testing.assert_allclose(Scale(interval).positions(values), expected, rtol=1e-12)


def test_positions_follow_tanh_when_values_are_not_bounded():
    values = np.random.default_rng(0).normal(size=100) * 3
    sigmoid_of_twice = 1 / (1 + np.exp(-2 * values))
    np.testing.assert_allclose(Scale(None).positions(values), sigmoid_of_twice, rtol=1e-7)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("interval", [*INTERVALS, None])
def test_extreme_values_do_not_warn_when_dtype_is_narrow_or_wide(dtype, interval):
    largest = np.finfo(dtype).max
    values = np.array([-largest, largest, np.nan, np.inf, -np.inf], dtype)
    expected = [0.0, 1.0] if interval is None else [np.inf, np.inf]
    with np.errstate(all="raise"):
        positions = Scale(interval).positions(values)
    np.testing.assert_array_equal(positions, [*expected, np.nan, np.nan, np.nan])


def test_value_is_not_marked_when_only_rounding_led_outside():
    values = np.array([-1e-7, 1 + 1e-7, -0.01, 1.01])
    assert Scale((0.0, 1.0)).positions(values).tolist() == [0.0, 1.0, np.inf, np.inf]


@pytest.mark.parametrize("interval", [(1.0, 1.0), (2.0, 1.0), (0.0, np.inf), (np.nan, 1.0)])
def test_scale_is_refused_when_interval_is_none(interval):
    with pytest.raises(LstmProbeError, match=r"Received: the interval .* Expected: \(low, high\)"):
        Scale(interval)


@pytest.mark.parametrize("interval", [*INTERVALS, None])
def test_figures_agree_with_pictures_when_scale_is_the_same(interval):
    scale = Scale(interval)
    values = np.linspace(*((-4, 4) if interval is None else interval), 57)
    np.testing.assert_allclose(scale.norm()(values), scale.positions(values), atol=1e-8)


def test_ticks_are_in_real_units_when_scale_is_tanh():
    scale = Scale(None)
    assert scale.ticks == (-3, -1, -0.5, 0, 0.5, 1, 3)
    assert scale.tick_labels == ("−3", "−1", "−0.5", "0", "0.5", "1", "3")  # noqa: RUF001


def test_palette_holds_no_colour_twice_when_marks_are_added():
    colours = {tuple(colour) for colour in palette()[:205].tolist()}
    assert palette().shape == (256, 3)
    assert len(colours) == 205


@pytest.mark.parametrize("position", [0.0, 0.1, 0.25, 0.5, 0.77, 1.0])
def test_level_has_the_colour_of_the_map_when_position_is_inside(position):
    colour = palette()[level_indices(np.array(position))].astype(int)
    expected = np.array(colormaps["RdBu"](position, bytes=True)[:3], int)
    assert np.abs(colour - expected).max() <= 5


def test_low_is_red_and_high_is_blue_when_map_is_rdbu():
    low, high = palette()[level_indices(np.array([0.05, 0.95]))].astype(int)
    assert low[0] > 2 * low[2]
    assert high[2] > 2 * high[0]


def test_grey_is_near_when_shade_is_any():
    shades = np.arange(256, dtype=np.uint8)
    greys = palette()[grey_indices(shades)].astype(int)
    assert np.abs(greys - shades[:, None]).max() <= 3


def test_marks_are_the_same_when_matplotlib_draws_them():
    drawn = colour_map()(np.array([np.nan, 1.5, -0.5]), bytes=True)[:, :3]
    marks = palette()[level_indices(np.array([np.nan, np.inf, np.inf]))]
    np.testing.assert_array_equal(drawn, marks)
    assert colour_map().name == "RdBu"


def test_map_of_the_user_is_unchanged_when_marks_are_added():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # reading `bad` is pending deprecation in some versions
        before = colormaps["RdBu"](np.array([np.nan, 2.0]))
        colour_map()
        np.testing.assert_array_equal(colormaps["RdBu"](np.array([np.nan, 2.0])), before)
