"""The probe's own data in a browser: in TensorBoard's tab and in a saved report."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import browser
import numpy as np
import pytest
import samples
from tab_browser import Explorer

from lstm_probe import Analysis, analyse
from lstm_probe.core.groups import called
from lstm_probe.explorer.page import write_page
from lstm_probe.logs import RunLog
from lstm_probe.logs.stored.reader import find_runs
from lstm_probe.models.probe_data import ProbeData

BATCH, TIME = 6, 8
TARGETS = np.array([2, 0, 1, 1, 0, 2])
#: What the model gives at the last step; the second and the fifth are wrong.
GIVEN = [2, 1, 1, 1, 2, 2]
WORDS = [[f"w{(k + t) % 4}" for t in range(TIME)] for k in range(BATCH)]
HOSTILE = "<img src=x onerror=parent.hacked=1>"
NAMES = ["plain", HOSTILE, *(f"name {k}" for k in range(2, BATCH))]
X = np.random.default_rng(3).normal(size=(BATCH, TIME, 2))
#: The named probes of other runs, what they are to give, and what a model gives at the last step.
GROUPS = (("train", 4), (f"val {HOSTILE}"[:40], 2))
BINARY = np.array([0, 1, 1, 0, 1, 0])
GIVEN_TWO = np.array([-2.0, 0.25, 0.5, 0.1, -1.0, -0.5])
#: The colour of a wrong step: theme.js's `warning`.
WRONG = [179, 38, 30]


def scores(classes: list[int]) -> np.ndarray:
    """Probabilities of three classes, of which these are the largest."""
    return 0.1 + 0.7 * np.eye(3)[classes]


def analysis(step: int) -> Analysis:
    rng = np.random.default_rng(step)
    mask = np.ones((BATCH, TIME), bool)
    mask[1, 5:] = False
    one = analyse(samples.snapshot(rng, batch=BATCH, time=TIME, step=step, mask=mask))
    labels = tuple(map(tuple, WORDS))
    return replace(one, trace=replace(one.trace, labels=labels, sequence_names=tuple(NAMES)))


def write_run(
    directory: Path, data: ProbeData, outputs: dict[int, Any], groups: Any = None
) -> None:
    with RunLog(directory, pictures=False, data=data) as log:
        for step, output in outputs.items():
            one = analysis(step)
            if groups is not None:
                trace = replace(one.trace, groups=groups, sequence_names=called(groups))
                one = replace(one, trace=trace)
            log.write([one], step=step, outputs={"": output} if output is not None else {})


@pytest.fixture(scope="module")
def log_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("logs")
    by_class = ProbeData({"": X}, {"": TARGETS})
    write_run(directory / "classes", by_class, {0: scores([0] * BATCH), 5: scores(GIVEN)})
    steps = np.tile([0, 1, 1, 0, 1, 0, 1, 1], (BATCH, 1))
    tokens = np.arange(BATCH * TIME).reshape(BATCH, TIME)
    at_steps = ProbeData({"": tokens}, {"": steps})
    write_run(directory / "steps", at_steps, {0: np.eye(2)[1 - steps], 5: np.eye(2)[steps]})
    image = ProbeData({"": np.abs(X[:, :, :1] + np.linspace(0, 3, 20))})
    write_run(directory / "image", image, {0: None})
    write_run(directory / "bare", ProbeData(), {0: None})
    outputs = {0: np.full((BATCH, 1), 0.3), 5: GIVEN_TWO[:, None]}
    named = ProbeData({"": X}, {"": BINARY}, GROUPS)
    write_run(directory / "named", named, outputs, GROUPS)
    numbers = ProbeData({"": X}, {"": BINARY + 0.25}, GROUPS)
    write_run(directory / "numbers", numbers, outputs, GROUPS)
    return directory


@pytest.fixture(scope="module", params=["tab", "report"])
def explorer(
    log_dir: Path, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Explorer]:
    with browser.page() as page:
        if request.param == "tab":
            with browser.tensorboard(log_dir) as address:
                explorer = Explorer(page, address)
                yield explorer
        else:
            path = tmp_path_factory.mktemp("report") / "page.html"
            write_page(path, find_runs(log_dir))
            explorer = Report(page, path.as_uri())
            yield explorer
        explorer.assert_clean()


class Report(Explorer):
    """The same page without a frame around it."""

    @property
    def inside(self) -> Any:
        return self.page.locator("html")

    @property
    def frame(self) -> Any:
        return self.page


def opened(explorer: Explorer, run: str, **state: Any) -> Explorer:
    return explorer.open(run=f"{run}/lstm_probe", **state)


def told(explorer: Explorer) -> str:
    place = explorer.inside.locator(".told")
    return str(place.inner_text()) if place.is_visible() else ""


def hovered(explorer: Explorer, x: float, y: float) -> str:
    """What the tooltip says at a point of the picture; `y` in pixels from above."""
    box = explorer.inside.locator("canvas.grid").bounding_box()
    explorer.page.mouse.move(box["x"] + 46 + x * (box["width"] - 56) / 3, box["y"] + y)
    tooltip = explorer.inside.locator(".tooltip")
    tooltip.wait_for()
    return str(tooltip.inner_text())


def options(explorer: Explorer) -> list[str]:
    select = explorer.inside.get_by_label("Sequence of the probe")
    return [str(text) for text in select.locator("option").all_inner_texts()]


@pytest.mark.daily(1)
def test_the_sequence_is_told_with_its_target_and_what_the_model_gives(explorer: Explorer) -> None:
    opened(explorer, "classes", sequence=2)
    assert told(explorer) == "Sequence 2 “name 2” · target 1, gives 1 (0.80), right"
    opened(explorer, "classes", sequence=1)
    assert told(explorer) == f"Sequence 1 “{HOSTILE}” · target 0, gives 1 (0.80), wrong"
    opened(explorer, "classes", sequence=2, step=0)
    assert "target 1, gives 0 (0.80), wrong" in told(explorer)
    assert explorer.page.evaluate("window.hacked") is None


def test_the_picker_has_names_and_what_is_right_at_this_step(explorer: Explorer) -> None:
    opened(explorer, "classes", step=5)
    assert options(explorer) == [
        "0: plain · 2 ✓",
        f"1: {HOSTILE[:31]}… · 0, gives 1 ✗",
        "2: name 2 · 1 ✓",
        "3: name 3 · 1 ✓",
        "4: name 4 · 0, gives 2 ✗",
        "5: name 5 · 2 ✓",
    ]
    explorer.inside.get_by_label("Sequence of the probe").select_option("4")
    explorer.wait(lambda: "target 0, gives 2 (0.80), wrong" in told(explorer))


def test_the_input_stands_over_every_column_of_gates_on_their_time(explorer: Explorer) -> None:
    opened(explorer, "classes", sequence=3, step=5)
    for t in (0, 4, 7):
        said = hovered(explorer, (t + 0.5) / TIME * 0.97, 40)
        assert f"timestep {t}" in said
        for feature in (0, 1):
            value = f"{X[3, t, feature]:.3g}".replace("-", "\N{MINUS SIGN}")
            assert f"input [{feature}]: {value}" in said
    for column in (1, 2):
        assert "input [0]" in hovered(explorer, column + 0.5, 40)


def test_an_input_of_many_features_is_a_raster(explorer: Explorer) -> None:
    opened(explorer, "image", sequence=1)
    said = hovered(explorer, 0.06, 40)
    assert "timestep 0" in said
    assert "and 12 more" in said
    assert told(explorer) == ""  # neither targets nor outputs


def test_words_and_what_is_given_at_each_step_stand_over_the_gates(explorer: Explorer) -> None:
    opened(explorer, "steps", sequence=2, step=5)
    assert "100 % of the steps right" in told(explorer)
    said = hovered(explorer, 3.5 / TIME * 0.97, 28)
    assert f"input: {WORDS[2][3]}" in said
    assert f"token {2 * TIME + 3}" in said
    assert not wrong(explorer)
    opened(explorer, "steps", sequence=2, step=0)
    assert "0 % of the steps right" in told(explorer)
    assert "target 0: wrong" in hovered(explorer, 3.5 / TIME * 0.97, 68)
    assert wrong(explorer)


def wrong(explorer: Explorer) -> bool:
    """Whether a step in the picture has the colour of wrong ones."""
    canvas = explorer.inside.locator(".stage canvas").first
    return bool(
        canvas.evaluate(
            """(canvas, colour) => {
              const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, 120);
              let found = 0;
              for (let at = 0; at < data.length; at += 4) {
                found += colour.every((part, k) => Math.abs(part - data[at + k]) < 3);
              }
              return found > 200;
            }""",
            WRONG,
        )
    )


def test_one_unit_over_all_sequences_and_its_means(explorer: Explorer) -> None:
    opened(explorer, "classes", step=5, view="probe", unit=3, time=2)
    view = explorer.inside.locator(".probe-sheet")
    rows = [row.inner_text().split("\t") for row in view.locator(".sequences tbody tr").all()]
    assert [[cell.strip() for cell in row] for row in rows][1] == [
        "1", HOSTILE, "0", "1 (0.80)", "✗ wrong"
    ]  # fmt: skip
    assert "4 of 6 right at this step" in view.inner_text()
    explorer.button("Show only the sequences that are wrong").click()
    explorer.wait(lambda: view.locator(".sequences tbody tr").count() == 2)
    explorer.button("Show only the sequences that are wrong").click()

    trace = analysis(5).trace
    labels = [row.inner_text().split() for row in view.locator(".labels tbody tr").all()]
    valid = trace.mask
    for label, count, mean in labels:
        chosen = np.array([[word == label for word in row] for row in WORDS]) & valid
        assert int(count) == chosen.sum()
        expected = trace.h[:, :, 3][chosen].mean()
        assert float(mean.replace("\N{MINUS SIGN}", "-")) == pytest.approx(expected, abs=1e-3)
    assert {label for label, *_ in labels} == {"w0", "w1", "w2", "w3"}

    heat = view.locator(".heat canvas").first
    box = heat.bounding_box()
    # Sequences stand by their classes: 1 and 4, then 2 and 3, then 0 and 5.
    heat.hover(
        position={
            "x": 46 + 2.5 / TIME * (box["width"] - 54),
            "y": 22 + (box["height"] - 56) * 2.5 / 6,
        }
    )
    said = explorer.inside.locator(".tooltip").inner_text()
    assert "sequence 2 “name 2”, timestep 2 “w0”" in said
    value = float(said.split("\n")[1].removeprefix("h ").replace("\N{MINUS SIGN}", "-"))
    assert value == pytest.approx(float(trace.h[2, 2, 3]), abs=1e-3)
    heat.click(
        position={
            "x": 46 + 2.5 / TIME * (box["width"] - 54),
            "y": 22 + (box["height"] - 56) * 2.5 / 6,
        }
    )
    explorer.wait(lambda: view.locator("tr.chosen th").inner_text().strip() == "2")


def test_named_probes_name_their_sequences_and_are_told_apart(explorer: Explorer) -> None:
    opened(explorer, "named", step=5, view="probe", unit=3, sequence=5)
    other = GROUPS[1][0]
    # 0.25 is a 1, because the output has been below 0.
    rights = ["0 ✓", "1 ✓", "1 ✓", "0, gives 1 ✗", "1, gives 0 ✗", "0 ✓"]
    names = [*(f"train {k}" for k in range(4)), f"{other} 0", f"{other} 1"]
    assert options(explorer) == [f"{n} · {r}" for n, r in zip(names, rights, strict=True)]
    view = explorer.inside.locator(".probe-sheet")
    said = view.inner_text()
    assert f"4 of 6 right at this step: 3 of 4 of train, 1 of 2 of {other}." in said
    assert "it is a logit, and above 0 it is taken for 1" in said
    assert explorer.page.evaluate("window.hacked") is None
    sentences = explorer.inside.locator("aside").inner_text()
    assert (
        f"Of the probe's sequences, 3 of 4 of train are right and 1 of 2 of {other}." in sentences
    )

    trace = analysis(5).trace
    heads = view.locator(".labels thead th").all_inner_texts()
    assert heads == ["label", "timesteps", "mean", "train", other]
    for row in view.locator(".labels tbody tr").all():
        label, _, _, *means = [
            cell.replace("\N{MINUS SIGN}", "-") for cell in row.inner_text().split()
        ]
        for part, mean in zip((slice(0, 4), slice(4, 6)), means, strict=True):
            chosen = np.array([[word == label for word in each] for each in WORDS])[part]
            expected = trace.h[part, :, 3][chosen & trace.mask[part]].mean()
            assert float(mean) == pytest.approx(expected, abs=1e-3)

    select = explorer.inside.get_by_label("Group the sequences by")
    assert "By class" in said
    select.select_option("probe")
    explorer.wait(lambda: "By probe" in view.inner_text())
    chart = view.get_by_label("Means by group")
    chart.hover(position={"x": 46, "y": 120})
    tooltip = explorer.inside.locator(".tooltip").inner_text()
    for part, name in ((slice(0, 4), "train (4)"), (slice(4, 6), f"{other} (2)")):
        value = tooltip.split(name)[1].split()[0].replace("\N{MINUS SIGN}", "-")
        assert float(value) == pytest.approx(trace.h[part, 0, 3].mean(), abs=1e-3)


def test_numbers_have_an_error_and_are_neither_right_nor_wrong(explorer: Explorer) -> None:
    opened(explorer, "numbers", step=5, view="probe")
    view = explorer.inside.locator(".probe-sheet")
    said = view.inner_text()
    off = np.abs(BINARY + 0.25 - GIVEN_TWO)
    told = re.search(r"Off by (\S+), on average, at this step: (\S+) of train, (\S+) of val", said)
    means = [off.mean(), off[:4].mean(), off[4:].mean()]
    assert told is not None
    assert [float(each) for each in told.groups()] == pytest.approx(means, abs=1e-3)
    rows = [row.inner_text().split("\t") for row in view.locator(".sequences tbody tr").all()]
    assert [float(row[3]) for row in rows] == pytest.approx(off, abs=1e-3)
    assert "right" not in said.replace("Copyright", "")
    assert "By probe" in said
    assert options(explorer)[0] == "train 0"


def test_an_output_within_0_and_1_is_said_to_be_a_probability(explorer: Explorer) -> None:
    opened(explorer, "named", step=0, view="probe")
    said = explorer.inside.locator(".probe-sheet").inner_text()
    assert "never left 0 … 1: it is a probability, and above 0.5" in said
    assert "3 of 6 right at this step" in said


def test_a_row_of_the_table_chooses_its_sequence(explorer: Explorer) -> None:
    opened(explorer, "classes", step=5, view="probe")
    explorer.button("Choose sequence 4").click()
    explorer.view("Gates")
    explorer.wait(lambda: told(explorer).startswith("Sequence 4 “name 4”"))


def test_a_log_without_data_is_shown_as_before(explorer: Explorer) -> None:
    opened(explorer, "bare", sequence=1)
    assert told(explorer) == ""
    assert options(explorer)[2] == "2: name 2"
    explorer.view("Probe")
    view = explorer.inside.locator(".probe-sheet")
    view.wait_for()
    assert "Give the probe as (x, y), or targets=y" in view.inner_text()
    assert view.locator(".sequences tbody tr").count() == BATCH
