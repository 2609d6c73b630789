"""The gate explorer as users meet it: a real training's log, TensorBoard, and a browser."""

from __future__ import annotations

import csv
import io
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import browser
import keras
import numpy as np
import pytest
import tab_logs
from tab_browser import Explorer
from tensorboard.compat.proto.summary_pb2 import DATA_CLASS_BLOB_SEQUENCE

from lstm_probe import Analysis
from lstm_probe.analysis.alerts.board import Alert
from lstm_probe.callbacks import ProbeCallback
from lstm_probe.logs import EventFile, RunLog
from lstm_probe.logs.stored.reader import RunReader
from lstm_probe.logs.stored.values import gates_value, plugin_metadata
from lstm_probe.logs.tags.values import strings_value

RUN = "training/lstm_probe"
FORWARD, BACKWARD, TOP = "both/forward_first", "both/backward_first", "top"
HOSTILE_RUN = "x <img src=x onerror=parent.hacked=1>&#'%22/lstm_probe"
HOSTILE_LAYER = "</option><script>parent.hacked=1</script>/../layer"
READ = """async (files) => {
  const { Capture } = await import(new URL("./static/capture.js", document.baseURI));
  return files.map((bytes) => {
    try {
      const capture = new Capture(Uint8Array.from(bytes).buffer);
      for (const letter of capture.letters) capture.value(letter, 0, 0, 0);
      return "read";
    } catch (error) {
      return error.constructor.name === "DamagedError" ? "DamagedError" : error.stack;
    }
  });
}"""
#: Whether each of some canvases has a few pixels of about a colour.
NEAR = """(canvases, colour) => canvases.map((canvas) => {
  const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  let count = 0;
  for (let at = 0; at < data.length; at += 4) {
    count += data[at + 3] > 150 && colour.every((part, k) => Math.abs(part - data[at + k]) < 25);
  }
  return count > 5;
})"""
INKED = "c => c.getContext('2d').getImageData(0, 0, c.width, c.height).data.some(Boolean)"
#: Half of the last of the four digits that are shown, and float32's rounding.
SHOWN = 0.5e-4 + 2**-20
#: The words of each sequence of the probe, and the sequences' names. Five steps are padding.
WORDS = [[f"{whose}{t}" for t in range(15)] + [""] * 5 for whose in ("g", "b")]
NAMES = ["a good <b>review", "a bad one, " + "at length " * 20]


class Training:
    """A small model of stacked layers, trained for a few steps with the probe attached."""

    def __init__(self, directory: Path) -> None:
        rng = np.random.default_rng(7)
        keras.utils.set_random_seed(7)
        self.x = rng.normal(size=(64, 20, 3)).astype("float32")
        self.x[:, 15:] = 0  # padding
        self.y = rng.normal(size=(64, 1))
        first = keras.layers.LSTM(12, return_sequences=True, name="first")
        self.model = keras.Sequential(
            [
                keras.Input((20, 3)),
                keras.layers.Masking(),
                keras.layers.Bidirectional(first, name="both"),
                keras.layers.GRU(8, name="top"),
                keras.layers.Dense(1),
            ]
        )
        self.model.compile("adam", "mse")
        self.probe = ProbeCallback(
            self.x[:2],
            directory / "training",
            every=4,
            detail="full",
            max_overhead=None,
            labels=[row[:15] for row in WORDS],
            names=NAMES,
            log_data=False,  # the gates alone: test_tab_probe.py has the probe's own data
        )
        self.train()

    def train(self) -> None:
        """Eight steps more."""
        self.model.fit(self.x, self.y, batch_size=8, verbose=0, callbacks=[self.probe])

    @property
    def analyses(self) -> dict[str, Analysis]:
        return dict(self.probe.analyses)


@pytest.fixture(scope="module")
def log_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("logs")


@pytest.fixture(scope="module")
def training(log_dir: Path) -> Training:
    return Training(log_dir)


@pytest.fixture(scope="module")
def explorer(training: Training, log_dir: Path) -> Iterator[Explorer]:
    tab_logs.write_run(
        log_dir / HOSTILE_RUN.removesuffix("/lstm_probe"), [0], layers=[HOSTILE_LAYER]
    )
    _damage(log_dir / "damaged")
    _alert(log_dir / "alerts")
    with (
        browser.page() as page,
        browser.tensorboard(log_dir, "--reload_interval", "1") as address,
    ):
        explorer = Explorer(page, address)
        explorer.open(run=RUN)
        yield explorer
        explorer.assert_clean()


