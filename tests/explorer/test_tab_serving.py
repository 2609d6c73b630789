"""The gate explorer under TensorBoard's other ways to serve, and with large logs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import browser
import pytest
import tab_logs
from tab_browser import Explorer

#: More than TensorBoard's defaults: 10 blobs; 100 (fast) or 10 (legacy) tensors; and 300.
CAPTURES, RUNS = 420, 300
SPEC = "spec"


@pytest.fixture(scope="module")
def log_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("logs")
    tab_logs.write_small_run(directory / "long" / "lstm_probe", range(CAPTURES))
    for number in range(RUNS):
        tab_logs.write_small_run(directory / f"sweep/seed={number}", range(1))
    return directory


@pytest.mark.parametrize(
    ("options", "run"),
    [
        pytest.param([], "long/lstm_probe", id="fast"),
        pytest.param([SPEC], "named/lstm_probe", id="spec"),  # it implies the legacy loader
        pytest.param(["--load_fast=false"], "long/lstm_probe", id="legacy", marks=pytest.mark.long),
    ],
)
@pytest.mark.daily(1)
def test_all_captures_of_hundreds_of_runs_are_served(
    log_dir: Path, options: list[str], run: str
) -> None:
    prefix = "--path_prefix=/some/prefix"
    if options == [SPEC]:
        options = [f"--logdir_spec=named:{log_dir / 'long'},sweep:{log_dir / 'sweep'}"]
    with browser.page() as page, browser.tensorboard(log_dir, prefix, *options) as address:
        explorer = Explorer(page, address)
        wait_until_loaded(page, address, run)
        explorer.open(run=run, step=CAPTURES // 2)
        explorer.wait(lambda: f"of {CAPTURES}" in explorer.step_text)
        cell = explorer.hover(0.2, 0.2)
        trace = tab_logs.analysis(0).trace
        for letter in "ifgoch":
            expected = float(trace[letter][0, cell["timestep"], cell["unit"]])
            assert cell["values"][letter][0] == pytest.approx(expected, abs=1.1e-3)
        explorer.inside.get_by_label("Filter Run", exact=True).fill("seed=17")
        names = explorer.inside.get_by_label("Run", exact=True).locator("option").all_inner_texts()
        assert len(names) == 12  # 17, 170..179, and the one that is shown
        explorer.assert_clean()


def wait_until_loaded(page: Any, address: str, run: str) -> None:
    base = f"{address.rstrip('/')}/data/plugin/lstm_probe"
    for _ in range(200):
        runs = page.request.get(f"{base}/runs").json()["runs"]
        if len(runs) == RUNS + 1:
            last = {each["name"]: each["last"] for each in runs}
            if last[run] == CAPTURES - 1:
                return
        page.wait_for_timeout(100)
    raise AssertionError(f"TensorBoard has loaded {len(runs)} of {RUNS + 1} runs")
