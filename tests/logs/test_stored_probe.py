"""The probe's own data in a log: what is stored, how much of it, and who reads it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import samples

from lstm_probe import GateTrace, LstmCell, analyse
from lstm_probe.explorer.page.shrink import PLANS, shrunk
from lstm_probe.logs import RunLog
from lstm_probe.logs.stored.checked import checked_capture
from lstm_probe.logs.stored.format import Stored, keep, unpack
from lstm_probe.logs.stored.labels import stored_groups
from lstm_probe.logs.stored.names import PROBE, PROBE_SERIES, stored_tag
from lstm_probe.logs.stored.probe import (
    output_arrays,
    packed_probe,
    part_of_outputs,
    part_of_probe,
)
from lstm_probe.logs.stored.reader import RunReader
from lstm_probe.logs.stored.values import gates_value
from lstm_probe.models.probe_data import ProbeData

TAG = stored_tag(PROBE_SERIES, PROBE)


def test_inputs_and_targets_come_back(rng: np.random.Generator) -> None:
    x, tokens = rng.normal(size=(3, 5, 2)), rng.integers(0, 9, (3, 7))
    data = ProbeData({"x": x, "tokens": tokens}, {"": np.array([[0.5], [1], [2]])})
    stored = unpack(packed_probe(data))
    assert stored.arrays["inputs/0"].dtype == np.float32
    np.testing.assert_allclose(stored.arrays["inputs/0"], x, rtol=1e-6)
    assert stored.arrays["inputs/1"].dtype == np.int32
    assert stored.arrays["inputs/1"][:, :, 0].tolist() == tokens.tolist()
    assert stored.arrays["targets/0"].ravel().tolist() == [0.5, 1, 2]
    assert [each["name"] for each in stored.meta["inputs"]] == ["x", "tokens"]
    assert stored.meta["targets"] == [{"name": "", "shape": [3, 1]}]
    assert stored.meta["sequences"] == 3


def test_numbers_that_int32_does_not_hold_are_stored_as_float32() -> None:
    stored = unpack(packed_probe(ProbeData({"": np.array([[2**40, 1]])})))
    assert stored.arrays["inputs/0"].dtype == np.float32
    assert stored.arrays["inputs/0"].ravel().tolist() == [2.0**40, 1.0]


def test_of_a_large_input_a_part_is_kept_and_named() -> None:
    x = np.broadcast_to(np.arange(1000.0)[None, :, None], (40, 1000, 30, 30)[:3])
    stored = unpack(packed_probe(ProbeData({"": x}, {"": np.zeros((40, 2**15))})))
    kept = stored.arrays["inputs/0/timesteps"]
    assert stored.arrays["inputs/0"].shape == (17, 512, 30)
    assert (stored.arrays["inputs/0"][0, :, 0] == kept).all()
    assert stored.arrays["targets/0"].shape == (2, 2**15)
    assert stored.arrays["inputs/0"].size <= 2**18
    assert "targets/0" not in unpack(packed_probe(ProbeData({}, {"": np.ones((1, 2**17))}))).arrays


def test_a_report_keeps_the_first_sequences_alone() -> None:
    stored = unpack(packed_probe(ProbeData({"": np.ones((4, 5, 3))}, {"": np.arange(4)})))
    part = part_of_probe(stored, 1)
    sizes = {name: len(each) for name, each in part.arrays.items()}
    assert sizes == {
        "inputs/0": 1,
        "inputs/0/sequences": 1,
        "inputs/0/timesteps": 5,
        "inputs/0/features": 3,
        "targets/0": 1,
    }
    assert part_of_probe(stored, None) is stored


def test_outputs_are_kept_of_the_sequences_of_the_layer() -> None:
    values = np.arange(60.0).reshape(3, 5, 4)
    arrays, told = output_arrays({"": values, "other": values[:2]}, keep((3, 5, 2)), 3)
    assert list(arrays) == ["output/0"]  # the other is not of these sequences
    assert arrays["output/0"].tolist() == values.reshape(3, 20).tolist()
    assert told == {"outputs": [{"name": "", "shape": (5, 4)}]}
    wide, _ = output_arrays({"": np.ones((8, 2**14))}, keep((8, 5, 2)), 8)
    assert wide["output/0"].shape == (4, 2**14)
    assert output_arrays({"": np.ones((2, 2**14 + 1))}, keep((2, 5, 2)), 2) == ({}, {})


GROUPS = (("train", 60), ("validation", 4))


def test_of_named_probes_the_first_sequences_of_each_are_stored() -> None:
    x = np.broadcast_to(np.arange(64.0)[:, None, None], (64, 1000, 600))
    wide = np.broadcast_to(np.arange(64.0)[:, None], (64, 2**14))
    stored = unpack(packed_probe(ProbeData({"": x}, {"": wide, "y": np.arange(64)}, GROUPS)))
    assert stored.meta["groups"] == [list(group) for group in GROUPS]
    kept = stored.arrays["inputs/0/sequences"]
    assert {0, 60} <= set(kept.tolist())
    assert (stored.arrays["inputs/0"][:, 0, 0] == kept).all()
    assert stored.arrays["targets/0/sequences"].tolist() == [0, 1, 60, 61]
    assert stored.arrays["targets/0"][:, 0].tolist() == [0, 1, 60, 61]
    assert "targets/1/sequences" not in stored.arrays  # all are stored
    part = part_of_probe(stored, 1)
    for name in ("inputs/0", "targets/0", "targets/1"):
        assert part.arrays[f"{name}/sequences"].tolist() == [0, 60]
        assert part.arrays[name].reshape(2, -1)[:, 0].tolist() == [0, 60]


def test_a_capture_keeps_some_of_each_probe_with_its_outputs_and_so_does_a_report(
    rng: np.random.Generator,
) -> None:
    one = analyse(samples.snapshot(rng, batch=64, time=900))
    trace = GateTrace(
        {"h": np.broadcast_to(one.trace.h[:, :, :1], (64, 900, 300))}, {"h": None}, groups=GROUPS
    )
    given = np.broadcast_to(np.arange(64.0)[:, None], (64, 2**14))
    value = gates_value(replace(one, trace=trace, parity=None), outputs={"": given})
    stored = unpack(value.tensor.string_val[0])
    kept = stored.arrays["sequences"]
    assert {0, 60} <= set(kept.tolist())
    assert stored_groups(stored.meta) == GROUPS
    np.testing.assert_array_equal(
        stored.arrays["gates/h"][:, 0, 0], trace.h[kept, 0, 0].astype(np.float16)
    )
    for plan in PLANS:
        small = unpack(shrunk(stored, plan))
        originals = small.arrays["sequences"]
        assert {0, 60} <= set(originals.tolist())
        [told] = small.meta["outputs"]
        places = told.get("sequences", list(range(len(originals))))
        assert small.arrays["output/0"][:, 0].tolist() == originals[places].tolist()
        assert {0, 60} <= set(originals[places].tolist())


def test_a_part_of_the_outputs_has_the_places_of_its_sequences() -> None:
    groups, kept = (("a", 30), ("b", 10)), keep((40, 5, 2), (30, 10))
    values = np.broadcast_to(np.arange(40.0)[:, None], (40, 2**14))
    arrays, told = output_arrays({"": values}, kept, 40, groups)
    places = told["outputs"][0]["sequences"]
    few, field = part_of_outputs(Stored(arrays, told), np.array([0, 30, 31]))
    assert few["output/0"][:, 0].tolist() == kept.sequences[[0, 30, 31]].tolist()
    assert field["outputs"][0]["sequences"] == [0, 1, 2]
    assert arrays["output/0"][:, 0].tolist() == kept.sequences[places].tolist() == [0, 1, 30, 31]


def test_a_projected_h_is_stored_of_the_sequences_of_the_gates(rng: np.random.Generator) -> None:
    weights = replace(
        samples.lstm_weights(rng, units=300),
        recurrent_kernel=rng.normal(size=(4, 4, 300)) / 20,
        projection=rng.normal(size=(300, 4)) / 20,
    )
    one = analyse(samples.snapshot(rng, batch=6, time=600, weights=weights, cell=LstmCell()))
    stored = unpack(gates_value(one).tensor.string_val[0])
    assert stored.arrays["gates/h"].shape == (2, 512, 4)
    assert stored.arrays["gates/f"].shape == (2, 512, 256)
    assert stored.arrays["error/h"].shape == (2, 512, 4)
    checked_capture(stored)


def written(directory: Path, rng: np.random.Generator, **options: object) -> RunReader:
    data = ProbeData({"": rng.normal(size=(2, 7, 3))}, {"": np.array([1, 0])})
    with RunLog(directory, pictures=False, data=data, **options) as log:  # type: ignore[arg-type]
        for step in (0, 5):
            outputs = {"": np.full((2, 3, 4), step)}
            log.write([analyse(samples.snapshot(rng, step=step))], step=step, outputs=outputs)
    return RunReader(log.directory)


def test_a_run_holds_the_probe_once_and_the_outputs_at_each_capture(
    tmp_path: Path, rng: np.random.Generator
) -> None:
    reader = written(tmp_path, rng)
    assert list(reader._blobs[TAG]) == [0]
    assert reader.probe().meta["sequences"] == 2
    assert reader.layers == ("memory",)  # the probe is no layer
    for step in (0, 5):
        stored = reader.capture("memory", step)
        assert (stored.arrays["output/0"] == step).all()
        assert stored.meta["outputs"] == [
            {"name": "", "shape": [3, 4], "range": [0.0, float(step)]}
        ]


def test_a_log_of_numbers_alone_has_no_data(tmp_path: Path, rng: np.random.Generator) -> None:
    reader = written(tmp_path, rng, detail="scalars")
    assert TAG not in reader._blobs
    assert reader.probe() is None


def test_the_data_counts_in_the_size_of_the_log_and_is_left_out_without_room(
    tmp_path: Path, rng: np.random.Generator, caplog: pytest.LogCaptureFixture
) -> None:
    data = ProbeData({"": rng.normal(size=(16, 100, 30))})
    size = len(packed_probe(data))
    logs = {}
    for limit in (size // 2, 3 * size):
        directory = tmp_path / str(limit)
        with RunLog(directory, pictures=False, data=data, max_bytes=limit) as log:
            log.write([analyse(samples.snapshot(rng))], step=0)
            log.write([analyse(samples.snapshot(rng, step=9))], step=9)
        logs[limit] = RunReader(log.directory)
    assert logs[size // 2].probe() is None
    assert caplog.text.count("probe's own data has no room") == 1
    assert "log_data=False" in caplog.text
    assert logs[3 * size].probe() is not None
    assert logs[size // 2].steps("memory") == [0, 9]  # the rest works

    with RunLog(tmp_path / "full", pictures=False, data=data, max_bytes=size + 100) as log:
        log.write([analyse(samples.snapshot(rng))], step=0)
        log.write([analyse(samples.snapshot(rng, step=9))], step=9)
    assert RunReader(log.directory).steps("memory") == [0]  # with the data it has come to its end


@pytest.mark.parametrize("plan", PLANS, ids=str)
def test_a_report_shows_the_outputs_of_the_sequences_that_it_keeps(
    plan: object, tmp_path: Path, rng: np.random.Generator
) -> None:
    stored = written(tmp_path, rng).capture("memory", 5)
    small = unpack(shrunk(stored, plan))  # type: ignore[arg-type]
    assert (small.arrays["output/0"] == 5).all()
    assert len(small.arrays["output/0"]) == len(small.arrays["sequences"])
    assert small.arrays["output/0"].shape[1] == 12
