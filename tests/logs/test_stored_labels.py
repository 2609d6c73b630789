"""Labels in the stored format: which fields are written, and what older and newer readers see."""

from __future__ import annotations

import csv
import io
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import samples

from lstm_probe import Analysis, GateTrace, analyse
from lstm_probe.explorer.download import as_csv
from lstm_probe.explorer.page.contact_sheet import draw_contact_sheet
from lstm_probe.explorer.page.shrink import PLANS, shrunk
from lstm_probe.logs import RunLog
from lstm_probe.logs.export import export, series_of
from lstm_probe.logs.stored.format import Stored, keep, unpack
from lstm_probe.logs.stored.labels import labels_header, stored_labels
from lstm_probe.logs.stored.precision import best_gate, precision_of
from lstm_probe.logs.stored.reader import RunReader

WORDS = (("a", "very", "good", "film", ",", "isn't", "it"), ("dull", *[""] * 6))
NAMES = ("praise", 'the "blame", in short')


def labelled(rng: np.random.Generator, labels: Any = WORDS, **fields: Any) -> Analysis:
    """An analysis of two sequences of seven timesteps, with labels and names."""
    one = analyse(samples.snapshot(rng, **fields))
    return replace(one, trace=replace(one.trace, labels=labels, sequence_names=NAMES))


def run(directory: Path, analysis: Analysis, **options: Any) -> RunReader:
    with RunLog(directory, **options) as log:
        log.write([analysis], step=0)
    return RunReader(log.directory)


def test_labels_that_differ_are_in_a_field_that_older_releases_do_not_draw(
    tmp_path: Path, rng: np.random.Generator
) -> None:
    stored = run(tmp_path, labelled(rng)).capture("memory", 0)
    assert stored.meta["labels"] is None  # an older tab would draw one sequence's under the other
    assert stored.meta["sequence_labels"] == [list(row) for row in WORDS]
    assert stored_labels(stored) == ([list(row) for row in WORDS], list(NAMES))


def test_labels_that_are_the_same_for_all_are_in_the_old_field(
    tmp_path: Path, rng: np.random.Generator
) -> None:
    stored = run(tmp_path, labelled(rng, (WORDS[0],) * 2)).capture("memory", 0)
    assert stored.meta["labels"] == list(WORDS[0])
    assert "sequence_labels" not in stored.meta
    assert stored_labels(stored).rows == [list(WORDS[0])] * 2


def test_a_log_of_an_older_release_has_its_labels_under_every_sequence() -> None:
    arrays = {"sequences": np.arange(2), "timesteps": np.array([0, 2])}
    stored = Stored(arrays, {"labels": ["a", "b", "c"]})
    assert stored_labels(stored) == ([["a", "c"], ["a", "c"]], None)


@pytest.mark.parametrize(
    "meta",
    [
        {"labels": ["a"]},
        {"labels": "abc"},
        {"sequence_labels": [["a", "b"]]},
        {"sequence_labels": [["a", "b"], ["c"]]},
        {"sequence_labels": [["a", "b"], "cd"]},
        {"sequence_names": ["one"]},
        {"sequence_names": "ab"},
    ],
)
def test_labels_of_a_stranger_that_do_not_fit_are_none(meta: dict[str, Any]) -> None:
    arrays = {"sequences": np.arange(2), "timesteps": np.array([0, 2])}
    assert stored_labels(Stored(arrays, meta)) == (None, None)


def test_of_a_large_probe_the_labels_of_what_is_kept_are_stored() -> None:
    batch, time = 600, 1000
    labels = tuple(tuple(f"{k}.{t}" for t in range(time)) for k in range(batch))
    names = tuple(map(str, range(batch)))
    gates = np.zeros((batch, time, 1), np.float16)
    trace = GateTrace({"h": gates}, {"h": None}, labels=labels, sequence_names=names)
    kept = keep(gates.shape)
    header = labels_header(trace, kept)
    assert header["sequence_labels"][3][100] == f"3.{kept.timesteps[100]}"
    sizes = len(header["sequence_labels"]), len(header["sequence_labels"][0])
    assert (*sizes, len(header["sequence_names"])) == (512, 512, 512)


@pytest.mark.parametrize("plan", PLANS, ids=str)
def test_a_report_keeps_the_labels_of_the_sequences_that_it_keeps(
    plan: Any, tmp_path: Path, rng: np.random.Generator
) -> None:
    weights = samples.lstm_weights(rng, 3, 20)
    words = tuple(tuple(f"{whose}{t}" for t in range(300)) for whose in "ab")
    one = labelled(rng, words, weights=weights, time=300)
    stored = run(tmp_path, one, detail="full").capture("memory", 0)
    small = unpack(shrunk(stored, plan))
    rows, names = stored_labels(small)
    kept = [small.arrays[axis].tolist() for axis in ("sequences", "timesteps")]
    assert rows == [[words[k][t] for t in kept[1]] for k in kept[0]]
    assert names == list(NAMES)[: len(small.arrays["sequences"])]
    assert ("float32/f" in small.arrays) == (plan.float32 and not plan.one_byte)
    for name, array in small.arrays.items():
        if array.ndim == 3:
            assert array.shape == small.arrays["gates/f"].shape, name