def _damage(directory: Path) -> None:
    tab_logs.write_run(directory, [0])
    with EventFile(directory / "lstm_probe") as file:
        for step, data in [
            (1, b"<script>"),
            (2, b"\xff" * 8 + b"{}"),
            (3, b"\x02" + b"\0" * 7 + b"{}"),
        ]:
            metadata = plugin_metadata(DATA_CLASS_BLOB_SEQUENCE)
            value = strings_value("memory/capture", metadata, [data], scalar=False)
            file.write([value], step=step)


def _alert(directory: Path) -> None:
    alert = Alert("dead_units", "memory", 7, "1 of 5", 0.2, 0.1, "lower the learning rate", unit=3)
    with RunLog(directory, pictures=False) as run:
        for step, alerts in [(0, []), (7, [alert]), (9, [])]:
            run.write([tab_logs.analysis(step, step=step)], step=step, alerts=alerts)


def assert_shows(cell: dict[str, Any], analysis: Analysis, sequence: int = 0) -> None:
    """A readout equals what NumPy computed, to the stored precision."""
    place = (sequence, cell["timestep"], cell["unit"])
    trace = analysis.trace
    for letter in trace.letters:
        assert cell["values"][letter][0] == pytest.approx(float(trace[letter][place]), abs=SHOWN)
    if cell["timestep"] >= 15:  # masked
        assert "framework" not in cell["values"]
        return
    framework = float(analysis.snapshot.output[place])
    assert cell["values"]["framework"][0] == pytest.approx(framework, abs=SHOWN)
    error = framework - float(trace.h[place])
    assert cell["values"]["error"][0] == pytest.approx(error, rel=0.06, abs=1e-9)


@pytest.mark.parametrize("layer", [FORWARD, BACKWARD, TOP])
@pytest.mark.daily(1)
def test_hover_shows_numpys_values_in_every_panel(
    explorer: Explorer, training: Training, layer: str
) -> None:
    explorer.open(run=RUN, layers=[layer], step=8)
    seen = set()
    for x in (0.1, 0.28, 0.45, 0.6, 0.85):
        for y in (0.13, 0.36, 0.7):
            cell = explorer.hover(x, y)
            assert_shows(cell, training.analyses[layer])
            seen.add((cell["unit"], cell["timestep"]))
    assert len(seen) > 6


def test_a_click_chooses_a_cell_and_draws_its_curves(
    explorer: Explorer, training: Training
) -> None:
    explorer.open(run=RUN, layers=[FORWARD], step=8)
    box = explorer.inside.locator("canvas.grid").bounding_box()
    explorer.page.mouse.click(box["x"] + 0.5 * box["width"], box["y"] + 0.3 * box["height"])
    cell = explorer.chosen()
    assert_shows(cell, training.analyses[FORWARD])
    for chart in explorer.inside.locator("aside canvas.chart").all():
        chart.wait_for()
    assert f"Unit {cell['unit']} over time" in explorer.text
    explorer.page.keyboard.press("ArrowRight")
    explorer.wait(lambda: explorer.chosen()["timestep"] == cell["timestep"] + 1)
    explorer.page.keyboard.press("ArrowDown")
    explorer.wait(lambda: explorer.chosen()["unit"] == cell["unit"] + 1)


def test_the_slider_walks_through_the_training(explorer: Explorer, log_dir: Path) -> None:
    explorer.open(run=RUN, layers=[TOP], unit=3, time=9)
    log = RunReader(log_dir / "training" / "lstm_probe")
    steps = log.steps(TOP)
    slider = explorer.inside.locator("input[type=range]").first
    for index in reversed(range(len(steps))):
        explorer.wait(lambda index=index: explorer.step_text.startswith(f"step {steps[index]} "))
        expected = log.capture(TOP, steps[index]).arrays["float32/z"][0, 9, 3]
        shown = explorer.chosen()["values"]["z"][0]
        assert shown == pytest.approx(float(expected), abs=0.51e-4)
        slider.press("ArrowLeft")
    explorer.button("Play").click()
    explorer.wait(lambda: explorer.step_text.startswith(f"step {steps[-1]} "))


