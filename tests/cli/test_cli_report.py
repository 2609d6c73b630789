"""`report`: one page with every captured step, without a server or network; and a contact sheet."""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import Any

import browser
import numpy as np
import pytest
from cli_files import one_line, run
from PIL import Image
from samples import lstm_weights, snapshot

from lstm_probe import analyse
from lstm_probe.explorer.page.shrink import PLANS, Plan, shrunk
from lstm_probe.logs import RunLog
from lstm_probe.logs.stored.course import answers_at
from lstm_probe.logs.stored.format import Stored, unpack
from lstm_probe.logs.stored.reader import find_runs

STEPS = (0, 10, 25)
HOSTILE = '</script><img src=x onerror="document.title=1">'

#: What the page holds of one place, read by the page's own modules.
READ = """async ([run, layer, step]) => {
  const { ReportSource } = await import("report/report_source.js");
  const { readSafetensors } = await import("report/safetensors.js");
  const { Capture } = await import("report/capture.js");
  const textOf = (id) => document.getElementById(id).textContent;
  const source = new ReportSource(JSON.parse(textOf("index")), textOf);
  const capture = new Capture(await source.capture(run, layer, step));
  const cell = { sequence: 1, timestep: 6, unit: 3 };
  const series = readSafetensors(await source.series(run, layer, cell)).arrays;
  const list = async (name) => {
    const { arrays } = readSafetensors(await source.history(run, layer, name));
    return [Array.from(arrays.get("steps").data), Array.from(arrays.get("values").data)];
  };
  const values = {};
  for (const letter of capture.letters) {
    values[letter] = [];
    for (let t = 0; t < capture.time; t++) values[letter].push(capture.value(letter, 0, t, 2));
  }
  return {
    values,
    step: capture.step,
    f: Array.from(series.get("gates/f").data),
    steps: Array.from(series.get("steps").data),
    horizon: await list("horizon"),
    errors: await list("error_by_timestep"),
  };
}"""


def write_log(
    directory: Path,
    rng: np.random.Generator,
    *,
    units: int = 5,
    layers: int = 1,
    steps: Any = STEPS,
) -> Path:
    names = ["rnn/lower", HOSTILE, "third"][:layers]
    with RunLog(directory, pictures=False) as log:
        for step in steps:
            analyses = [
                analyse(
                    snapshot(rng, weights=lstm_weights(rng, 3, units), layer=name, step=step)
                )
                for name in names
            ]  # fmt: skip
            log.write(analyses, step=step)
    return directory


def report(log_dir: Path, output: Path, *options: object) -> str:
    result = run("report", log_dir, "-o", output, *options)
    assert result.exit_code == 0, result.output
    return result.stdout


def open_page(page: Any, path: Path) -> list[str]:
    """Opens a report and waits for its picture; returns what went wrong or left the page."""
    troubles: list[str] = []
    page.on("pageerror", lambda error: troubles.append(str(error)))
    page.on("console", lambda m: troubles.append(m.text) if m.type == "error" else None)
    page.on(
        "request",
        lambda r: None if re.match("data:|blob:|file:", r.url) else troubles.append(r.url),
    )
    page.goto(path.as_uri())
    page.wait_for_selector(".view canvas", timeout=30_000)
    return troubles