@pytest.mark.parametrize(
    ("detail", "precision", "bound"), [("gates", "float16", 2**-12), ("full", "float32", 2**-25)]
)
def test_gates_are_stored_as_exactly_as_the_log_says(
    detail: str, precision: str, bound: float, tmp_path: Path, rng: np.random.Generator
) -> None:
    one = labelled(rng)
    reader = run(tmp_path, one, detail=detail, pictures=False)
    stored = reader.capture("memory", 0)
    assert stored.arrays["gates/f"].dtype == np.float16  # older releases read no other
    assert precision_of(stored) == precision
    for letter in "ifo":
        error = np.abs(best_gate(stored, letter) - one.trace[letter]).max()
        assert error <= bound


@pytest.mark.parametrize("damaged", [np.zeros((2, 7, 4), np.float32), np.zeros((2, 7, 5))])
def test_float32_of_another_kind_is_not_read(
    damaged: Any, tmp_path: Path, rng: np.random.Generator
) -> None:
    stored = run(tmp_path, labelled(rng), detail="full", pictures=False).capture("memory", 0)
    strange = Stored({**stored.arrays, "float32/f": damaged}, stored.meta)
    assert best_gate(strange, "f") is stored.arrays["gates/f"]
    assert precision_of(strange) == "float16"


@pytest.mark.parametrize("detail", ["gates", "full"])
@pytest.mark.parametrize("ending", [".csv", ".parquet", ".nc", ".npz"])
def test_what_is_exported_has_each_label_beside_its_own_sequence(
    ending: str, detail: str, tmp_path: Path, rng: np.random.Generator
) -> None:
    import pandas
    import xarray

    one = labelled(rng)
    reader = run(tmp_path, one, detail=detail, pictures=False)
    path = tmp_path / f"gates{ending}"
    export(path, series_of(reader))
    precision = "float32" if detail == "full" else "float16"
    if ending in (".csv", ".parquet"):
        frame = pandas.read_csv(path) if ending == ".csv" else pandas.read_parquet(path)
        assert set(frame["precision"]) == {precision}
        for _, row in frame.iterrows():
            k, t, u = row["sequence"], row["time"], row["unit"]
            assert (row["label"] if isinstance(row["label"], str) else "") == WORDS[k][t]
            assert row["sequence_name"] == NAMES[k]
            assert abs(row["f"] - one.trace.f[k, t, u]) < (2**-11 if detail == "gates" else 1e-7)
        return
    names = ("label", "sequence_name", "precision", "f")
    if ending == ".nc":
        data: Any = xarray.open_dataset(path, group="memory")
        found = {name: data[name].values for name in names}
    else:
        with np.load(path) as file:
            found = {name: file[f"memory/{name}"] for name in names}
    assert [[str(word) for word in row] for row in found["label"]] == [list(row) for row in WORDS]
    assert [str(name) for name in found["sequence_name"]] == list(NAMES)
    assert [str(each) for each in found["precision"]] == [precision]
    bound = 2**-12 if detail == "gates" else 1e-7
    np.testing.assert_allclose(found["f"][0], one.trace.f, atol=bound)


def test_a_log_without_labels_is_exported_as_before_but_for_its_precision(
    tmp_path: Path, rng: np.random.Generator
) -> None:
    reader = run(tmp_path, analyse(samples.snapshot(rng)), pictures=False)
    path = tmp_path / "gates.csv"
    export(path, series_of(reader))
    columns = path.read_text().splitlines()[0].split(",")
    assert columns == ["layer", "step", "epoch", "sequence", "time", "unit", *"ifgoch", "precision"]


def test_a_file_of_one_dtype_says_which_captures_are_less_exact(
    tmp_path: Path, rng: np.random.Generator
) -> None:
    with RunLog(tmp_path, detail="full", pictures=False) as log:
        log.write([labelled(rng)], step=0)
    with RunLog(tmp_path, first_step=9, pictures=False) as log:
        log.write([labelled(rng, step=9)], step=9)
    path = tmp_path / "gates.npz"
    export(path, series_of(RunReader(log.directory)))
    with np.load(path) as file:
        assert file["memory/f"].shape == (2, 2, 7, 5)
        assert file["memory/precision"].tolist() == ["float32", "float16"]


def test_the_tab_s_own_table_has_each_label_beside_its_own_sequence(
    tmp_path: Path, rng: np.random.Generator
) -> None:
    stored = run(tmp_path, labelled(rng)).capture("memory", 0)
    rows = list(csv.DictReader(io.StringIO(as_csv(stored).decode())))
    assert len(rows) == 2 * 7 * 5
    for row in rows:
        k, t = int(row["sequence"]), int(row["timestep"])
        assert (row["label"], row["sequence_name"]) == (WORDS[k][t], NAMES[k])
        assert row["precision"] == "float16"


def test_the_contact_sheet_names_the_timesteps_of_the_sequence_that_it_shows(
    tmp_path: Path, rng: np.random.Generator
) -> None:
    figure = draw_contact_sheet(run(tmp_path, labelled(rng)), "memory")
    [lowest] = [axes for axes in figure.axes if axes.get_xlabel() == "timestep"]
    assert [label.get_text() for label in lowest.get_xticklabels()] == list(WORDS[0])