@pytest.mark.parametrize("layer", [FORWARD, BACKWARD, TOP])
@pytest.mark.parametrize("sequence", [0, 1])
@pytest.mark.daily(1)
def test_each_sequence_has_its_own_words(explorer: Explorer, layer: str, sequence: int) -> None:
    explorer.open(run=RUN, layers=[layer], step=8, sequence=sequence)
    picker = explorer.inside.get_by_label("Sequence of the probe")
    assert (
        picker.locator("option:checked")
        .inner_text()
        .startswith(f"{sequence}: {NAMES[sequence][:9]}")
    )
    seen = {explorer.hover(x, 0.2)["timestep"] for x in np.linspace(0.05, 0.3, 12)}
    assert len(seen) > 5
    for x in np.linspace(0.05, 0.3, 12):
        cell = explorer.hover(x, 0.2)
        word = WORDS[sequence][cell["timestep"]]
        assert cell["place"].endswith(f" “{word}”" if word else "(masked)"), cell["place"]


def test_the_probes_other_sequence_can_be_chosen(explorer: Explorer, training: Training) -> None:
    explorer.open(run=RUN, layers=[FORWARD], step=8, unit=3, time=9)
    explorer.inside.get_by_label("Sequence of the probe").select_option("1")
    expected = float(training.analyses[FORWARD].trace["f"][1, 9, 3])
    explorer.wait(lambda: abs(explorer.chosen()["values"]["f"][0] - expected) < SHOWN)


def test_padding_is_said_to_be_masked(explorer: Explorer) -> None:
    explorer.open(run=RUN, layers=[FORWARD], unit=1, time=17)
    assert "masked" in explorer.chosen()["place"]


@pytest.mark.parametrize(
    "sort", ["mean", pytest.param("horizon", marks=pytest.mark.long), "similarity"]
)
@pytest.mark.daily(1)
def test_units_are_sorted(explorer: Explorer, training: Training, sort: str) -> None:
    explorer.open(run=RUN, layers=[FORWARD], step=8)
    explorer.inside.get_by_label("Sort units by").select_option(sort)
    explorer.wait(lambda: f"sort={sort}" in explorer.page.url)
    units = []
    for y in np.linspace(0.05, 0.45, 26):
        cell = explorer.hover(0.2, float(y))
        if cell["unit"] not in units:
            units.append(cell["unit"])
    assert sorted(units) == list(range(12))
    analysis = training.analyses[FORWARD]
    if sort == "mean":
        means = analysis.trace["f"][0, :15].mean(axis=0)
        assert (np.diff(means[units]) < 2e-3).all()
    if sort == "horizon":
        horizon = analysis.health.horizon
        assert horizon is not None
        assert (np.diff(horizon[units]) <= 1e-6).all()


def test_comparison_shows_both_steps_and_their_difference(
    explorer: Explorer, training: Training, log_dir: Path
) -> None:
    explorer.open(run=RUN, layers=[TOP], step=8, compare=True, stepB=0, runB=RUN)
    log = RunReader(log_dir / "training" / "lstm_probe")
    for x in (0.2, 0.5, 0.8):  # A, B, difference
        cell = explorer.hover(x, 0.15)
        ours, theirs, difference = cell["values"]["z"]
        place = (0, cell["timestep"], cell["unit"])
        assert ours == pytest.approx(float(training.analyses[TOP].trace["z"][place]), abs=SHOWN)
        expected = float(log.capture(TOP, 0).arrays["float32/z"][place])
        assert theirs == pytest.approx(expected, abs=0.51e-4)
        assert difference == pytest.approx(theirs - ours, abs=2e-4)


def test_layers_stand_above_each_other(explorer: Explorer, training: Training) -> None:
    explorer.open(run=RUN, layers=[FORWARD, BACKWARD, TOP], step=8)
    for y, layer in [(0.15, FORWARD), (0.45, BACKWARD), (0.8, TOP)]:
        cell = explorer.hover(0.12, y)
        assert_shows(cell, training.analyses[layer])
    times = {explorer.hover(0.12, y)["timestep"] for y in (0.15, 0.45, 0.8)}
    assert len(times) == 1  # one axis of time


