from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import event_reading
import numpy as np
import numpy.typing as npt
import pytest
import samples

from lstm_probe import LstmProbeError, analyse
from lstm_probe.analysis.alerts.board import AlertBoard
from lstm_probe.core.stopwatch import STAGES
from lstm_probe.logs import RunLog
from lstm_probe.logs.tags.values import histogram


def log(directory: Path, steps: list[int], rng: np.random.Generator, **options: Any) -> Path:
    options = {"detail": "full", **options}
    run = RunLog(directory, first_step=steps[0], **options)
    for step in steps:
        run.write([analyse(samples.snapshot(rng, step=step))], step=step)
        run.write_cost(12.5e-3, dict.fromkeys(STAGES, 2e-3), 0.0, step=step)
    run.close()
    return run.directory


def test_tensorboard_reads_pictures_histograms_scalars_and_text(
    tmp_path: Path, rng: np.random.Generator
) -> None:
    read = event_reading.values(log(tmp_path, [0, 100], rng))
    tags = {tag for tag, step in read if step == 100}
    gates = ["1_i", "2_f", "3_g", "4_o"]
    arrays = [*gates, "5_c", "6_h"]
    assert tags == {
        "cost/capture_ms",
        "cost/overhead_fraction",
        *(f"cost/{stage}_ms" for stage in STAGES),
        *(f"memory/gates/{name}" for name in arrays),
        *(f"memory/activations/{name}" for name in arrays),
        *(f"memory/{k}/{g}" for k in ("kernel", "recurrent_kernel", "bias") for g in gates),
        *(f"memory/parity/{e}" for e in ("max_abs_error", "max_abs_error_same_dtype", "rms_error")),
        *(f"memory/parity/{e}" for e in ("ulp_error", "verdict")),
        *(f"memory/health/saturated_{gate}" for gate in ("1_i", "2_f", "4_o")),
        *(f"memory/health/{n}" for n in ("dead_units", "longest_horizon", "horizons")),
        *(f"memory/gradient/{n}" for n in ("decay", "reach", "through_time")),
        "memory/health/saturation",
        *(f"memory/spectral_norm/{k}/{g}" for k in ("kernel", "recurrent_kernel") for g in gates),
        *(f"memory/spectral_radius/recurrent_kernel/{gate}" for gate in gates),
        "memory/capture",
        "memory/weights",
        "lstm_probe/captures",
        "lstm_probe/answers",
    }
    assert event_reading.array(read["cost/capture_ms", 100]) == np.float32(12.5)
    for name in arrays:
        assert min(event_reading.picture(read[f"memory/gates/{name}", 100]).size) > 200
    summary = str(event_reading.array(read["lstm_probe/summary", 0]))
    for expected in ("`memory`", "lstm, activation tanh", "2 sequences of 7 timesteps", "numpy"):
        assert expected in summary


def test_every_value_names_its_plugin_so_that_a_cut_log_still_shows(
    tmp_path: Path, rng: np.random.Generator
) -> None:
    for (tag, _), value in event_reading.values(log(tmp_path, [0, 1], rng)).items():
        expected = {
            "gates": "images", "saturation": "images", "through_time": "images",
            "horizons": "histograms", "health": "scalars", "gradient": "scalars",
            "parity": "scalars", "cost": "scalars", "capture": "lstm_probe",
            "weights": "lstm_probe", "spectral_norm": "scalars",
            "spectral_radius": "scalars",
            "captures": "lstm_probe", "lstm_probe": "text",
        }  # fmt: skip
        parts = tag.split("/")
        kind = next((p for part, p in expected.items() if part in parts), "histograms")
        assert value.metadata.plugin_data.plugin_name == kind


def test_a_histogram_counts_every_valid_value(tmp_path: Path, rng: np.random.Generator) -> None:
    read = event_reading.values(log(tmp_path, [0], rng))
    buckets = event_reading.array(read["memory/activations/2_f", 0])
    assert buckets.shape == (30, 3)
    assert buckets[:, 2].sum() == 2 * 7 * 5
    assert (buckets[1:, 0] == buckets[:-1, 1]).all()


