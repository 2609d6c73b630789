from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.numpy
import samples

from lstm_probe import Analysis, LstmProbeError, analyse
from lstm_probe.analysis.alerts.board import Alert
from lstm_probe.logs import RunLog
from lstm_probe.logs.stored.format import as_json, evenly, keep, pack, unpack
from lstm_probe.logs.stored.names import FORMAT
from lstm_probe.logs.stored.reader import RunReader, find_runs


def logged(directory: Path, analysis: Analysis, **options: Any) -> RunReader:
    """A run of one capture, read back."""
    with RunLog(directory, detail="full") as run:
        run.write([analysis], step=analysis.snapshot.step, **options)
    return RunReader(run.directory)


def written(directory: Path, rng: np.random.Generator, **fields: Any) -> RunReader:
    """A run of two captures, read back."""
    with RunLog(directory, detail="full") as run:
        for step in (0, 100):
            analysis = analyse(samples.snapshot(rng, step=step, epoch=step / 50, **fields))
            trace = replace(analysis.trace, labels=(tuple("abcdefg"),) * 2)
            run.write([replace(analysis, trace=trace)], step=step)
    return RunReader(run.directory)


def test_gates_come_back_to_half_precision(tmp_path: Path, rng: np.random.Generator) -> None:
    mask = np.ones((2, 7), np.bool_)
    mask[1, 4:] = False
    analysis = analyse(samples.snapshot(rng, step=3, mask=mask))
    stored = logged(tmp_path, analysis).capture("memory", 3)
    for letter in "ifgoch":
        np.testing.assert_allclose(
            stored.arrays[f"gates/{letter}"], analysis.trace[letter], 1e-3, 1e-3
        )
    assert (stored.arrays["mask"] == mask).all()
    assert stored.meta["letters"] == list("ifgoch")
    assert stored.meta["ranges"]["c"] is None
    assert stored.meta["parity"]["verdict"]["kind"] == "match"


def test_the_error_comes_back_signed_and_scaled(tmp_path: Path, rng: np.random.Generator) -> None:
    seen = samples.snapshot(rng)
    seen.output[0, 5, 2] += 3e-7
    seen.output[1, 2, 0] -= 1e-7
    stored = logged(tmp_path, analyse(seen)).capture("memory", 0)
    error = stored.arrays["error/h"].astype(float) * stored.meta["error_scale"]
    assert error[0, 5, 2] == pytest.approx(3e-7, rel=1e-3)
    assert error[1, 2, 0] == pytest.approx(-1e-7, rel=1e-3)
    assert stored.arrays["error_by_timestep"][5] == pytest.approx(3e-7)


def test_a_run_is_read_while_it_is_written(tmp_path: Path, rng: np.random.Generator) -> None:
    with RunLog(tmp_path) as run:
        reader = RunReader(run.directory)
        assert reader.layers == ()
        for step in (0, 10, 20):
            run.write([analyse(samples.snapshot(rng, step=step))], step=step)
            reader.refresh()
            assert reader.steps("memory")[-1] == step
    assert list(find_runs(tmp_path)) == ["lstm_probe"]
    assert reader.scalar("memory/parity/max_abs_error") == {0: 0.0, 10: 0.0, 20: 0.0}
    assert [point.step for point in reader.course] == [0, 10, 20]
    assert reader.course[1].layers["memory"]["verdict"] == "match"


def test_epochs_labels_and_weights_come_back(tmp_path: Path, rng: np.random.Generator) -> None:
    weights = samples.lstm_weights(rng)
    reader = written(tmp_path, rng, weights=weights)
    stored = reader.capture("memory", 100)
    assert (stored.meta["epoch"], stored.meta["labels"]) == (2.0, list("abcdefg"))
    kept = reader.weights("memory", 100)
    for index, gate in enumerate(("1_i", "2_f", "3_g", "4_o")):
        name = f"recurrent_kernel/{gate}"
        scale = kept.meta["scales"][name]
        back = kept.arrays[name] * scale / 127
        np.testing.assert_allclose(back, weights.recurrent_kernel[:, index], atol=scale / 250)


def test_alerts_are_stored_with_their_layer(tmp_path: Path, rng: np.random.Generator) -> None:
    alert = Alert("dead_units", "memory", 0, "3 of 5", 0.6, 0.1, "less", unit=2)
    reader = logged(tmp_path, analyse(samples.snapshot(rng)), alerts=[alert])
    [stored] = reader.capture("memory", 0).meta["alerts"]
    assert (stored["rule"], stored["unit"], stored["value"]) == ("dead_units", 2, 0.6)
    assert list(reader.course[0].alerts) == [stored]


def test_nan_and_infinity_survive(tmp_path: Path, rng: np.random.Generator) -> None:
    seen = samples.snapshot(rng)
    seen.weights.kernel[0, 1, 2] = np.nan
    reader = logged(tmp_path, analyse(seen))
    stored = reader.capture("memory", 0)
    assert np.isnan(stored.arrays["gates/f"][0, :, 2]).all()
    assert np.isnan(stored.arrays["error/h"]).any()  # a NaN in one of the two
    assert reader.course[0].layers["memory"]["max_abs"] == "inf"
    assert reader.weights("memory", 0).arrays["kernel/2_f"][0, 2] == -128