def test_dragging_zooms_and_the_wheel_pans(explorer: Explorer) -> None:
    explorer.open(run=RUN, layers=[FORWARD], step=8)
    mouse, box = explorer.page.mouse, explorer.inside.locator("canvas.grid").bounding_box()
    mouse.move(box["x"] + 100, box["y"] + 60)
    mouse.down()
    mouse.move(box["x"] + 180, box["y"] + 160, steps=4)
    mouse.up()
    explorer.wait(lambda: "zoom=" in explorer.page.url)
    before = explorer.hover(0.2, 0.3)
    mouse.wheel(0, 200)
    explorer.wait(lambda: explorer.hover(0.2, 0.3)["unit"] != before["unit"])
    explorer.button("Show everything").click()
    explorer.wait(lambda: "zoom=" not in explorer.page.url)


def test_every_view_is_drawn(explorer: Explorer) -> None:
    explorer.open(run=RUN, layers=[FORWARD], step=8)
    for view in ("Parity", "Saturation", "Gradient", "Memory", "Weights"):
        explorer.view(view)
        canvases = explorer.inside.locator("#view canvas")
        canvases.first.wait_for()
        explorer.wait(lambda drawn=canvases: all(each.evaluate(INKED) for each in drawn.all()))


def test_a_link_reproduces_the_view(explorer: Explorer) -> None:
    explorer.open(run=RUN, layers=[BACKWARD], step=4, unit=5, time=6, map="cividis", sequence=1)
    explorer.inside.get_by_label("Sort units by").select_option("mean")
    explorer.wait(lambda: "sort=mean" in explorer.page.url)
    link, cell = explorer.page.url, explorer.chosen()
    hovered = explorer.hover(0.3, 0.3)
    explorer.open(link)
    assert explorer.chosen() == cell
    assert explorer.step_text.startswith("step 4 ")
    assert explorer.hover(0.3, 0.3) == hovered
    assert explorer.inside.get_by_label("Colour map").input_value() == "cividis"


def test_the_theme_is_that_of_tensorboard(explorer: Explorer) -> None:
    explorer.open(run=RUN, layers=[TOP], unit=2, time=3)
    charts = explorer.inside.locator("aside canvas.chart")
    explorer.wait(lambda: charts.evaluate_all(NEAR, [0, 114, 178]) == [True] * 3)
    root = explorer.inside.locator("html")
    assert root.get_attribute("data-theme") == "light"
    light = explorer.inside.locator("body").evaluate("b => getComputedStyle(b).backgroundColor")
    explorer.page.evaluate("document.body.classList.add('dark-mode')")
    explorer.wait(lambda: root.get_attribute("data-theme") == "dark")
    dark = explorer.inside.locator("body").evaluate("b => getComputedStyle(b).backgroundColor")
    assert light != dark
    explorer.wait(lambda: charts.evaluate_all(NEAR, [86, 180, 233]) == [True] * 3)


def test_picture_and_data_are_saved(explorer: Explorer, training: Training) -> None:
    explorer.open(run=RUN, layers=[TOP], step=8)
    explorer.inside.locator("summary[aria-label^=Save]").click()
    with explorer.page.expect_download() as picture:
        explorer.button("Save this view as a picture").click()
    assert Path(picture.value.path()).read_bytes().startswith(b"\x89PNG")
    for kind in ("npz", "CSV"):
        with explorer.page.expect_download() as download:
            explorer.inside.get_by_role("link", name=kind).click()
        data = Path(download.value.path()).read_bytes()
        if kind == "npz":
            z = np.load(io.BytesIO(data))["float32/z"]
        else:
            rows = list(csv.DictReader(data.decode().splitlines()))
            z = np.array([float(row["z"]) for row in rows]).reshape(2, 20, 8)
        np.testing.assert_allclose(z, training.analyses[TOP].trace["z"], atol=SHOWN)


