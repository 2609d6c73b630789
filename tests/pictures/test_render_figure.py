"""Figures for paper and notebook."""

import gc
import io
import subprocess
import sys
import weakref

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from lstm_probe import GateTrace, LstmProbeError
from lstm_probe.pictures import Scale
from lstm_probe.pictures.figure import plot_trace
from lstm_probe.pictures.palette import NOT_FINITE_INDEX, palette

pytestmark = pytest.mark.filterwarnings("error")

RANGES = {"i": (0, 1), "f": (0, 1), "g": (-1, 1), "o": (0, 1), "c": None, "h": (-1, 1)}


def make_trace(batch=2, timesteps=12, units=5, **keywords):
    rng = np.random.default_rng(0)
    arrays = {
        letter: rng.normal(size=(batch, timesteps, units)) * 2
        if interval is None
        else rng.uniform(*interval, size=(batch, timesteps, units))
        for letter, interval in RANGES.items()
    }
    return GateTrace(arrays, RANGES, **{"layer": "bi/forward_lstm", "step": 300, **keywords})


def heatmaps(figure):
    return [axes for axes in figure.axes if axes.get_xlabel()]


def bars(figure):
    return [axes for axes in figure.axes if not axes.get_xlabel()]


def pixels(figure, dpi=100):
    file = io.BytesIO()
    figure.savefig(file, format="rgba", dpi=dpi)
    width, height = (int(size * dpi) for size in figure.get_size_inches())
    return np.frombuffer(file.getvalue(), np.uint8).reshape(height, width, 4)[..., :3]


def test_heatmap_is_labelled_when_one_letter_is_plotted():
    figure = plot_trace(make_trace(), "f")
    (axes,), (bar,) = heatmaps(figure), bars(figure)
    assert isinstance(figure, Figure)
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("timestep", "unit")
    assert axes.get_title() == "bi/forward_lstm  ·  forget gate f  ·  step 300"
    assert axes.images[0].get_cmap().name == "RdBu"
    assert bar.get_ylabel() == "forget gate f"


def test_every_letter_has_a_heatmap_and_a_bar_when_all_are_plotted():
    figure = make_trace().plot()
    labels = ["input gate i", "forget gate f", "candidate g", "output gate o"]
    titles = [*labels, "cell state c", "hidden state h"]
    assert [axes.get_title() for axes in heatmaps(figure)] == titles
    assert len({axes.images[0].get_array().tobytes() for axes in heatmaps(figure)}) == 6
    assert figure.get_suptitle() == "bi/forward_lstm  ·  step 300"
    assert len(bars(figure)) == 6


@pytest.mark.parametrize("sequence", [0, 1])
def test_values_are_units_by_time_of_the_sequence_when_plotted(sequence):
    trace = make_trace()
    (axes,) = heatmaps(plot_trace(trace, "c", sequence=sequence))
    np.testing.assert_array_equal(axes.images[0].get_array(), trace.c[sequence].T)
    assert axes.get_ylim() == (4.5, -0.5)
    assert axes.get_xlim() == (-0.5, 11.5)


@pytest.mark.parametrize("letter", RANGES)
def test_colours_are_those_of_the_pictures_when_plotted(letter):
    trace = make_trace()
    (axes,) = heatmaps(plot_trace(trace, letter))
    drawn = axes.images[0].to_rgba(trace[letter][0], bytes=True)[..., :3].astype(int)
    positions = Scale(RANGES[letter]).positions(trace[letter][0])
    pictured = palette()[np.round(positions * 200).astype(int)].astype(int)
    assert np.abs(drawn - pictured).max() <= 6


def test_bar_is_in_real_units_when_values_are_not_bounded():
    figure = plot_trace(make_trace(), "c")
    (bar,) = bars(figure)
    figure.draw_without_rendering()
    assert bar.get_yticks().tolist() == [-3, -1, -0.5, 0, 0.5, 1, 3]
    assert [label.get_text() for label in bar.get_yticklabels()][0::3] == ["−3", "0", "3"]  # noqa: RUF001
    assert bar.get_ylabel() == "cell state c, tanh scale"


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("letter", ["f", "c"])
def test_cell_is_marked_and_counted_when_not_finite(value, letter):
    trace = make_trace()
    trace[letter][0, 3, 2] = value
    figure = plot_trace(trace, letter)
    mark = palette()[NOT_FINITE_INDEX]
    marked = (pixels(figure) == mark).all(axis=-1).mean()
    assert 0.5 / 60 < marked < 1 / 60
    assert [text.get_text() for text in heatmaps(figure)[0].texts] == [
        "1 NaN/inf cell marked green"
    ]


def test_cell_is_marked_only_when_more_than_rounding_led_outside():
    trace = make_trace()
    trace.f[0, 0, 0], trace.f[0, 1, 0], trace.f[0, 2, 0] = 1.2, 1 + 1e-7, -1e-7
    (axes,) = heatmaps(plot_trace(trace, "f"))
    first_row = axes.images[0].get_array()[0, :3].tolist()
    assert first_row == [1.2, 1.0, 0.0]
    assert axes.texts[0].get_text() == "1 value outside 0 to 1 marked yellow"
    assert to_hex(axes.images[0].to_rgba(np.array([1.2]))[0]) == "#ffc800"


