"""The Python on the pages for PyTorch, and the examples, as a reader would run them."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from checkout import ROOT
from processors import has_bfloat16

_BLOCK = re.compile(r"^```python\n(.*?)^```$", re.M | re.S)


def run(code: str, folder: Path, *options: str) -> str:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", *(["-c", code] if "\n" in code else [code]), *options],
        cwd=folder, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


def page(name: str) -> str:
    start = "" if has_bfloat16() else "import torch\ntorch.backends.mkldnn.set_flags(False)\n"
    return start + "\n".join(_BLOCK.findall((ROOT / "docs" / f"{name}.md").read_text()))


def test_the_first_hour_with_pytorch_runs(tmp_path: Path) -> None:
    out = run(page("pytorch"), tmp_path)
    assert re.search(r"memory/l0 +lstm +16 +\d .* match", out)
    assert "reduced precision (bfloat16)" in out
    assert re.search(r"^[123]$", out, re.M)  # as the budget allows on a busy machine


@pytest.mark.long
def test_the_page_of_trainers_runs(tmp_path: Path) -> None:
    pytest.importorskip("lightning")
    pytest.importorskip("transformers")
    out = run(page("pytorch_trainers"), tmp_path)
    assert re.search(r"memory/l0 +lstm +8 +\d .* match", out)
    assert re.search(r"memory/l0 +gru +16 +\d .* match", out)


def test_digits_are_learned_in_plain_pytorch(tmp_path: Path) -> None:
    pytest.importorskip("sklearn")
    out = run(
        str(ROOT / "examples" / "digits_torch.py"), tmp_path, "--epochs", "4", "--every", "60"
    )
    assert re.search(r"reader/l0 +lstm +128 +\d+ .* match", out)
    accuracy = re.search(r"never seen: ([\d.]+)%", out)
    assert accuracy is not None
    assert float(accuracy[1]) > 60


@pytest.mark.long
def test_characters_are_learned_with_lightning(tmp_path: Path) -> None:
    pytest.importorskip("lightning")
    out = run(str(ROOT / "examples" / "char_lightning.py"), tmp_path, "--steps", "120")
    assert re.search(r"memory/l0 +lstm +64 +\d+ .* match", out)
    first, last = re.search(r"steps: ([\d.]+), of the last 20: ([\d.]+)", out).groups()  # type: ignore[union-attr]
    assert float(last) < 0.8 * float(first)
