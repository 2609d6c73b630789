"""The Python on the pages of the documentation runs, page by page, as a reader would type it."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from checkout import ROOT

import lstm_probe.callbacks

DOCS = ROOT / "docs"
#: A block, and what stands before it if it needs a process of its own.
_BLOCK = re.compile(r"(<!-- in a process of its own -->\n)?^```python\n(.*?)^```$", re.M | re.S)
#: Pages whose Python runs in this process, one block after the other in one namespace.
PAGES = (
    "index",
    "what_it_computes",
    "after_the_run",
    "add_a_cell",
    "parity",
    "stability",
    "tutorial_what_it_computes",
    "recipes",
)


def blocks(page: str, *, alone: bool = False) -> list[str]:
    text = (DOCS / f"{page}.md").read_text()
    found = []
    for block in _BLOCK.finditer(text):
        if bool(block[1]) == alone:
            # Line numbers of a traceback are those of the page.
            found.append("\n" * text.count("\n", 0, block.start(2)) + block[2])
    return found


def test_every_page_with_python_is_run() -> None:
    pages = {path.stem for path in DOCS.glob("*.md") if "```python" in path.read_text()}
    # These are in tests/long/test_ecosystem.py and tests/pytorch/test_torch_docs.py.
    assert pages == {*PAGES, "trackers", "pytorch", "pytorch_trainers"}


# The tutorial trains five models, and the recipes a dozen.
@pytest.mark.parametrize(
    "page", [*PAGES[:-2], *(pytest.param(page, marks=pytest.mark.long) for page in PAGES[-2:])]
)
def test_python_of_a_page_runs(
    page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    namespace: dict[str, Any] = {"__name__": "__main__"}
    for block in blocks(page):
        exec(compile(block, DOCS / f"{page}.md", "exec"), namespace)
    out = capsys.readouterr().out
    if page == "index":
        assert re.search(r"memory +lstm +16 +\d .* match", out)
        assert "The gradient reaches all 30 steps." in out
        assert re.search(
            r"^saturated_gates: layer 'memory', .* Try: a lower learning rate", out, re.M
        )
    if page == "what_it_computes":
        said = (DOCS / "what_it_computes.md").read_text().split("It names the unit: `")[1]
        assert said.partition("`")[0] in out
    if page == "parity":
        assert re.search(r"mismatch from timestep 1, .* most likely gate f", out)
        assert "forget_bias: the framework adds 1.0 to the forget gate" in out
    if page == "stability":
        assert "- The network is a latch" in out
        assert "(12,)" in out
    if page == "tutorial_what_it_computes":
        assert "The network is a latch" in out
        assert out.count("A direction of the state fades so slowly that it outlasts the probe") == 2
        assert re.search(r"held for 1000 steps: \['(1.0|0.9)\d', '-(1.0|0.9)\d'\]", out)
        assert_of_outputs(out)
    if page == "recipes":
        stopped = re.search(r"stopped after (\d+) captures", out)
        assert stopped is not None
        assert int(stopped[1]) < 50
        assert "['both/forward_lstm', 'both/backward_lstm']" in out


def assert_of_outputs(out: str) -> None:
    """What the tutorial says of the two networks that answer at the end."""
    counted, network, digits = map(int, re.findall(r"right on (\d+)%", out)[:3])
    assert counted < 70
    assert network > 95
    assert digits > 90
    assert out.count("asked of the model itself.") == 3
    untrained, trained = out.partition("network: right on")[::2]
    assert "follows score beyond chance" in untrained.rpartition("words counted")[2]
    assert re.search(r"Unit \d follows score", trained)
    assert re.search(r"Unit \d follows negated", trained)
    liked = [line for line in out.splitlines() if " liked: " in line]
    assert [round(float(line.split()[0])) for line in liked] == [1, 0, 1]
    assert "not -0." in liked[1]
    assert "not +0." in liked[2]
    assert "No unit follows ink of others beyond chance" in out
    assert re.search(r"is a 0, but all 16 together tell it|follows is a 0", out)


@pytest.mark.long
def test_python_of_a_recipe_for_sessions_runs_alone(tmp_path: Path) -> None:
    (block,) = blocks("recipes", alone=True)
    process = subprocess.run(
        [sys.executable, "-c", block], cwd=tmp_path, capture_output=True, text=True, timeout=120
    )
    assert process.returncode == 0, process.stderr
    assert re.search(r"memory +lstm +8 +\d .* match", process.stdout), process.stdout


def test_every_public_name_is_described() -> None:
    pages = "".join(path.read_text() for path in (DOCS / "api").glob("*.md"))
    described = set(re.findall(r"^::: ([\w.]+)$", pages, re.M))
    # Weights are named by function; they are described as a whole.
    names = set(lstm_probe.__all__) - {"LstmWeights", "__version__"}
    expected = {f"lstm_probe.{name}" for name in names}
    expected |= {f"lstm_probe.callbacks.{name}" for name in lstm_probe.callbacks.__all__}
    assert expected <= described


def test_the_changelog_links_to_no_file_because_it_is_read_in_two_places() -> None:
    links = re.findall(r"\]\(([^)]+)\)", (ROOT / "CHANGELOG.md").read_text())
    assert all(link.startswith("https://") for link in links)


def test_pages_link_to_pages_and_pictures_that_exist() -> None:
    for path in [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *DOCS.rglob("*.md")]:
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", path.read_text()):
            assert (path.parent / target).exists(), f"{path.name}: {target}"