@pytest.mark.parametrize("megabytes", [28, 2])
def test_page_shows_what_the_log_holds_when_it_is_opened_from_a_disk(tmp_path, rng, megabytes):
    # 30 captures of 256 units need more than 2 MB as they are.
    steps = STEPS if megabytes == 28 else tuple(range(0, 150, 10))
    units = 5 if megabytes == 28 else 256
    log_dir = write_log(tmp_path / "logs", rng, units=units, layers=2, steps=steps)
    said = report(log_dir, tmp_path / "page.html", "--megabytes", megabytes)
    exact = megabytes == 28
    assert ("gates as logged" in said) == exact
    assert (tmp_path / "page.html").stat().st_size < 1e6 * megabytes
    (reader,) = find_runs(log_dir).values()
    for name in ("rnn/lower", HOSTILE):
        answers = answers_at(reader.course, name, steps[-1])
        lines = [f"{name}:", *(f"  {answer}" for answer in answers)]
        assert len(lines) > 3
        assert "\n".join(lines) in said
    with browser.page() as page:
        troubles = open_page(page, tmp_path / "page.html")
        for name in ("rnn/lower", HOSTILE):
            found = page.evaluate(READ, ["lstm_probe", name, steps[1]])
            stored = reader.capture(name, steps[1])
            assert found["step"] == steps[1]
            assert found["steps"] == found["horizon"][0] == [*steps]
            for letter, values in found["values"].items():
                ours = stored.arrays[f"gates/{letter}"][0, :, 2].astype(float)
                scale = np.abs(stored.arrays[f"gates/{letter}"]).max() if letter in "ch" else 1
                bound = 1e-9 if exact else 1.05 * max(1, scale) / 127 / 2 + 5e-4
                np.testing.assert_allclose(values, ours, atol=bound)
            f = [reader.capture(name, step).arrays["gates/f"][1, 6, 3] for step in steps]
            if exact:
                assert found["f"] == [float(value) for value in f]
            horizons = [reader.capture(name, step).arrays["horizon"] for step in steps]
            np.testing.assert_allclose(found["horizon"][1], np.concatenate(horizons), rtol=1e-6)
            assert found["errors"][0] == [*steps]
        assert page.title() == str(log_dir)
        for view in ("Parity", "Saturation", "Gradient", "Memory"):
            page.locator("button[role=tab]", has_text=view).first.click()
            page.wait_for_selector(".view canvas")
        note = page.locator(".report-note").text_content()
        assert f"{2 * len(steps)} captures" in note
        assert troubles == []


def test_weights_are_in_the_page_when_there_is_room(tmp_path, rng):
    with RunLog(tmp_path / "logs", detail="full") as log:
        for step in STEPS:
            seen = snapshot(rng, weights=lstm_weights(rng), layer="memory", step=step)
            log.write([analyse(seen)], step=step)
    report(tmp_path / "logs", tmp_path / "page.html")
    with browser.page() as page:
        troubles = open_page(page, tmp_path / "page.html")
        page.locator("button[role=tab]", has_text="Weights").first.click()
        page.wait_for_selector(".view canvas")
        assert troubles == []


@pytest.mark.parametrize("plan", PLANS)
def test_a_plan_keeps_values_and_their_places(rng, plan):
    gates = {"f": rng.uniform(0, 1, (3, 300, 130)), "c": rng.normal(0, 3, (3, 300, 130))}
    arrays = {f"gates/{k}": v.astype(np.float16) for k, v in gates.items()}
    arrays["gates/h"] = rng.uniform(-1, 1, (3, 300, 40)).astype(np.float16)
    labels = {"sequences": 3, "timesteps": 300, "units": 130, "units/h": 40}
    arrays |= {name: np.arange(size, dtype=np.int32) for name, size in labels.items()}
    arrays["mask"] = rng.integers(0, 2, (3, 300)).astype(np.uint8)
    meta = {"ranges": {"f": [0, 1], "c": None, "h": [-1, 1]}}
    kept = unpack(shrunk(Stored(arrays, meta), plan))
    rows, sequences = kept.arrays["timesteps"], kept.arrays["sequences"]
    np.testing.assert_array_equal(
        kept.arrays["mask"], arrays["mask"][np.ix_(sequences, rows)]
    )  # fmt: skip
    for letter, units in (("f", "units"), ("c", "units"), ("h", "units/h")):
        name = f"gates/{letter}"
        values = kept.arrays[name].astype(np.float64)
        if name in kept.meta["quantised"]:
            low, step = kept.meta["quantised"][name]
            values = low + step * values
        places = np.ix_(sequences, rows, kept.arrays[units])
        ours = arrays[name].astype(np.float64)
        step = 0 if not plan.one_byte else (1 / 255 if letter == "f" else np.abs(ours).max() / 127)
        assert np.abs(values - ours[places]).max() <= 0.51 * step
        assert values.shape[2] <= (plan.units or 999)


