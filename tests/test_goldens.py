"""Tables that others published, recomputed: the numbers in TensorFlow Lite's own kernel tests.

The tables are not part of this repository; the folder lies beside the checkout.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from lstm_probe.cells import GruCell, LstmCell, SimpleRnnCell, gru, lstm, simple_rnn
from lstm_probe.weights import (
    CoupledLstmWeights,
    LstmWeights,
    SimpleRnnWeights,
    from_tf1_gru,
)

GOLDENS = Path(__file__).resolve().parents[2] / "shared" / "goldens"
MANIFEST = GOLDENS / "MANIFEST.json"
CASES = json.loads(MANIFEST.read_text())["cases"] if MANIFEST.exists() else []

pytestmark = pytest.mark.skipif(not CASES, reason="no published tables beside the checkout")


def lstm_weights(w):
    """TensorFlow Lite keeps each gate's kernel apart, as `(units, input)`."""
    kind = LstmWeights if "Wi" in w else CoupledLstmWeights

    def stacked(letter, gates=kind.gates, axis=0):
        names = [f"{letter}{gate}" for gate in gates]
        return np.stack([w[n].T for n in names], axis=axis) if names[-1] in w else None

    return kind(
        stacked("W", axis=1),
        stacked("R", axis=1),
        stacked("b"),
        peepholes=stacked("P", kind.peephole_gates),
        projection=w["proj"].T if "proj" in w else None,
        projection_bias=w.get("proj_bias"),
        norm_scale=stacked("L"),
    )


def outputs(case, arrays, direction):
    w = {
        name.split(".")[-1]: array
        for name, array in arrays.items()
        if name.startswith(f"w.0{direction}.")
    }
    x = arrays["x"] if direction == "f" else arrays["x"][:, ::-1]
    activation = case["config"]["activation"]
    state = [arrays["state0.0"]] if "state0.0" in arrays else None
    if case["cell"].endswith("lstm"):
        trace = lstm(x, lstm_weights(w), cell=LstmCell(activation=activation), dtype="float64")
    elif case["cell"] == "gru":
        names = "gate_kernel", "gate_bias", "cand_kernel", "cand_bias"
        weights = from_tf1_gru(*(w[name].T for name in names))
        trace = gru(x, weights, cell=GruCell(), initial_state=state, dtype="float64")
    else:
        weights = SimpleRnnWeights(w["W"].T[:, None], w["R"].T[:, None], w["b"][None])
        trace = simple_rnn(x, weights, cell=SimpleRnnCell(activation=activation), dtype="float64")
    return trace.h if direction == "f" else trace.h[:, ::-1]


@pytest.mark.parametrize("case", CASES, ids=[case["id"] for case in CASES])
def test_published_numbers_are_met_when_a_table_is_recomputed(case):
    with np.load(GOLDENS / case["file"]) as file:
        arrays = dict(file)
    expected = {"f": arrays["expect.y"]}
    if "expect.1" in arrays:
        expected["b"] = arrays["expect.1"]
    for direction, theirs in expected.items():
        ours = outputs(case, arrays, direction)
        np.testing.assert_allclose(ours, theirs, **case["tolerance"])


def test_no_expected_array_is_left_out_when_the_tables_are_recomputed():
    expected = {name for case in CASES for name in case["arrays"] if name.startswith("expect.")}
    assert expected == {"expect.y", "expect.1"}
    assert len(CASES) >= 14