@pytest.mark.parametrize(
    ("values", "count"),
    [
        ([0.0, 0.0, 0.0], 3),
        ([1e30, 1e30], 2),
        ([1.0, np.nan, np.inf, 2.0], 2),
        ([5e-324, 0.0], 2),
        (np.array([3e38, -3e38], np.float32), 2),
        (np.array([1e-39, 2e-39], np.float32), 2),
    ],
)
def test_a_histogram_is_defined_when_values_are_constant_huge_or_not_finite(
    values: npt.ArrayLike, count: int
) -> None:
    value = histogram("tag", np.array(values))
    assert value is not None
    buckets = event_reading.array(value)
    assert buckets[:, 2].sum() == count
    assert (buckets[:, 1] > buckets[:, 0]).all()


def test_a_histogram_is_numpys_when_values_are_random(rng: np.random.Generator) -> None:
    values = rng.normal(1e3, 1, (40, 50)).astype(np.float32)
    value = histogram("tag", values)
    assert value is not None
    buckets = event_reading.array(value)
    counts, edges = np.histogram(values.astype(np.float64), 30)
    np.testing.assert_allclose(buckets[:, 0], edges[:-1])
    assert np.abs(buckets[:, 2] - counts).sum() <= 4  # rounding at the edges


def test_there_is_no_histogram_when_nothing_is_finite() -> None:
    assert histogram("tag", np.array([np.nan, np.inf])) is None
    assert histogram("tag", np.array([])) is None


def test_there_are_no_pictures_when_they_are_switched_off(
    tmp_path: Path, rng: np.random.Generator
) -> None:
    tags = {tag for tag, _ in event_reading.values(log(tmp_path, [0], rng, pictures=False))}
    assert "memory/activations/2_f" in tags
    assert not any("/gates/" in tag for tag in tags)


def test_a_run_goes_on_when_training_resumes_where_it_ended(
    tmp_path: Path, rng: np.random.Generator
) -> None:
    first = log(tmp_path, [0, 100], rng)
    assert log(tmp_path, [100, 200], rng) == first == tmp_path / "lstm_probe"
    assert event_reading.steps(first, "memory/gates/2_f") == [0, 100, 100, 200]


def test_nothing_is_hidden_when_training_starts_again_in_the_same_directory(
    tmp_path: Path, rng: np.random.Generator
) -> None:
    log(tmp_path, [0, 100], rng)
    assert log(tmp_path, [0, 100], rng) == tmp_path / "lstm_probe_2"
    assert log(tmp_path, [50], rng) == tmp_path / "lstm_probe_3"
    assert event_reading.steps(tmp_path / "lstm_probe", "cost/capture_ms") == [0, 100]


def test_a_log_directory_is_refused_when_it_is_a_file(tmp_path: Path) -> None:
    path = tmp_path / "a_file"
    path.touch()
    with pytest.raises(LstmProbeError, match=r"cannot be written.*a_file.*another log_dir"):
        RunLog(path)


def test_a_model_with_four_layers_makes_less_than_60_scalar_tags_by_default(
    tmp_path: Path, rng: np.random.Generator
) -> None:
    run, board = RunLog(tmp_path), AlertBoard()
    for step in (0, 10):
        snapshots = [samples.snapshot(rng, step=step, layer=f"lstm_{k}") for k in range(4)]
        analyses = [analyse(snapshot) for snapshot in snapshots]
        alerts = board.update(analyses)
        run.write(analyses, step=step, dynamics=board.dynamics, alerts=alerts)
        run.write_cost(1e-3, dict.fromkeys(STAGES, 2e-3), 0.0, step=step)
    run.close()
    read = event_reading.values(run.directory)
    scalars = {
        tag for (tag, _), v in read.items() if v.metadata.plugin_data.plugin_name == "scalars"
    }
    assert "lstm_3/dynamics/update_ratio" in scalars
    assert len(scalars) == 54
    for (tag, _), value in read.items():
        if tag in scalars:
            assert value.metadata.summary_description


