"""The summary of an analysis, its phrases, and the views that are worded from it."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import samples
from rich.console import Console

from lstm_probe import Analysis, GruCell, LstmCell, analyse
from lstm_probe.analysis.parity.verdict import KINDS
from lstm_probe.analysis.words.phrases import cell_phrase, probe_phrase, verdict_phrase
from lstm_probe.analysis.words.values import summarise_values
from lstm_probe.cli.described import described
from lstm_probe.cli.tables import gate_table, layer_table
from lstm_probe.logs import Report, RunLog
from lstm_probe.logs.overview import overview
from lstm_probe.logs.stored.reader import RunReader


@pytest.fixture
def mask() -> np.ndarray:
    mask = np.ones((2, 7), np.bool_)
    mask[1, 4:] = False
    return mask


@pytest.fixture
def analysis(rng: np.random.Generator, mask: np.ndarray) -> Analysis:
    """A masked probe, with a small error, a dead unit and a copy."""
    weights = samples.lstm_weights(rng)
    weights.kernel[:, 3, 1] = weights.recurrent_kernel[:, 3, 1] = 0  # o of unit 1 is shut
    weights.bias[3, 1] = -40
    for array in (weights.kernel, weights.recurrent_kernel, weights.bias):
        array[..., 4] = array[..., 0]
    seen = samples.snapshot(rng, weights=weights, mask=mask, dtype="float32", step=9, epoch=0.5)
    seen.output[0, 2, 0] += 1e-7
    return analyse(seen)


def forgetful(rng: np.random.Generator) -> Analysis:
    """A framework that adds 1 to the forget gate."""
    seen = samples.snapshot(rng, batch=4, time=30)
    other = replace(seen.weights, bias=seen.weights.bias + np.eye(4)[:, 1:2])
    output = LstmCell().run(seen.x, other, dtype=np.float64).h
    return analyse(replace(seen, output=output))


def test_gates_are_summed_up_over_units_and_valid_steps(analysis: Analysis) -> None:
    summary = analysis.summary()
    assert list(summary.gates) == ["i", "f", "o"]
    for letter, gate in summary.gates.items():
        values = analysis.trace.valid(letter)
        assert gate.mean == pytest.approx(values.mean())
        assert gate.shut == pytest.approx((values < 0.1).mean())
        assert gate.open == pytest.approx((values > 0.9).mean())
        assert gate.saturated == pytest.approx(((values < 0.1) | (values > 0.9)).mean())
        moved = np.ptp(values, axis=0)
        assert (gate.stuck, gate.units) == ((moved < 0.01).sum(), 5)
    assert summary.gates["o"].stuck == 1


def test_a_summary_has_the_figures_of_its_analysis(analysis: Analysis) -> None:
    summary, parity = analysis.summary(), analysis.parity
    assert (summary.layer, summary.step, summary.epoch) == ("memory", 9, 0.5)
    assert (summary.input_shape, summary.output_shape) == ((2, 7, 3), (2, 7, 5))
    assert (summary.units, summary.masked, summary.starts_from_zeros) == (5, 3, True)
    assert summary.parity is not None
    assert parity is not None
    assert summary.parity.max_abs == parity.float64.max_abs == pytest.approx(1e-7)
    assert summary.parity.rms == pytest.approx(1e-7 / np.sqrt(2 * 7 * 5))
    assert summary.parity.per_timestep.argmax() == 2
    assert summary.parity.tolerance == 1e-5
    assert summary.verdict is parity.verdict
    forget = analysis.trace.valid("f").mean(axis=0)
    assert summary.longest_horizon == pytest.approx((-1 / np.log(forget)).max())
    assert (summary.dead, summary.dead_fraction, summary.copies) == ((1,), 0.2, (4,))
    assert summary.gradient is not None
    assert analysis.gradient is not None
    assert summary.gradient.state == "c"
    assert summary.gradient.decay == analysis.gradient.decay["c"]
    assert summary.gradient.reach == analysis.gradient.reach["c"]
    assert summary.not_finite is None


def test_nothing_more_is_recomputed_unless_the_summary_is_to_be_thorough(
    rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    analysis = analyse(replace(forgetful(rng).snapshot, dtype="float32"))
    assert analysis.parity is not None
    with monkeypatch.context() as patched:
        search = "lstm_probe.analysis.conventions.search.find_convention"
        patched.setattr(search, lambda *_: pytest.fail("a cause was looked for"))
        quick = analysis.summary().parity
    assert quick is not None
    assert analysis.parity.known_in_same_dtype is None
    assert (quick.cause, quick.max_abs_same_dtype) == (None, None)
    thorough = analysis.summary(thorough=True).parity
    assert thorough is not None
    assert thorough.cause == "forget_bias: the framework adds 1.0 to the forget gate"
    assert thorough.max_abs_same_dtype == pytest.approx(quick.max_abs, rel=1e-3)
    assert thorough.mismatch


def test_the_cause_is_none_when_there_is_no_mismatch(analysis: Analysis) -> None:
    parity = analysis.summary(thorough=True).parity
    assert parity is not None
    assert (parity.cause, parity.mismatch) == (None, False)


def test_values_are_summed_up_without_masked_steps(analysis: Analysis, mask: np.ndarray) -> None:
    for letter, found in summarise_values(analysis.trace).items():
        values = analysis.trace[letter][mask]
        assert found.mean == pytest.approx(values.mean())
        assert (found.smallest, found.largest) == (values.min(), values.max())
        assert found.count == 11 * 5


def test_a_probe_that_is_masked_all_over_says_nothing(rng: np.random.Generator) -> None:
    analysis = analyse(samples.snapshot(rng, mask=np.zeros((2, 7), np.bool_)))
    assert np.isnan(analysis.summary().gates["f"].mean)
    found = summarise_values(analysis.trace)["f"]
    assert found.count == 0
    assert np.isnan([found.mean, found.smallest, found.largest]).all()


def test_the_kinds_of_verdicts_stand_from_the_best_to_the_worst() -> None:
    assert KINDS == ("match", "reduced precision", "mismatch")


@pytest.mark.parametrize("order", [KINDS, KINDS[::-1]])
def test_a_report_keeps_the_worst_verdict(
    analysis: Analysis, order: tuple[str, ...], rng: np.random.Generator
) -> None:
    assert analysis.parity is not None
    assert analysis.parity.verdict is not None
    report = Report()
    for kind in order:
        verdict = replace(analysis.parity.verdict, kind=kind)
        report.add([replace(analysis, parity=replace(analysis.parity, verdict=verdict))], 1.0)
    assert report.layers["memory"].verdict == "mismatch"


def html_of(analysis: Analysis, _: Path) -> str:
    return analysis._repr_html_()


def table_of(analysis: Analysis, _: Path) -> str:
    console = Console(width=300, highlight=False)
    summaries = {"memory": analysis.summary()}
    with console.capture() as text:
        console.print(layer_table(summaries))
        console.print(gate_table(summaries, {"memory": summarise_values(analysis.trace)}))
    return text.get()


def json_of(analysis: Analysis, _: Path) -> str:
    summaries = {"memory": analysis.summary(thorough=True)}
    values = {"memory": summarise_values(analysis.trace)}
    return str(
        described(summaries, values, [], {"memory": []})["layers"]["memory"]["parity"]["text"]
    )


def stored_by(analysis: Analysis, directory: Path) -> str:
    with RunLog(directory) as log:
        log.write([analysis], step=0)
    return str(RunReader(log.directory).capture("memory", 0).meta["parity"]["verdict"]["text"])


@pytest.mark.parametrize("view", [html_of, table_of, json_of, stored_by])
def test_every_view_has_the_verdict_with_its_place(
    rng: np.random.Generator, tmp_path: Path, view: Callable[[Analysis, Path], str]
) -> None:
    analysis = forgetful(rng)
    assert analysis.parity is not None
    assert analysis.parity.verdict is not None
    phrase = f"mismatch from {analysis.parity.verdict.place}"
    assert verdict_phrase(analysis.summary()) == phrase
    assert "most likely gate f" in phrase
    assert phrase in view(analysis, tmp_path)


@pytest.mark.parametrize("field", ["cell", "parity"])
def test_every_view_says_why_there_is_no_parity(
    rng: np.random.Generator, tmp_path: Path, field: str
) -> None:
    if field == "cell":
        analysis, why = analyse(replace(samples.snapshot(rng), cell=None)), "not recomputed"
    else:
        analysis, why = replace(analyse(samples.snapshot(rng)), parity=None), "not compared"
    assert verdict_phrase(analysis.summary()) == "not compared"
    assert analysis.without_parity == why
    assert why in html_of(analysis, tmp_path)
    assert ("only h is shown" in html_of(analysis, tmp_path)) == (field == "cell")
    assert "not compared" in table_of(analysis, tmp_path)
    report = Report()
    report.add([analysis], 1.0)
    assert ("only h is shown" if field == "cell" else "not compared") in str(report)
    with RunLog(tmp_path) as log:
        log.write([analysis], step=0)
    [point] = RunReader(log.directory).course
    assert "max_abs" not in point.layers["memory"]
    assert json.dumps(point.as_data())


def test_the_overview_tells_cell_and_probe(analysis: Analysis) -> None:
    text = overview([analysis.summary()])
    for phrase in (
        "| cell | lstm, activation tanh, recurrent_activation sigmoid |",
        "| probe | 2 sequences of 7 timesteps, 3 masked |",
        "| initial state | zeros |",
        "| direction | forward |",
    ):
        assert phrase in text


def test_a_cell_is_told_with_what_is_not_the_default() -> None:
    told = cell_phrase(GruCell(reset_after=False, recurrent_activation=np.tanh))
    assert told == "gru, activation tanh, recurrent_activation tanh, reset_after False"
    assert cell_phrase(None).startswith("not recomputed: its recurrence is not known")


def test_one_sequence_is_told_in_the_singular(rng: np.random.Generator) -> None:
    summary = analyse(samples.snapshot(rng, batch=1)).summary()
    assert probe_phrase(summary) == "1 sequence of 7 timesteps, 0 masked"
