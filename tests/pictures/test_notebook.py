from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from base64 import b64decode
from dataclasses import replace
from html.parser import HTMLParser
from io import BytesIO

import numpy as np
import pytest
import samples
from PIL import Image

from lstm_probe import Analysis, GateTrace, LstmProbeError, analyse
from lstm_probe.pictures.mosaic import paint_mosaic
from lstm_probe.pictures.palette import NOT_FINITE_INDEX, palette


class _Page(HTMLParser):
    """The cells of the tables, the pictures, and the tags in their nesting."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.cells: list[str] = []
        self.pictures: list[dict[str, str | None]] = []
        self._open: list[str] = []
        self.tags: set[str] = set()
        self.feed(html)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        if tag == "img":
            self.pictures.append(dict(attrs))
        else:
            self._open.append(tag)
            if tag in ("td", "th"):
                self.cells.append("")

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self._open[-1] in ("td", "th"):
            self.cells[-1] += data

    def picture(self) -> Image.Image:
        (picture,) = self.pictures
        kind, _, data = str(picture["src"]).partition(",")
        assert kind == "data:image/png;base64"
        image = Image.open(BytesIO(b64decode(data, validate=True)))
        assert (str(image.width), str(image.height)) == (picture["width"], picture["height"])
        return image


@pytest.fixture
def analysis(rng: np.random.Generator) -> Analysis:
    return analyse(samples.snapshot(rng, step=300, time=40))


def test_what_the_gates_say_stands_first(rng: np.random.Generator) -> None:
    analysis = analyse(samples.snapshot(rng))
    html = analysis._repr_html_()
    _Page(html)
    said = [answer.text for answer in analysis.answers()]
    assert len(said) >= 3
    assert re.findall(r"<li>(.*?)</li>", html) == said
    assert html.index("</ul>") < html.index("<table")


def test_an_analysis_shows_parity_health_and_a_picture(analysis: Analysis) -> None:
    page = _Page(analysis._repr_html_())
    for fact in ("memory", "lstm", "5", "2 × 40", "300", "0.0e+00: match"):
        assert fact in page.cells
    gate = analysis.health.gates["f"]
    row = page.cells[page.cells.index("forget gate f") :][:5]
    assert row[1:] == [
        f"{gate.mean.mean():.2f}",
        f"{gate.low.mean():.0%}",
        f"{gate.high.mean():.0%}",
        "0",
    ]
    assert page.picture().width > 600


def test_a_trace_shows_itself_without_an_analysis(analysis: Analysis) -> None:
    page = _Page(analysis.trace._repr_html_())
    assert "memory" in page.cells
    assert len(page.pictures) == 1


def test_names_are_escaped_when_a_layer_is_named_after_a_tag(analysis: Analysis) -> None:
    name = '"><script>alert(1)</script>'
    trace = replace(analysis.trace, layer=name, cell="<b>")
    for html in (trace._repr_html_(), replace(analysis, trace=trace)._repr_html_()):
        page = _Page(html)
        assert name in page.cells
        assert page.tags - {"ul", "li"} == {"div", "table", "tr", "th", "td", "img"}
        assert name in str(page.pictures[0]["alt"])


def test_a_mismatch_and_a_nan_are_said(rng: np.random.Generator) -> None:
    snapshot = samples.snapshot(rng)
    wrong = analyse(replace(snapshot, output=snapshot.output + 0.1))
    assert "mismatch" in wrong._repr_html_()
    x = snapshot.x.copy()
    x[0, 3] = np.nan
    html = analyse(replace(snapshot, x=x))._repr_html_()
    assert "first NaN or infinity" in html
    assert "timestep 3 of sequence 0, from: input" in html


def test_only_h_is_shown_when_nothing_was_recomputed(rng: np.random.Generator) -> None:
    html = analyse(replace(samples.snapshot(rng), cell=None))._repr_html_()
    assert "only h is shown" in html


def test_there_is_no_picture_when_there_are_no_timesteps() -> None:
    trace = GateTrace({"h": np.zeros((1, 0, 3))}, {"h": None})
    assert _Page(trace._repr_html_()).pictures == []


def test_a_large_layer_gives_a_small_picture(rng: np.random.Generator) -> None:
    arrays = {letter: rng.uniform(size=(1, 1500, 700)) for letter in "ifgoch"}
    page = _Page(GateTrace(arrays, dict.fromkeys(arrays, (0.0, 1.0)))._repr_html_())
    image = page.picture()
    assert image.width < 1100
    assert image.height < 500


def test_mosaic_marks_nan_and_keeps_the_gates_apart(rng: np.random.Generator) -> None:
    f, h = np.ones((1, 4, 2)), np.full((1, 4, 2), -1.0)
    f[0, 2, 1] = np.nan
    trace = GateTrace({"f": f, "h": h}, {"f": (0.0, 1.0), "h": (-1.0, 1.0)})
    image = Image.open(BytesIO(paint_mosaic(trace).data)).convert("RGB")
    pixels = np.asarray(image)
    left, right = pixels[25:, : image.width // 2 - 10], pixels[25:, image.width // 2 + 10 :]
    colours = palette()
    assert (left == colours[200]).all(axis=2).any()
    assert (left == colours[NOT_FINITE_INDEX]).all(axis=2).any()
    assert not (left == colours[0]).all(axis=2).any()
    assert (right == colours[0]).all(axis=2).any()


@pytest.mark.parametrize("sequence", [-1, 2])
def test_mosaic_refuses_a_sequence_that_is_not_there(sequence: int) -> None:
    trace = GateTrace({"h": np.zeros((2, 4, 2))}, {"h": None})
    with pytest.raises(LstmProbeError, match=r"sequence.*Expected: a sequence of the batch"):
        paint_mosaic(trace, sequence=sequence)


def test_no_figure_is_made_when_a_trace_shows_itself() -> None:
    code = (
        "import sys, numpy as np, lstm_probe; "
        "lstm_probe.GateTrace({'h': np.zeros((1, 5, 2))}, {'h': None})._repr_html_(); "
        "print(*sys.modules)"
    )
    loaded = subprocess.run(
        [sys.executable, "-c", code],
        check=True,
        capture_output=True,
        text=True,
        cwd=tempfile.gettempdir(),
    ).stdout.split()
    assert "lstm_probe.pictures.mosaic" in loaded
    assert not {"matplotlib.pyplot", "matplotlib.figure"}.intersection(loaded)
    assert not [name for name in loaded if re.match(r"tensorflow|keras|torch|pandas", name)]


def test_a_console_shows_facts_and_no_arrays(rng: np.random.Generator) -> None:
    snapshot = samples.snapshot(rng, step=300)
    trace = (
        "GateTrace(ifgoch of layer 'memory', cell 'lstm', step 300: "
        "2 sequences, 7 timesteps, 5 units)"
    )
    assert repr(analyse(snapshot)) == f"Analysis({trace}, parity error 0.0e+00: match)"
    assert repr(analyse(replace(snapshot, cell=None))).endswith("not recomputed)")