def test_new_alerts_are_logged_as_text_when_there_are_some(
    tmp_path: Path, rng: np.random.Generator
) -> None:
    run, board = RunLog(tmp_path), AlertBoard()
    weights = samples.lstm_weights(rng)
    weights.bias[3] = -50  # the output gate is shut
    for step in (0, 10, 20, 30):
        analyses = [analyse(samples.snapshot(rng, step=step, weights=weights))]
        run.write(analyses, step=step, alerts=board.update(analyses))
    run.close()
    read = event_reading.values(run.directory)
    assert [step for tag, step in read if tag == "lstm_probe/alerts"] == [20, 30]
    shown = str(event_reading.array(read["lstm_probe/alerts", 20]))
    assert "dead_units: layer 'memory', unit 0, step 20: h does not move" in shown
    assert "saturated_gates: layer 'memory', gate o" in shown
    assert "unchanged_weights" in str(event_reading.array(read["lstm_probe/alerts", 30]))
    assert "dead_units" not in str(event_reading.array(read["lstm_probe/alerts", 30]))


def test_a_log_at_its_limit_goes_on_with_numbers_alone_and_says_so_once(
    tmp_path: Path, rng: np.random.Generator, caplog: pytest.LogCaptureFixture
) -> None:
    def write(steps: range, limit: int) -> None:
        with RunLog(tmp_path, first_step=steps[0], max_bytes=limit) as run:
            for step in steps:
                run.write([analyse(samples.snapshot(rng, step=step))], step=step)

    write(range(2), 10**9)
    run_directory = tmp_path / "lstm_probe"
    size = sum(file.stat().st_size for file in run_directory.glob("*"))
    assert not caplog.records
    write(range(2, 6), int(1.6 * size))  # what was there before counts
    assert event_reading.steps(run_directory, "memory/parity/max_abs_error") == list(range(6))
    assert event_reading.steps(run_directory, "memory/capture") == [0, 1, 2, 3]
    assert event_reading.steps(run_directory, "memory/gates/2_f") == [0, 1, 2, 3]
    assert len(caplog.records) == 1
    assert "max_log_bytes" in caplog.text


def test_full_detail_follows_the_weights_of_each_gate(
    tmp_path: Path, rng: np.random.Generator
) -> None:
    weights = samples.lstm_weights(rng)
    board = AlertBoard()
    with RunLog(tmp_path, detail="full") as run:
        for step, scale in ((0, 1.0), (10, 1.5)):
            grown = replace(weights, recurrent_kernel=scale * weights.recurrent_kernel)
            analysis = analyse(samples.snapshot(rng, step=step, weights=grown))
            board.update([analysis])
            run.write([analysis], step=step, dynamics=board.dynamics)
    read = event_reading.values(run.directory)
    forget = grown.recurrent_kernel[:, 1]
    name = "recurrent_kernel/2_f"
    norm = np.linalg.norm(forget)
    largest = np.linalg.norm(forget, 2)
    assert event_reading.array(read[f"memory/weight_norm/{name}", 10]) == pytest.approx(norm)
    assert event_reading.array(read[f"memory/spectral_norm/{name}", 10]) == pytest.approx(
        largest, rel=0.02
    )
    radius = np.abs(np.linalg.eigvals(forget)).max()
    assert event_reading.array(read[f"memory/spectral_radius/{name}", 10]) == pytest.approx(radius)
    # A third of the new norm is the change, in ten steps.
    assert event_reading.array(read[f"memory/update_ratio/{name}", 10]) == pytest.approx(1 / 30)
    assert event_reading.array(read["memory/update_ratio/kernel/2_f", 10]) == 0