def test_steps_are_hatched_when_masked():
    mask = np.array([[True] * 12, [False] * 2 + [True] * 5 + [False] + [True] * 2 + [False] * 2])
    trace = make_trace(mask=mask)
    assert not heatmaps(plot_trace(trace, "f"))[0].collections
    (axes,) = heatmaps(plot_trace(trace, "f", sequence=1))
    (hatch,) = axes.collections
    spans = [tuple(path.get_extents().intervalx.tolist()) for path in hatch.get_paths()]
    assert spans == [(-0.5, 1.5), (6.5, 7.5), (9.5, 11.5)]
    assert hatch.get_hatch() == "////"
    assert (axes.get_xlim(), axes.get_ylim()) == ((-0.5, 11.5), (4.5, -0.5))
    assert axes.texts[0].get_text() == "5 masked steps hatched"


def test_everything_is_hatched_when_all_steps_are_masked():
    trace = make_trace(mask=np.zeros((2, 12), bool))
    (axes,) = heatmaps(plot_trace(trace, "f"))
    (path,) = axes.collections[0].get_paths()
    assert path.get_extents().intervalx.tolist() == [-0.5, 11.5]


@pytest.mark.parametrize(("letters", "word"), [("x", "'x'"), (["f", "q"], "'q'"), ("", "letters")])
def test_letters_are_refused_when_the_trace_has_no_such(letters, word):
    with pytest.raises(LstmProbeError, match=rf"Received: .*{word}.* Expected"):
        plot_trace(make_trace(), letters)


@pytest.mark.parametrize("sequence", [-1, 2, 100])
def test_sequence_is_refused_when_out_of_range(sequence):
    with pytest.raises(LstmProbeError, match=rf"Received: {sequence}\. Expected: from 0 to 1"):
        plot_trace(make_trace(), "f", sequence=sequence)


@pytest.mark.parametrize("shape", [(1, 0, 3), (1, 3, 0), (0, 3, 3)])
def test_trace_is_refused_when_it_is_empty(shape):
    with pytest.raises(LstmProbeError, match="Received"):
        plot_trace(GateTrace({"h": np.zeros(shape)}, {"h": None}), "h")


@pytest.mark.parametrize("shape", [(1, 1), (28, 128), (302, 30), (1000, 512)])
@pytest.mark.parametrize("value", [0.0, np.nan])
def test_figure_is_drawn_without_warning_when_array_is_constant(shape, value):
    trace = GateTrace({"c": np.full((1, *shape), value)}, {"c": None})
    assert len(np.unique(pixels(trace.plot("c")).reshape(-1, 3), axis=0)) > 2


def interior(figure):
    """The colours inside of the first heatmap, `(pixels, 3)`."""
    drawn = pixels(figure)
    x0, y0, x1, y1 = (round(edge) for edge in figure.axes[0].get_window_extent().extents)
    return drawn[len(drawn) - y1 + 3 : len(drawn) - y0 - 3, x0 + 3 : x1 - 3].reshape(-1, 3)


def test_cells_have_sharp_edges_when_there_is_room():
    values = np.random.default_rng(0).integers(0, 2, (1, 302, 30)).astype(float)
    colours = np.unique(interior(GateTrace({"f": values}, {"f": (0, 1)}).plot("f")), axis=0)
    assert len(colours) == 2


def test_means_are_of_values_and_not_of_colours_when_there_is_no_room():
    values = np.random.default_rng(0).integers(0, 2, (1, 3000, 1500)).astype(float)
    colours = interior(GateTrace({"f": values}, {"f": (0, 1)}).plot("f")).astype(int)
    distance = np.abs(colours[:2000, None] - palette()[:201].astype(int)).max(axis=-1)
    assert distance.min(axis=-1).max() <= 6
    assert len(np.unique(colours, axis=0)) > 20


@pytest.mark.parametrize("extension", ["png", "pdf", "svg"])
def test_file_is_written_when_figure_is_saved(tmp_path, extension):
    path = tmp_path / f"gates.{extension}"
    make_trace(mask=np.ones((2, 12), bool)).plot().savefig(path)
    assert path.stat().st_size > 5000


def test_png_is_given_when_a_notebook_asks():
    assert plot_trace(make_trace(), "f")._repr_png_().startswith(b"\x89PNG\r\n")


def test_figure_is_freed_when_no_one_holds_it():
    figure = plot_trace(make_trace(), "f")
    pixels(figure)
    reference = weakref.ref(figure)
    del figure
    gc.collect()
    assert reference() is None


def test_arrays_are_not_written_to_when_plotted():
    trace = make_trace()
    trace.c[0, 0, 0] = np.inf
    for array in trace.arrays.values():
        array.setflags(write=False)
    pixels(trace.plot())
    assert trace.c[0, 0, 0] == np.inf


def test_pyplot_is_not_loaded_and_styles_are_unchanged_when_plotting():
    code = """
import sys, numpy, matplotlib, io
import lstm_probe
styles = lambda: {k: matplotlib.rcParams[k] for k in matplotlib.rcParams if k != "backend"}
before = styles()  # without the backend: reading it loads pyplot
trace = lstm_probe.GateTrace({"f": numpy.zeros((1, 5, 3))}, {"f": None})
trace.plot("f").savefig(io.BytesIO())
assert styles() == before, "rcParams"
assert "matplotlib.pyplot" not in sys.modules, "pyplot"
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_heatmap_is_not_disturbed_when_the_user_has_a_style():
    trace = make_trace(timesteps=13, mask=np.arange(26).reshape(2, 13) > 3)
    with mpl.rc_context({"axes.grid": True, "axes.autolimit_mode": "round_numbers"}):
        (axes,) = heatmaps(plot_trace(trace, "f"))
        assert (axes.get_xlim(), axes.get_ylim()) == ((-0.5, 12.5), (4.5, -0.5))
    assert not any(line.get_visible() for line in axes.get_xgridlines())
