"""What the analyses found, in a log: what is stored, how much of it, and how it is read back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import samples

from lstm_probe import LstmProbeError, analyse
from lstm_probe.analysis.explained import Explained, explain_layer
from lstm_probe.analysis.geometry.geometry import Geometry
from lstm_probe.explorer.page.index import analysed_steps
from lstm_probe.logs import EventFile, RunLog
from lstm_probe.logs.stored.findings import packed_findings, read_findings
from lstm_probe.logs.stored.reader import RunReader
from lstm_probe.logs.stored.values import findings_value
from lstm_probe.models.probe_data import ProbeData

NAMES = ["ablation", "tracking", "attribution", "need", "stability", "geometry"]


def explained(rng: np.random.Generator, names: list[str] = NAMES, **fields: Any) -> Explained:
    seen = samples.snapshot(rng, batch=12, time=15, layer="memory", step=7, **fields)
    return explain_layer(analyse(seen), target=seen.x[:, 3, 0], analyses=names)


def test_every_finding_comes_back_with_its_sentences(rng: np.random.Generator) -> None:
    one = explained(rng)
    found = read_findings(packed_findings(one))
    assert list(found["findings"]) == NAMES
    assert (found["layer"], found["step"], found["missing"]) == ("memory", 7, {})
    for name, finding in one.findings.items():
        texts = [each["text"] for each in found["findings"][name]["sentences"]]
        assert texts == [answer.text for answer in finding.sentences()]
    effects = one.findings["ablation"].at_mean.ranked_by
    stored = found["findings"]["ablation"]
    assert stored["units"] == np.argsort(-effects).tolist()
    np.testing.assert_allclose(stored["effect"], effects[stored["units"]], rtol=1e-3)
    attribution = one.findings["attribution"]
    values = np.array(found["findings"]["attribution"]["values"])
    np.testing.assert_allclose(
        values, attribution.values[:, :4].swapaxes(2, 3), rtol=1e-3, atol=1e-12
    )
    eigenvalues = one.findings["stability"].spectrum.eigenvalues
    pairs = np.array(found["findings"]["stability"]["spectrum"]["eigenvalues"])
    np.testing.assert_allclose(pairs @ [1, 1j], eigenvalues, rtol=1e-3, atol=1e-12)
    geometry, kept = one.findings["geometry"], found["findings"]["geometry"]
    assert (kept["of"], len(kept["ways"])) == (12, 12)
    for way, path in zip(kept["ways"], geometry.path, strict=True):
        assert way["timesteps"] == list(range(15))
        np.testing.assert_allclose([way["x"], way["y"]], path.T, rtol=1e-3, atol=1e-12)


def test_ways_leave_masked_steps_out_and_long_ones_are_thinned(rng: np.random.Generator) -> None:
    path = rng.normal(size=(30, 300, 2))
    path[1, :40] = np.nan
    path[2] = np.nan
    geometry = Geometry(1.0, None, 2, np.ones(2), np.eye(2), path, None, None, None, 7)
    one = Explained("memory", 7, {"geometry": geometry}, {})
    kept = read_findings(packed_findings(one))["findings"]["geometry"]
    assert (kept["of"], len(kept["ways"]), kept["classes"]) == (30, 24, None)
    lengths = [len(way["timesteps"]) for way in kept["ways"][:3]]
    assert lengths == [128, 128, 0]
    assert (kept["ways"][1]["timesteps"][0], kept["ways"][1]["timesteps"][-1]) == (40, 299)
    assert kept["ways"][1]["x"][0] == pytest.approx(path[1, 40, 0], rel=1e-3)


def test_classes_stay_out_of_a_log_without_the_data(rng: np.random.Generator) -> None:
    seen = samples.snapshot(rng, batch=12, time=15, layer="memory", step=7)
    one = explain_layer(analyse(seen), target=np.arange(12) % 2, analyses=["geometry"])
    for data in (True, False):
        kept = read_findings(packed_findings(one, data=data))["findings"]["geometry"]
        assert kept.get("classes") == ([0, 1] * 6 if data else None)
        assert kept["sentences"][1]["text"] == one.findings["geometry"].sentences()[1].text


def test_the_units_of_a_series_stand_with_their_own_statistics(rng: np.random.Generator) -> None:
    one = explained(rng, ["tracking"])
    tracking = one.findings["tracking"]
    stored = read_findings(packed_findings(one))["findings"]["tracking"]
    for each in stored["series"]:
        k = tracking.names.index(each["name"])
        for name in ("r2", "correlation", "p"):
            expected = getattr(tracking, name)[each["units"], k]
            np.testing.assert_allclose(np.array(each[name], float), expected, rtol=1e-3)


def test_numbers_that_are_not_finite_are_texts(rng: np.random.Generator) -> None:
    one = explained(rng, ["tracking"])
    one.findings["tracking"].area[:] = np.nan
    stored = read_findings(packed_findings(one))["findings"]["tracking"]
    assert {value for each in stored["series"] for value in each["area"]} == {"nan"}


def test_what_is_stored_of_a_large_layer_is_bounded(rng: np.random.Generator) -> None:
    class Large:
        def __init__(self, **fields: Any) -> None:
            self.fields = fields

        def sentences(self) -> list[Any]:
            return []

        def plain(self) -> dict[str, Any]:
            return self.fields

    wide = rng.normal(size=5000)
    table = rng.normal(size=(5000, 300))
    effects = dict.fromkeys(("ranked_by", "on_others", "on_output", "loss"), wide)
    findings = {
        "ablation": Large(
            at_mean={**effects, "named": ()}, at_zero=effects, word="unit", loss=1.0, by_time=wide
        ),
        "tracking": Large(
            names=[f"series {k}" for k in range(300)], families=["input"] * 300, named={},
            shuffles=9, **dict.fromkeys(("r2", "correlation", "p", "area"), table),
        ),
        "attribution": Large(
            values=rng.normal(size=(3, 20, 700, 40)), by_step=rng.normal(size=(3, 20, 700))
        ),
        "stability": Large(
            spectrum={"eigenvalues": rng.normal(size=(32, 512, 2)).tolist()},
            points={"eigenvalues": rng.normal(size=(90, 512, 2)).tolist(), "kinds": ["stable"] * 90,
                    "reached": [1] * 90},
            exponents={}, structures=(),
        ),
    }  # fmt: skip
    data = packed_findings(Explained("memory", 1, findings, {}))
    assert 100_000 < len(data) < 600_000
    stored = read_findings(data)["findings"]
    assert np.shape(stored["attribution"]["values"]) == (3, 4, 16, 128)
    assert stored["attribution"]["timesteps"][-1] == 699
    assert len(stored["ablation"]["effect"]) == 2048
    assert stored["ablation"]["units"][0] == wide.argmax()


def test_a_log_holds_them_and_the_latest_are_read(tmp_path: Path, rng: np.random.Generator) -> None:
    seen = samples.snapshot(rng, layer="memory")
    with RunLog(tmp_path, data=ProbeData({"": seen.x}, {})) as log:
        log.write([analyse(seen)], step=0)
        log.write_explained({"memory": Explained("memory", 1, {}, {"need": "No."})}, step=1)
        log.write_explained({"memory": explained(rng, ["attribution"])}, step=7)
    run = RunReader(log.directory)
    assert run.layers == ("memory",)
    found = run.findings("memory")
    assert found is not None
    assert found["step"] == 7
    assert "values" in found["findings"]["attribution"]
    assert run.findings("other") is None
    assert (run.findings_steps("memory"), run.findings_steps("other")) == ([1, 7], [])
    before = run.findings("memory", 1)
    assert before is not None
    assert before["missing"] == {"need": "No."}


def test_they_stay_when_a_long_log_is_thinned_out(tmp_path: Path, rng: np.random.Generator) -> None:
    one = analyse(samples.snapshot(rng, layer="memory"))
    with RunLog(tmp_path, detail="explorer") as log:
        for step in range(40):
            log.write([one], step=step)
            if step == 1:
                log.write_explained({"memory": Explained("memory", 1, {}, {"need": "No."})}, step=1)
    run = RunReader(log.directory, most=5)
    assert 1 not in run.steps("memory")
    assert run.findings("memory") is not None


@pytest.mark.parametrize("detail", ["scalars", "explorer"])
def test_without_the_data_nothing_tells_the_inputs(
    detail: Any, tmp_path: Path, rng: np.random.Generator
) -> None:
    one = explained(rng, ["ablation", "attribution"])
    with RunLog(tmp_path, detail=detail) as log:
        log.write_explained({"memory": one}, step=7)
    found = RunReader(log.directory).findings("memory")
    if detail == "scalars":
        assert found is None
        return
    assert found is not None
    assert set(found["findings"]["attribution"]) == {"sentences"}
    assert "effect" in found["findings"]["ablation"]


def test_they_are_left_out_where_the_log_has_no_room(
    tmp_path: Path, rng: np.random.Generator, caplog: pytest.LogCaptureFixture
) -> None:
    one = explained(rng, ["ablation"])
    with RunLog(tmp_path, max_bytes=findings_value(one).ByteSize() - 1) as log:
        log.write_explained({"memory": one}, step=7)
    assert RunReader(log.directory).findings("memory") is None
    assert "what the analyses found has no room in the log" in caplog.text


@pytest.mark.parametrize(
    "data", [b"", b"[]", b"{}", b'{"format": 2, "findings": {}, "missing": {}}']
)
def test_damaged_findings_are_told_and_no_report_fails_of_them(data: bytes, tmp_path: Path) -> None:
    with pytest.raises(LstmProbeError, match="The stored findings cannot be read"):
        read_findings(data)
    value = findings_value(Explained("memory", 0, {}, {}))
    value.tensor.string_val[0] = data
    with EventFile(tmp_path) as file:
        file.write([value], step=0)
    run = RunReader(tmp_path)
    with pytest.raises(LstmProbeError):
        run.findings("memory")
    assert analysed_steps(run, "memory", 1e6) == ([], 0)


def test_a_report_has_room_for_some_findings_and_always_for_the_latest(tmp_path: Path) -> None:
    with RunLog(tmp_path, detail="explorer") as log:
        for step in range(10):
            told = {"memory": Explained("memory", step, {}, {"need": "No target."})}
            log.write_explained(told, step=step)
    run = RunReader(log.directory)
    every, size = analysed_steps(run, "memory", 1e6)
    assert every == list(range(10))
    some, less = analysed_steps(run, "memory", size / 3)
    assert (len(some), some[0], some[-1]) == (3, 0, 9)
    assert less <= size / 3
    assert analysed_steps(run, "memory", 0)[0] == [9]