@pytest.mark.parametrize(
    ("state", "says"),
    [
        ({"run": "no such run"}, "No such run"),
        ({"run": RUN, "layers": ["no such layer"]}, "No such layer"),
        ({"run": "damaged/lstm_probe", "step": 1}, "damaged"),
        ({"run": "damaged/lstm_probe", "step": 2}, "damaged"),
        ({"run": "damaged/lstm_probe", "step": 3}, "damaged"),
        ({"run": RUN, "step": "NaN", "zoom": "9,9", "view": "<b>", "unit": "-1e9"}, "match"),
    ],
)
def test_what_is_not_there_is_said_in_words(
    explorer: Explorer, state: dict[str, Any], says: str
) -> None:
    explorer.open(**state)
    explorer.wait(lambda: says in explorer.text)


def test_names_are_text_and_never_markup(explorer: Explorer) -> None:
    explorer.open(run=HOSTILE_RUN)
    cell = explorer.hover(0.3, 0.3)
    assert cell["values"]["f"][0] == pytest.approx(
        float(tab_logs.analysis(0).trace["f"][0, cell["timestep"], cell["unit"]]), abs=SHOWN
    )
    assert HOSTILE_LAYER in explorer.text
    assert explorer.page.evaluate("window.hacked") is None
    assert explorer.inside.locator("img").count() == 0


def test_an_alert_is_a_mark_on_the_slider_that_leads_to_it(explorer: Explorer) -> None:
    explorer.open(run="alerts/lstm_probe", step=0)
    mark = explorer.inside.locator(".mark")
    assert mark.get_attribute("title").startswith("dead_units: layer 'memory', unit 3, step 7")
    mark.click()
    explorer.wait(lambda: explorer.step_text.startswith("step 7 "))
    assert explorer.chosen()["unit"] == 3
    assert "lower the learning rate" in explorer.inside.locator(".alerts").inner_text()


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.daily(1)
def test_no_bytes_break_the_page(explorer: Explorer, seed: int) -> None:
    explorer.open(run=RUN, layers=[TOP], step=8)
    good = gates_value(tab_logs.analysis(0)).tensor.string_val[0]
    bad = [list(_mutated(good, np.random.default_rng([seed, k]))) for k in range(40)]
    outcomes = explorer.frame.evaluate(READ, bad)
    assert set(outcomes) <= {"read", "DamagedError"}
    assert "DamagedError" in outcomes


def _mutated(data: bytes, rng: np.random.Generator) -> bytes:
    """Some bytes changed, most of them in the header; sometimes cut off."""
    changed = bytearray(data)
    for _ in range(rng.integers(1, 4)):
        last = int(rng.choice([12, 600, len(data)]))
        changed[rng.integers(0, min(last, len(data)))] = rng.integers(0, 256)
    return bytes(changed[: rng.integers(0, len(data))] if rng.random() < 0.2 else changed)


def test_a_run_that_is_deleted_while_it_is_looked_at_is_said_to_be_gone(
    explorer: Explorer, log_dir: Path
) -> None:
    tab_logs.write_run(log_dir / "short_lived", [0])
    base = f"{explorer.address.rstrip('/')}/data/plugin/lstm_probe/steps"
    there = {"run": "short_lived/lstm_probe", "layer": "memory"}
    explorer.wait(lambda: explorer.page.request.get(base, params=there).ok)
    explorer.open(run="short_lived/lstm_probe")
    explorer.wait(lambda: "match" in explorer.text)
    before = len(explorer.errors)
    shutil.rmtree(log_dir / "short_lived")
    explorer.wait(lambda: "No such run" in explorer.text, seconds=30)
    refused = explorer.errors[before:]
    assert all("404" in error for error in refused), refused
    del explorer.errors[before:]


def test_new_captures_appear_and_the_place_is_kept(explorer: Explorer, training: Training) -> None:
    explorer.open(run=RUN, layers=[TOP], step=4, unit=2, time=3)
    count = int(explorer.step_text.rsplit(" ", 1)[1])
    cell = explorer.chosen()
    training.train()
    explorer.wait(lambda: int(explorer.step_text.rsplit(" ", 1)[1]) > count, seconds=30)
    assert explorer.step_text.startswith("step 4 ")
    assert explorer.chosen() == cell
    explorer.button("Go along").click()
    explorer.wait(lambda: explorer.step_text.startswith("step 16 "))
    assert_shows(explorer.chosen(), training.analyses[TOP])
