from __future__ import annotations

import numpy as np
import pytest

from lstm_probe import LstmProbeError
from lstm_probe.models.probe import as_probe, probe_leaves


def test_keeps_a_copy_when_the_user_changes_theirs_later() -> None:
    theirs = np.ones((1, 3, 2))
    ours = as_probe(theirs)
    theirs[:] = 7
    assert (ours == 1).all()


def test_keeps_the_structure_when_the_model_takes_several_inputs() -> None:
    a, b = np.ones((1, 3)), np.zeros((1, 2))
    assert [leaf.shape for leaf in probe_leaves(as_probe([a, b]))] == [(1, 3), (1, 2)]
    assert list(as_probe({"a": a, "b": b})) == ["a", "b"]


@pytest.mark.parametrize(
    ("probe", "message"),
    [
        (np.ones((0, 3, 2)), r"is empty.*\(0, 3, 2\).*x_train\[:1\]"),
        (np.ones((1, 0, 2)), r"is empty.*\(1, 0, 2\)"),
        (np.array([[[1.0, np.nan]]]), r"not finite.*1 NaN or infinite"),
        (np.array([[[np.inf, -np.inf]]]), r"not finite.*2 NaN or infinite"),
        (np.array([[[1j]]]), r"dtype that no model reads.*complex128"),
        (np.array([None, object()]), r"dtype that no model reads.*object"),
        ([[[1.0], [2.0]], [[1.0]]], r"not an array.*Pad the shorter ones"),
        ({"a": np.ones((0, 1))}, r"probe\['a'\] is empty"),
        ([np.ones((1, 2)), np.full((1, 2), np.nan)], r"probe\[1\] is not finite"),
    ],
)
def test_refuses_a_probe_when_nothing_could_be_seen_with_it(probe: object, message: str) -> None:
    with pytest.raises(LstmProbeError, match=message):
        as_probe(probe)