def test_nan_and_infinity_keep_their_marks_when_gates_are_shrunk():
    gate = np.array([[[0.25, np.nan], [np.inf, 0.5]]], np.float16)
    kept = unpack(shrunk(Stored({"gates/f": gate}, {"ranges": {"f": [0, 1]}}), Plan(one_byte=True)))
    np.testing.assert_array_equal(kept.arrays["gates/f"], gate)


@pytest.mark.parametrize("ending", [".png", ".pdf"])
def test_contact_sheet_is_a_picture(tmp_path, rng, ending):
    log_dir = write_log(tmp_path / "logs", rng, layers=2)
    said = report(log_dir, tmp_path / f"sheet{ending}")
    data = (tmp_path / f"sheet{ending}").read_bytes()
    assert data.startswith({".png": b"\x89PNG", ".pdf": b"%PDF"}[ending])
    assert ("choose with --layer" in said) == (ending != ".pdf")
    if ending == ".png":
        with Image.open(tmp_path / "sheet.png") as image:
            assert image.width > 1000
            assert len(image.convert("RGB").getcolors(2**20)) > 100


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["logs", "-o", "a.txt"], "a name that ends with .html"),
        (["absent", "-o", "a.html"], "no such log directory"),
        (["logs", "-o", "a.html", "--run", "x"], "--run with one of 'lstm_probe'"),
        (["logs", "-o", "a.png", "--layer", "x"], "Expected one of 'rnn/lower'"),
        (["numbers", "-o", "a.html"], "There are no gates to report"),
        (["numbers", "-o", "a.png"], "holds no gates"),
    ],
)
def test_one_line_says_what_is_wrong_when_there_is_nothing_to_report(
    tmp_path, rng, monkeypatch, options, expected
):
    write_log(tmp_path / "logs", rng)
    with RunLog(tmp_path / "numbers", detail="scalars") as log:
        log.write([analyse(snapshot(rng))], step=0)
    monkeypatch.chdir(tmp_path)
    assert expected in one_line(run("report", *options))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["logs", "numbers"]


def test_page_fits_a_phone_and_follows_no_training(tmp_path, rng):
    report(write_log(tmp_path / "logs", rng), tmp_path / "page.html")
    with browser.page(width=412) as page:
        open_page(page, tmp_path / "page.html")
        assert page.evaluate("document.documentElement.scrollWidth") == 412
        heatmaps = page.locator(".view").bounding_box()
        chosen = page.locator("aside").bounding_box()
        assert chosen["y"] >= heatmaps["y"] + heatmaps["height"]
        assert not page.get_by_text("Live").is_visible()


def test_layers_stand_in_the_order_of_the_model_when_one_of_them_came_later(tmp_path, rng):
    with RunLog(tmp_path / "logs", pictures=False) as log:
        for step, names in enumerate([("upper",), ("lower", "upper")]):
            log.write([analyse(snapshot(rng, layer=name, step=step)) for name in names], step=step)
    report(tmp_path / "logs", tmp_path / "page.html")
    with browser.page() as page:
        open_page(page, tmp_path / "page.html")
        page.wait_for_selector(".explorer")
        rows = page.locator(".layer-row label").all_text_contents()
        assert rows == ["lower", "upper"]


@pytest.mark.long
def test_300_steps_of_3_layers_are_under_30_mb_and_open_in_2_seconds(tmp_path, rng):
    with RunLog(tmp_path / "logs", max_bytes=None, pictures=False) as log:
        for step in range(300):
            analyses = [
                analyse(
                    snapshot(
                        rng, batch=1, time=28, weights=lstm_weights(rng, 3, 128), layer=f"l{k}",
                        step=step,
                    )
                )
                for k in range(3)
            ]  # fmt: skip
            log.write(analyses, step=step)
    said = report(tmp_path / "logs", tmp_path / "page.html")
    assert "900 captures" in said
    assert (tmp_path / "page.html").stat().st_size < 30e6
    with browser.page() as page:
        began = time.perf_counter()
        open_page(page, tmp_path / "page.html")
        assert time.perf_counter() - began < 2