def test_the_course_has_the_largest_error_of_each_stretch(
    tmp_path: Path, rng: np.random.Generator
) -> None:
    seen = samples.snapshot(rng, time=150)
    seen.output[:, 101, 3] += 0.25
    [point] = logged(tmp_path, analyse(seen)).course
    errors = point.layers["memory"]["error_by_timestep"]
    assert len(errors) == 64
    assert errors[101 * 64 // 150] == max(errors) == 0.25
    assert errors.count(0.25) == 1


def test_of_a_large_layer_a_part_is_kept_evenly() -> None:
    kept = keep((64, 1000, 1024))
    array = np.broadcast_to(np.arange(1024.0), (64, 1000, 1024))
    part = kept.of(array)
    assert part.shape == (2, 512, 256)
    assert (part[0, 0] == kept.units).all()
    for indices, last in ((kept.units, 1023), (kept.timesteps, 999)):
        steps = np.diff(indices)
        assert (indices[0], indices[-1]) == (0, last)
        assert steps.max() - steps.min() <= 1
    assert evenly(7, 7).tolist() == list(range(7))


@pytest.mark.parametrize("size", [0, 1, 8, 100])
def test_a_cut_capture_is_refused_with_a_clear_error(size: int) -> None:
    data = pack({"x": np.arange(5.0)}, {"step": 1})
    with pytest.raises(LstmProbeError, match="not a stored capture"):
        unpack(data[:size])


@pytest.mark.parametrize("dtype", ["f2", "f4", "f8", ">f4", "i1", "i4", "u1", "i8", "?"])
def test_packed_arrays_are_what_safetensors_writes(dtype: str, rng: np.random.Generator) -> None:
    arrays = {
        "error/h": rng.normal(size=(2, 3)).astype(np.float16),
        "x": (10 * rng.normal(size=(3, 4, 5))).astype(dtype)[:, ::2].swapaxes(0, 2),
        '\N{GREEK SMALL LETTER ALPHA} "': rng.normal(size=7).astype(np.float32),
        "empty": np.zeros((0, 3), np.int32),
        "number": np.array(0.25, np.float32),
    }
    meta = {"layer": 'encoder/\N{GREEK SMALL LETTER ALPHA} "\\', "error": float("nan")}
    data = pack(arrays, meta)
    text = json.dumps({"format": FORMAT, **meta, "error": "nan"})
    contiguous = {name: np.array(array, order="C") for name, array in arrays.items()}
    theirs = safetensors.numpy.save(contiguous, {"lstm_probe": text})
    ours, expected = _header(data), _header(theirs)
    assert ours.pop("__metadata__") == expected.pop("__metadata__") == {"lstm_probe": text}
    loaded = safetensors.numpy.load(data)
    for name, array in arrays.items():
        start, end = ours[name].pop("data_offsets")
        assert (start % array.itemsize, end - start) == (0, array.nbytes)
        del expected[name]["data_offsets"]
        assert ours[name] == expected[name]
        assert loaded[name].shape == array.shape
        np.testing.assert_array_equal(loaded[name], array)


def _header(data: bytes) -> dict[str, Any]:
    size = int.from_bytes(data[:8], "little")
    assert size % 8 == 0
    header: dict[str, Any] = json.loads(data[8 : 8 + size])
    return header


def test_numbers_that_are_not_finite_are_texts_wherever_they_stand() -> None:
    value = {"a": [np.float32("inf"), np.array([1.5, -np.inf])], "b": (float("nan"), np.int64(3))}
    assert json.loads(as_json(value)) == {"a": ["inf", [1.5, "-inf"]], "b": ["nan", 3]}


def test_a_newer_format_is_refused() -> None:
    data = pack({"x": np.arange(5.0)}, {"format": 2})
    with pytest.raises(LstmProbeError, match="newer"):
        unpack(data)


def test_a_damaged_record_ends_the_reading_of_its_file(
    tmp_path: Path, rng: np.random.Generator
) -> None:
    reader = written(tmp_path, rng)
    [path] = reader.directory.glob("*tfevents*")
    data = bytearray(path.read_bytes())
    data[-100] ^= 1
    path.write_bytes(data)
    assert RunReader(reader.directory).steps("memory") == [0]


def test_a_missing_layer_or_step_is_named(tmp_path: Path, rng: np.random.Generator) -> None:
    reader = written(tmp_path, rng)
    with pytest.raises(LstmProbeError, match="memory/capture"):
        reader.capture("other", 0)
    with pytest.raises(LstmProbeError, match="from 0 to 100"):
        reader.capture("memory", 50)
    with pytest.raises(LstmProbeError, match="no such log directory"):
        find_runs(tmp_path / "nowhere")
