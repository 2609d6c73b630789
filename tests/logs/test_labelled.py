from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas
import pytest
import samples
import xarray

from lstm_probe import GateTrace, LstmProbeError, analyse


@pytest.fixture
def trace(rng: np.random.Generator) -> GateTrace:
    mask = np.ones((2, 7), bool)
    mask[1, 4:] = False
    return analyse(samples.snapshot(rng, step=300, mask=mask)).trace


@pytest.fixture
def projected(rng: np.random.Generator) -> GateTrace:
    arrays = {"f": rng.uniform(size=(2, 3, 4)), "h": rng.normal(size=(2, 3, 2))}
    return GateTrace(arrays, {"f": (0.0, 1.0), "h": None}, layer="narrow")


def test_a_dataset_holds_every_gate_under_its_letter_and_labels(trace: GateTrace) -> None:
    data = trace.to_xarray()
    assert list(data.data_vars) == list("ifgoch")
    for letter in trace.letters:
        assert data[letter].dims == ("sequence", "time", "unit")
        np.testing.assert_array_equal(data[letter].values, trace[letter])
    assert float(data.f.sel(sequence=1, time=3, unit=2)) == trace.f[1, 3, 2]
    assert data.attrs == {"layer": "memory", "cell": "lstm", "step": 300}
    assert data.f.attrs == {"long_name": "forget gate f", "valid_range": [0.0, 1.0]}
    assert "valid_range" not in data.c.attrs
    np.testing.assert_array_equal(data.mask.values, trace.mask)
    assert int(data.f.where(data.mask).isnull().sum()) == 3 * 5


def test_a_dataset_shares_the_arrays_of_the_trace(trace: GateTrace) -> None:
    assert np.shares_memory(trace.to_xarray().f.values, trace.f)


def test_a_dataset_gives_h_a_dimension_of_its_own_when_it_is_projected(
    projected: GateTrace,
) -> None:
    data = projected.to_xarray()
    assert data.h.dims == ("sequence", "time", "output_unit")
    assert dict(data.sizes) == {"sequence": 2, "time": 3, "unit": 4, "output_unit": 2}
    assert data.attrs == {"layer": "narrow", "cell": ""}


def test_a_frame_has_a_row_for_each_sequence_step_and_unit(trace: GateTrace) -> None:
    frame = trace.to_dataframe()
    assert list(frame.columns) == ["sequence", "time", "unit", *"ifgoch", "mask"]
    assert len(frame) == 2 * 7 * 5
    for _, row in frame.sample(20, random_state=0).iterrows():
        sequence, time, unit = (int(row[name]) for name in ("sequence", "time", "unit"))
        assert row["o"] == trace.o[sequence, time, unit]
        assert trace.mask is not None
        assert row["mask"] == trace.mask[sequence, time]
    assert frame.attrs == {"layer": "memory", "cell": "lstm", "step": 300}


def test_a_frame_leaves_h_empty_where_a_projection_has_no_unit(projected: GateTrace) -> None:
    frame = projected.to_dataframe()
    assert len(frame) == 2 * 3 * 4
    assert frame.loc[frame.unit >= 2, "h"].isna().all()
    np.testing.assert_array_equal(frame.loc[frame.unit < 2, "h"], projected.h.ravel())


def test_a_frame_and_a_dataset_say_the_same(trace: GateTrace) -> None:
    theirs = trace.to_xarray().to_dataframe().reset_index()[["sequence", "time", "unit", "f"]]
    ours = trace.to_dataframe()[["sequence", "time", "unit", "f"]]
    pandas.testing.assert_frame_equal(ours, theirs, check_dtype=False)


@pytest.mark.parametrize(
    ("module", "method"), [("xarray", "to_xarray"), ("pandas", "to_dataframe")]
)
def test_the_extra_is_named_when_the_library_is_missing(
    trace: GateTrace, monkeypatch: pytest.MonkeyPatch, module: str, method: str
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(LstmProbeError, match=rf"{method} needs {module}.*lstm_probe\[export\]"):
        getattr(trace, method)()


@pytest.mark.parametrize("method", ["to_xarray", "to_dataframe"])
def test_a_letter_that_is_the_name_of_an_axis_is_refused(method: str) -> None:
    trace = GateTrace({"time": np.zeros((1, 2, 3)), "h": np.zeros((1, 2, 3))}, {})
    with pytest.raises(LstmProbeError, match="Received: time"):
        getattr(trace, method)()


def test_a_dataset_survives_a_file(trace: GateTrace, tmp_path: Path) -> None:
    pytest.importorskip("scipy", reason="one of xarray's writers of netCDF")
    data = trace.to_xarray()
    data.drop_vars("mask").to_netcdf(tmp_path / "trace.nc", engine="scipy")
    with xarray.open_dataset(tmp_path / "trace.nc", engine="scipy") as loaded:
        np.testing.assert_array_equal(loaded.g.values, trace.g)
        assert loaded.attrs["layer"] == "memory"


WORDS = (("a", "good", "film", "", "", "", ""), ("a", "very", "bad", "film", ",", "isn't", "it"))


def test_each_sequence_has_its_own_labels(trace: GateTrace) -> None:
    labelled = replace(trace, labels=WORDS, sequence_names=("praise", "blame"))
    data = labelled.to_xarray()
    assert data.label.dims == ("sequence", "time")
    assert tuple(map(tuple, data.label.values.tolist())) == WORDS
    assert data.sequence_name.values.tolist() == ["praise", "blame"]
    frame = labelled.to_dataframe()
    assert len(frame) == 2 * 7 * 5
    for _, row in frame.iterrows():
        assert row["label"] == WORDS[row["sequence"]][row["time"]]
        assert row["sequence_name"] == ("praise", "blame")[row["sequence"]]


@pytest.mark.parametrize("method", ["to_xarray", "to_dataframe"])
def test_a_letter_that_is_the_name_of_a_label_is_refused_beside_labels(method: str) -> None:
    arrays = {"label": np.zeros((1, 2, 3)), "h": np.zeros((1, 2, 3))}
    getattr(GateTrace(arrays, {}), method)()
    with pytest.raises(LstmProbeError, match="Received: label"):
        getattr(GateTrace(arrays, {}, labels=(("a", "b"),)), method)()
