"""`lstm_probe.show`, and what probes, reports and analyses show of themselves in a notebook."""

from __future__ import annotations

import base64
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import tab_logs

import lstm_probe
from lstm_probe import LstmProbeError
from lstm_probe.logs import Report

WIDGET = "application/vnd.jupyter.widget-view+json"


@pytest.fixture(autouse=True)
def _anywidget() -> None:
    pytest.importorskip("anywidget", reason="anywidget is not installed")


def bundle_of(what: Any) -> dict[str, Any]:
    shown = what._repr_mimebundle_()
    return shown[0] if isinstance(shown, tuple) else shown


@pytest.fixture
def notebook(monkeypatch: pytest.MonkeyPatch) -> None:
    """A kernel of IPython."""
    shell = SimpleNamespace(kernel=object())
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: shell))


def test_log_directory_is_shown_as_widget_and_as_picture(tmp_path: Path) -> None:
    tab_logs.write_run(tmp_path / "a", [0, 4])
    widget = lstm_probe.show(tmp_path, view="#lstm_probe&step=4", height=500)
    try:
        assert (widget.view, widget.height) == ("#lstm_probe&step=4", 500)
        assert "capture?run=a%2Flstm_probe&layer=memory&step=4" in widget.opening
        data, _ = widget._repr_mimebundle_()
        assert data[WIDGET]["model_id"] == widget.model_id
        assert base64.b64decode(data["image/png"]).startswith(b"\x89PNG")
    finally:
        widget.close()


def test_new_captures_are_said_by_themselves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tab_logs.write_run(tmp_path / "a", [0])
    widget = lstm_probe.show(str(tmp_path))
    said: list[dict[str, Any]] = []
    monkeypatch.setattr(widget, "send", lambda message, data: said.append(message))
    tab_logs.write_small_run(tmp_path / "a" / "lstm_probe", range(5, 6))
    tab_logs.wait_until(lambda: said)
    widget.close()
    assert "capture?run=a%2Flstm_probe&layer=memory&step=5" in said[0]["addresses"]
    assert widget._thread is not None
    assert not widget._thread.is_alive()


def test_analyses_are_shown(notebook: None) -> None:
    one = tab_logs.analysis(3, step=3)
    for what in (one, [one], {"memory": one}):
        widget = lstm_probe.show(what)
        assert "capture?run=analysis&layer=memory&step=3" in widget.opening
        widget.close()
    shown = bundle_of(one)
    assert shown.keys() >= {WIDGET, "image/png", "text/html", "text/plain"}
    assert "<table" in shown["text/html"]


def test_probe_is_shown_before_and_while_it_trains(tmp_path: Path, notebook: None) -> None:
    log_dir, report = tmp_path / "later", Report()
    probe = SimpleNamespace(log_dir=log_dir, report=report)
    widget = lstm_probe.show(probe)
    try:
        assert widget._conversation._run() is None
        report.directory = tab_logs.write_run(log_dir, [2])
        assert widget._conversation._run() == "lstm_probe"
    finally:
        widget.close()
    shown = bundle_of(report)
    assert shown[WIDGET]
    assert shown["text/plain"] == "no captures"


def test_without_a_kernel_or_anything_to_show_the_table_has_to_do(
    notebook: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert bundle_of(Report()) == {}
    monkeypatch.delitem(sys.modules, "IPython")
    assert bundle_of(tab_logs.analysis(0)) == {}


@pytest.mark.parametrize(
    ("what", "options", "said"),
    [
        ("no such directory", {}, "There is no such log directory. Received: 'no such directory'"),
        (7, {}, "This cannot be shown. Received: int."),
        ([], {}, "This cannot be shown. Received: list."),
        ([7], {}, "This cannot be shown. Received: list."),
        (Report(), {}, "This cannot be shown. Received: Report."),
        (".", {"height": 20}, "Received: 20. Expected: 200 to 4000 pixels"),
    ],
)
def test_what_cannot_be_shown_is_refused(what: Any, options: dict[str, Any], said: str) -> None:
    with pytest.raises(LstmProbeError) as caught:
        lstm_probe.show(what, **options)
    assert said in str(caught.value)


def test_without_anywidget_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lstm_probe.explorer.widget.showing.find_spec", lambda name: None)
    with pytest.raises(LstmProbeError, match=r"pip install 'lstm_probe\[notebook\]'"):
        lstm_probe.show(".")
    assert bundle_of(tab_logs.analysis(0)) == {}
