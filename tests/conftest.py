"""What all tests share: quiet frameworks, seeded random numbers, and small models."""

from __future__ import annotations

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

from pathlib import Path

import numpy as np
import pytest
from checkout import ROOT
from shares import as_share, is_of_share, mark_long


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--share", type=as_share, help="k/n: the k-th of n shares of the tests (default: all)"
    )


@pytest.hookimpl(tryfirst=True)  # before pytest selects by marks
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    mark_long(items)
    share = config.getoption("--share")
    if share is not None:
        left_out = [item for item in items if not is_of_share(item, share)]
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if is_of_share(item, share)]


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(20261122)


@pytest.fixture
def mnist_path() -> Path:
    """Real MNIST digits that lie beside the checkout on the developers' machines."""
    path = ROOT.parent / "shared" / "data" / "mnist.npz"
    if not path.is_file():
        pytest.skip("no MNIST digits beside the checkout: ../shared/data/mnist.npz")
    return path


@pytest.fixture(autouse=True)
def unhurried(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a busy machine no capture is left out, but where the budget itself is tested."""
    if request.module.__name__ != "test_budget":
        monkeypatch.setattr("lstm_probe.callbacks.recording.budget.GRACE", 600.0)
