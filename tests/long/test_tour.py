"""The notebook runs from its first cell to its last, and shows what its text says."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import nbformat
import pytest
from checkout import ROOT
from nbclient import NotebookClient

NOTEBOOK = ROOT / "examples" / "tour.ipynb"


def test_the_notebook_is_stored_without_outputs() -> None:
    cells = nbformat.read(NOTEBOOK, as_version=4).cells
    assert not any(cell.get("outputs") or cell.get("execution_count") for cell in cells)


@pytest.mark.long
def test_the_tour_finds_the_illness_and_the_cure(tmp_path: Path) -> None:
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    resources = {"metadata": {"path": str(tmp_path)}}
    NotebookClient(notebook, timeout=300, kernel_name="python3", resources=resources).execute()
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    out = "".join(_text(cell) for cell in cells)
    ill, cured = (int(number) for number in re.findall(r"right on (\d+)% of the test", out))
    assert ill < 65
    assert cured > 95
    assert re.search(r"short_memory: layer 'memory', gate f, unit \d+, step 2\d", out)
    assert re.search(r"vanishing_gradient: layer 'memory', step 2\d", out)
    assert "alerts: 0" in out
    assert re.search(r"memory +lstm +30 +\d+ .* match", out)
    kinds = [set(output.data) for cell in cells for output in cell.outputs if "data" in output]
    assert sum("text/html" in kind for kind in kinds) == 3  # two analyses and a dataset
    figures = [kind for kind in kinds if "image/png" in kind and "text/html" not in kind]
    assert len(figures) == 1
    assert (tmp_path / "logs" / "tour" / "trace.npz").is_file()


def _text(cell: Any) -> str:
    return "".join(output.text for output in cell.outputs if output.output_type == "stream")
