"""The names that `lstm_probe.analysis` gives, and what importing it costs."""

from __future__ import annotations

import subprocess
import sys
import tempfile

import pytest

from lstm_probe import analysis

CODE = """
import sys
import lstm_probe.analysis as analysis
heavy = "tensorflow", "keras", "tf_keras", "torch", "jax", "matplotlib", "tensorboard", "PIL"
print(*[name for name in heavy if name in sys.modules])
print(*[name for name in sys.modules if name.startswith("lstm_probe.analysis.alerts")])
print(analysis.AlertBoard.__module__, set(analysis.__all__) <= set(dir(analysis)))
"""


def test_alerts_are_imported_only_when_they_are_used() -> None:
    done = subprocess.run(
        [sys.executable, "-c", CODE],
        check=True,
        capture_output=True,
        text=True,
        cwd=tempfile.gettempdir(),
    )
    assert done.stdout.splitlines() == ["", "", "lstm_probe.analysis.alerts.board True"]


@pytest.mark.parametrize("name", analysis.__all__)
def test_every_name_is_there_and_documented(name: str) -> None:
    assert "Example" in (getattr(analysis, name).__doc__ or "")


def test_no_other_name_is_there() -> None:
    with pytest.raises(AttributeError, match="no attribute 'find_alert'"):
        analysis.find_alert  # type: ignore[attr-defined]  # noqa: B018
