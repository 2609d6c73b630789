"""Names of timesteps and sequences in pictures, figures and notebooks."""

from __future__ import annotations

from dataclasses import replace
from io import BytesIO
from typing import Any

import event_reading
import numpy as np
import pytest
import samples
from PIL import Image

from lstm_probe import GateTrace, LstmProbeError, analyse
from lstm_probe.logs.tags.pictures import picture_values
from lstm_probe.pictures import HeatmapPainter
from lstm_probe.pictures.layout import Layout
from lstm_probe.pictures.mosaic import paint_mosaic
from lstm_probe.pictures.notebook import trace_html

pytestmark = pytest.mark.filterwarnings("error")

ODD = (
    "a\nline",
    "$5$",
    "cinematography",
    "\N{CJK UNIFIED IDEOGRAPH-6771}",
    "",
    "x" * 500,
    "\ud800",
)
WORDS = (("mon", "tue", "wed", "thu", "fri", "sat", "sun"), ODD)
NAMES = ("a week", "odd $names$")


def labelled(labels: Any = WORDS, names: Any = NAMES) -> GateTrace:
    gate = np.random.default_rng(0).uniform(size=(2, 7, 5))
    arrays = dict.fromkeys("ifgoch", gate)
    return GateTrace(arrays, dict.fromkeys("ifgoch", (0.0, 1.0)), "lstm", labels=labels,
                     sequence_names=names, layer="memory")  # fmt: skip


def pixels(picture: Any) -> Any:
    return np.asarray(Image.open(BytesIO(picture.data)).convert("RGB"))


def paint(labels: Any) -> Any:
    gate = labelled().f[0]
    return HeatmapPainter().paint(gate, interval=(0.0, 1.0), letter="f", labels=labels)


def test_a_picture_with_names_shows_the_same_gates_and_other_words() -> None:
    plain, named, other = (pixels(paint(labels)) for labels in (None, *WORDS))
    layout = Layout.of(7, 5)
    below = layout.top + layout.units.pixels
    for picture in (named, other):
        np.testing.assert_array_equal(picture[:below, : layout.width], plain[:below])
        assert len(picture) > len(plain)
    height = min(len(named), len(other))
    assert (named[below:height] != other[below:height]).any()


def test_a_name_stands_below_its_own_timestep() -> None:
    named, without = (
        pixels(paint(words)) for words in (WORDS[0], (*WORDS[0][:3], "", *WORDS[0][4:]))
    )
    layout = Layout.of(7, 5)
    assert named.shape == without.shape
    columns = np.flatnonzero((named != without).any(axis=(0, 2))) - layout.left
    cell = layout.time.cell
    assert columns.size
    assert ((columns >= 3 * cell) & (columns < 4 * cell)).all()


def test_names_have_room_where_timesteps_are_narrow() -> None:
    gate = np.random.default_rng(0).uniform(size=(200, 5))
    words = [f"word{t}" for t in range(200)]
    painter = HeatmapPainter()
    named = pixels(painter.paint(gate, interval=(0.0, 1.0), letter="f", labels=words))
    # Of the 7 timesteps that one name covers, only the first is written.
    words[1] = "another"
    again = pixels(painter.paint(gate, interval=(0.0, 1.0), letter="f", labels=words))
    np.testing.assert_array_equal(named, again[: len(named)])


def test_means_of_timesteps_have_numbers_and_no_names() -> None:
    gate = np.random.default_rng(0).uniform(size=(900, 5))
    painter = HeatmapPainter()
    plain, named = (
        painter.paint(gate, interval=(0.0, 1.0), letter="f", labels=labels)
        for labels in (None, ["w"] * 900)
    )
    assert plain.data == named.data


def test_names_of_another_number_are_refused() -> None:
    with pytest.raises(LstmProbeError, match=r"labels do not fit. Received: 6. Expected: 7"):
        paint(WORDS[0][1:])


def test_images_have_the_names_of_the_first_sequence(rng: np.random.Generator) -> None:
    one = analyse(samples.snapshot(rng))
    named = replace(one, trace=replace(one.trace, labels=WORDS, sequence_names=NAMES))
    seen = [
        {value.tag: value for value in picture_values(each, HeatmapPainter())}
        for each in (one, named)
    ]
    for tag in seen[0]:
        plain, other = (event_reading.array(values[tag])[2] for values in seen)
        assert (plain == other) == (tag == "memory/health/saturation")
    about = seen[1]["memory/gates/1_i"].metadata.summary_description
    assert about == "Input gate i along the probe's first sequence, a week."


@pytest.mark.parametrize("letters", ["f", "ifgoch"])
def test_a_figure_names_the_timesteps_of_the_sequence_that_it_shows(letters: str) -> None:
    for sequence, expected in enumerate(
        (list(WORDS[0]), ["a line", "$5$", "cinematogra…", "3", "xxxxxxxxxxx…", "6"])
    ):
        figure = labelled().plot(letters, sequence=sequence)
        figure.savefig(BytesIO())
        for axes in (axes for axes in figure.axes if axes.get_xlabel()):
            assert [label.get_text() for label in axes.get_xticklabels()] == expected
            named = [t for t, word in enumerate(WORDS[sequence]) if word]
            assert axes.get_xticks().tolist() == named
        title = figure.get_suptitle() or figure.axes[0].get_title()
        assert NAMES[sequence] in title.replace("\\$", "$")


def test_a_notebook_names_sequence_and_timesteps() -> None:
    html = trace_html(labelled(names=("a <week>", "other")))
    assert "of the first sequence, a &lt;week&gt;." in html
    assert "of the first sequence." in trace_html(labelled(names=None))
    plain, named = (paint_mosaic(labelled(labels)) for labels in (None, WORDS))
    assert named.height > plain.height
    np.testing.assert_array_equal(pixels(named)[: plain.height - 4], pixels(plain)[:-4])
    other = pixels(paint_mosaic(labelled(), sequence=1))
    assert (pixels(named)[plain.height :] != other[plain.height : named.height]).any()
