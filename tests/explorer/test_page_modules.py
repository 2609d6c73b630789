"""The page's modules that need no document, by node's own test runner: `js/*.test.mjs`."""

from __future__ import annotations

import base64
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from threading import Thread

import module_files
import numpy as np
import pytest
import tab_logs
from werkzeug.serving import make_server

from lstm_probe.explorer.log_captures import LogCaptures
from lstm_probe.explorer.page import write_page
from lstm_probe.explorer.server import Access, Application, Serving
from lstm_probe.explorer.static_files import static_files
from lstm_probe.explorer.widget.scripts import script
from lstm_probe.logs.stored.reader import find_runs

_TESTS = Path(__file__).parent / "js"
_OLDEST_NODE = 18
#: All that a browser fetches for the tab, and all that a report carries of it.
_MOST_BYTES = 300_000


@pytest.fixture(scope="module")
def node() -> str:
    """The command; the tests are skipped without it, and fail with LSTM_PROBE_NODE=required."""
    path = shutil.which("node")
    problem = "node is not installed" if path is None else None
    if path is not None:
        version = subprocess.check_output([path, "--version"], text=True).strip()
        if int(version.removeprefix("v").partition(".")[0]) < _OLDEST_NODE:
            problem = f"node is too old: {version}, not {_OLDEST_NODE} or newer"
    if path is None or problem is not None:
        assert os.environ.get("LSTM_PROBE_NODE") != "required", problem
        pytest.skip(str(problem))
    return path


@pytest.fixture(scope="module")
def surroundings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The environment of the tests: where the modules, files, report and routes are."""
    folder = tmp_path_factory.mktemp("modules")
    rng = np.random.default_rng(20261129)
    module_files.copy_modules(folder / "modules")
    module_files.write_files(folder, rng)
    module_files.write_logs(folder / "logs", rng)
    module_files.write_reports(folder / "logs", folder)
    with (
        tab_logs.served(folder / "logs", "legacy") as client,
        LogCaptures(folder / "logs") as captures,
        Serving(Application(captures, Access("127.0.0.1")), "127.0.0.1", 0) as own,
    ):
        server = make_server("127.0.0.1", 0, client.application, threaded=True)
        thread = Thread(target=server.serve_forever)
        thread.start()
        try:
            yield {
                "LSTM_PROBE_FILES": str(folder),
                "LSTM_PROBE_ROUTES": f"http://127.0.0.1:{server.server_port}{tab_logs.PREFIX}",
                "LSTM_PROBE_SERVER": own.address,
            }
        finally:
            server.shutdown()
            thread.join()
            server.server_close()


@pytest.mark.parametrize("path", sorted(_TESTS.glob("*.test.mjs")), ids=lambda path: path.stem)
def test_modules_do_what_node_tests_of_them(
    path: Path, node: str, surroundings: dict[str, str]
) -> None:
    result = subprocess.run(
        [node, "--test", str(path)],
        env=os.environ | surroundings,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    counts = dict(re.findall(r"^\S+ (pass|skipped|todo) (\d+)$", result.stdout, re.MULTILINE))
    assert int(counts["pass"]) > 0, result.stdout
    assert (counts["skipped"], counts["todo"]) == ("0", "0"), result.stdout


def served(*packages: str) -> int:
    return sum(len(reply.content) for reply in static_files(*packages).values())


def carried_by_a_report(folder: Path) -> int:
    tab_logs.write_run(folder / "logs", [0])
    path = folder / "report.html"
    write_page(path, find_runs(folder / "logs"))
    text = path.read_text()
    scripts = re.findall(r"data:text/javascript;base64,([\w+/=]+)", text)
    (style,) = re.findall(r"<style>(.*?)</style>", text, re.DOTALL)
    assert len(scripts) > 40
    return sum(len(base64.b64decode(each)) for each in scripts) + len(style.encode())


def test_the_front_end_of_each_home_stays_small(tmp_path: Path) -> None:
    """What a reader loads: the page's scripts and style, and those of TensorBoard or of another
    home."""
    homes = {
        "tensorboard": served(),
        "server": served("lstm_probe.explorer.server"),
        "report": carried_by_a_report(tmp_path),
        "widget": len(script().encode()),
    }
    assert {home: size for home, size in homes.items() if size >= _MOST_BYTES} == {}, homes
