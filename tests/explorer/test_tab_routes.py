"""What the gate explorer's server answers, through TensorBoard's own application."""

from __future__ import annotations

import io
import json
import re
import shutil
import time
from argparse import Namespace
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tab_logs
from tab_logs import PREFIX
from tensorboard.compat.proto.summary_pb2 import DATA_CLASS_BLOB_SEQUENCE
from werkzeug.test import Client, TestResponse

from lstm_probe import LstmProbeError
from lstm_probe.analysis.explained import Explained
from lstm_probe.explorer.plugin_loader import GateExplorerLoader
from lstm_probe.logs import EventFile, RunLog
from lstm_probe.logs.stored.format import Stored, pack, unpack
from lstm_probe.logs.stored.names import PLUGIN
from lstm_probe.logs.stored.values import plugin_metadata
from lstm_probe.logs.tags.values import strings_value

RUN, OTHER = "a/lstm_probe", 'b <script>alert("&")</script>/lstm_probe'
STEPS = [0, 7, 300]
HOSTILE = "<img src=x onerror=alert(1)>/../../etc"


@pytest.fixture(scope="module")
def log_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("logs")
    tab_logs.write_run(directory / "a", STEPS, layers=("memory", HOSTILE))
    with RunLog(directory / "a", first_step=300) as log:
        for step in (7, 300):
            told = Explained(HOSTILE, step, {}, {"need": "No target."})
            log.write_explained({HOSTILE: told}, step=step)
    tab_logs.write_run(directory / 'b <script>alert("&")<' / "script>", [1])
    return directory


@pytest.fixture(scope="module", params=["fast", "legacy"])
def client(log_dir: Path, request: pytest.FixtureRequest) -> Iterator[Client]:
    with tab_logs.served(log_dir, request.param) as client:
        yield client


def get(client: Client, path: str, **parameters: Any) -> TestResponse:
    return client.get(PREFIX + path, query_string=parameters)


def stored(client: Client, path: str, **parameters: Any) -> Stored:
    answer = get(client, path, **parameters)
    assert answer.status_code == 200, answer.text
    return unpack(answer.data)


def test_runs_and_layers_are_listed_without_their_data(client: Client) -> None:
    runs = get(client, "runs").json["runs"]
    assert [run["name"] for run in runs] == [RUN, OTHER]
    assert runs[0]["layers"] == [HOSTILE, "memory"]
    assert runs[0]["weights"] == [HOSTILE, "memory"]
    assert [run["last"] for run in runs] == [300, 1]


def test_steps_are_those_of_the_layer(client: Client) -> None:
    assert get(client, "steps", run=RUN, layer="memory").json == {"steps": STEPS}


def test_the_findings_of_the_latest_part_of_a_run_are_told(client: Client) -> None:
    found = get(client, "explained", run=RUN, layer=HOSTILE).json["explained"]
    assert (found["step"], found["missing"]) == (300, {"need": "No target."})
    for run, layer in ((RUN, "memory"), (OTHER, HOSTILE), ("none", HOSTILE)):
        assert get(client, "explained", run=run, layer=layer).json == {"explained": None}
    assert get(client, "explained", run=RUN).status_code == 400
    assert get(client, "explained", run=RUN, layer=HOSTILE, step="x").status_code == 400
    for step, expected in ((0, 7), (7, 7), (299, 7), (300, 300)):
        found = get(client, "explained", run=RUN, layer=HOSTILE, step=step).json["explained"]
        assert (found["step"], found["steps"]) == (expected, [7, 300])


def test_layers_stand_in_the_order_of_the_model(client: Client) -> None:
    layers = get(client, "layers", run=RUN).json["layers"]
    assert layers == [{"name": name, "steps": STEPS} for name in ("memory", HOSTILE)]


def test_timeline_says_what_each_capture_came_to(client: Client) -> None:
    captures = get(client, "timeline", run=RUN).json["captures"]
    assert [capture["step"] for capture in captures] == STEPS
    layer = captures[1]["layers"]["memory"]
    assert layer["verdict"] == "match"
    assert "error_by_timestep" not in layer
    assert get(client, "timeline", run="no such run").json == {"captures": []}


def test_alerts_are_told_with_their_states(client: Client) -> None:
    alerts = get(client, "alerts", run=RUN).json["alerts"]
    assert alerts == []
    assert get(client, "alerts", run="no such run").json == {"alerts": []}


@pytest.mark.parametrize("layer", ["memory", HOSTILE])
def test_capture_holds_numpys_values(client: Client, layer: str) -> None:
    capture = stored(client, "capture", run=RUN, layer=layer, step=7)
    trace = tab_logs.analysis(7, step=7, layer=layer).trace
    for letter in "ifgoch":
        expected = trace[letter].astype(np.float16)
        np.testing.assert_array_equal(capture.arrays[f"gates/{letter}"], expected)
    assert capture.meta["layer"] == layer


def test_weights_are_served(client: Client) -> None:
    weights = stored(client, "weights", run=RUN, layer="memory", step=0)
    assert {"kernel/1_i", "recurrent_kernel/4_o", "bias/2_f"} <= set(weights.arrays)


def test_series_is_one_cell_over_the_training(client: Client) -> None:
    place = {"sequence": 1, "timestep": 4, "unit": 2}
    for _ in range(2):  # the second time from the cache
        series = stored(client, "series", run=RUN, layer="memory", **place)
        assert series.arrays["steps"].tolist() == STEPS
        for index, step in enumerate(STEPS):
            value = tab_logs.analysis(step, step=step).trace["f"][1, 4, 2]
            assert series.arrays["gates/f"][index] == np.float32(value)
        assert series.meta["precision"] == "float32"


@pytest.mark.parametrize("name", ["error_by_timestep", "horizon", "mean/f", "gradient/c"])
def test_history_is_one_array_over_the_training(client: Client, name: str) -> None:
    history = stored(client, "history", run=RUN, layer="memory", name=name)
    captures = [stored(client, "capture", run=RUN, layer="memory", step=step) for step in STEPS]
    assert history.arrays["steps"].tolist() == STEPS
    np.testing.assert_allclose(
        history.arrays["values"], [each.arrays[name] for each in captures], rtol=6e-3
    )


def test_npz_holds_everything(client: Client) -> None:
    answer = get(client, "download", run=RUN, layer="memory", step=7, format="npz")
    file = np.load(io.BytesIO(answer.data))
    capture = stored(client, "capture", run=RUN, layer="memory", step=7)
    assert set(file) == {*capture.arrays, "meta"}
    assert json.loads(str(file["meta"]))["cell"] == "lstm"
    np.testing.assert_array_equal(file["gates/c"], capture.arrays["gates/c"])
    assert answer.headers["Content-Disposition"] == (
        'attachment; filename="a_lstm_probe-memory-7.npz"'
    )


def test_csv_has_a_line_for_each_cell(client: Client) -> None:
    answer = get(client, "download", run=RUN, layer="memory", step=7, format="csv")
    head, *lines = answer.text.splitlines()
    assert head == "sequence,timestep,unit,counts,i,f,g,o,c,h,h_framework,precision"
    assert len(lines) == 2 * 7 * 5
    trace = tab_logs.analysis(7, step=7).trace
    row = dict(zip(head.split(","), lines[1 * 35 + 4 * 5 + 2].split(","), strict=True))
    assert (row["sequence"], row["timestep"], row["unit"]) == ("1", "4", "2")
    assert float(row["f"]) == pytest.approx(trace["f"][1, 4, 2], abs=1e-7)
    assert float(row["h_framework"]) == pytest.approx(trace["h"][1, 4, 2], abs=1e-7)
    assert row["precision"] == "float32"


@pytest.mark.parametrize(
    ("path", "parameters", "status"),
    [
        ("layers", {"run": "gone"}, 404),
        ("steps", {}, 400),
        ("steps", {"run": RUN}, 400),
        ("steps", {"run": "gone", "layer": "memory"}, 404),
        ("steps", {"run": RUN, "layer": "../../etc/passwd"}, 404),
        ("capture", {"run": RUN, "layer": "memory", "step": "x"}, 400),
        ("capture", {"run": RUN, "layer": "memory", "step": "9" * 5000}, 400),
        ("capture", {"run": RUN, "layer": "memory", "step": "²"}, 400),
        ("capture", {"run": RUN, "layer": "memory", "step": -1}, 404),
        ("capture", {"run": RUN, "layer": "memory", "step": 8}, 404),
        ("capture", {"run": RUN, "layer": "\x00\ud800".encode("utf-8", "replace"), "step": 8}, 404),
        ("weights", {"run": "gone", "layer": "memory", "step": 0}, 404),
        ("series", {"run": RUN, "layer": "memory", "sequence": 0, "timestep": 0}, 400),
        ("series", {"run": RUN, "layer": "memory", "sequence": 0, "timestep": 0, "unit": 99}, 404),
        ("history", {"run": RUN, "layer": "memory", "name": "gates/f"}, 404),
        ("history", {"run": RUN, "layer": "memory", "name": "no such"}, 404),
        ("download", {"run": RUN, "layer": "memory", "step": 0, "format": "exe"}, 400),
        ("download", {"run": RUN, "layer": "memory", "step": 1, "format": "npz"}, 404),
    ],
)
def test_bad_requests_are_refused_in_words(
    client: Client, path: str, parameters: dict[str, Any], status: int
) -> None:
    answer = get(client, path, **parameters)
    assert answer.status_code == status
    assert answer.content_type == "application/json"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    message = answer.json["error"]
    assert len(message) > 20
    assert "Traceback" not in message


def test_a_quote_in_a_name_is_explained_where_the_data_server_cannot_read_it(
    client: Client, request: pytest.FixtureRequest
) -> None:
    answer = get(client, "capture", run=OTHER, layer="memory", step=1)
    if "legacy" in request.node.name:
        assert unpack(answer.data).meta["layer"] == "memory"
    else:
        assert answer.status_code == 400
        assert "--load_fast=false" in answer.json["error"]


def test_only_reading_is_served(client: Client) -> None:
    assert client.post(PREFIX + "runs").status_code == 405


def test_all_modules_are_fetched_ahead() -> None:
    folder = files("lstm_probe.explorer") / "static"
    array = (folder / "index.js").read_text().partition("];")[0]
    listed = re.findall(r'"([a-z_]+)",', array)
    there = [file.name.removesuffix(".js") for file in folder.iterdir()]
    assert sorted(listed) == sorted(set(there) - {"index", "gates_address", "style.css"})


@pytest.mark.parametrize("name", ["index.js", "app.js", "style.css"])
def test_static_files_are_served(client: Client, name: str) -> None:
    answer = client.get(f"{PREFIX}static/{name}")
    assert answer.status_code == 200
    assert answer.content_type.startswith("text/css" if name.endswith("css") else "text/javascript")


@pytest.mark.parametrize(
    "name", ["", "../plugin.py", "..%2fplugin.py", "%2e%2e/plugin.py", "/etc/passwd", "nothing.js"]
)
def test_nothing_else_is_served(client: Client, name: str) -> None:
    assert client.get(f"{PREFIX}static/{name}").status_code in (301, 404)


def test_an_empty_log_has_no_runs(tmp_path: Path) -> None:
    with tab_logs.served(tmp_path, "legacy") as client:
        assert get(client, "runs").json == {"runs": []}


@pytest.mark.parametrize("loader", ["fast", "legacy"])
def test_a_damaged_capture_is_a_gap_and_a_message(tmp_path: Path, loader: str) -> None:
    tab_logs.write_run(tmp_path, [0, 5])
    with EventFile(tmp_path / "lstm_probe") as file:
        metadata = plugin_metadata(DATA_CLASS_BLOB_SEQUENCE)
        gates = {"gates/f": np.zeros((1, 3, 2), np.float16)}
        for step, data in ((9, b"<script>"), (10, pack(gates, {"letters": ["f", "q"]}))):
            value = strings_value("memory/capture", metadata, [data], scalar=False)
            file.write([value], step=step)
    with tab_logs.served(tmp_path, loader) as client:
        place = {"run": "lstm_probe", "layer": "memory"}
        assert get(client, "steps", **place).json == {"steps": [0, 5, 9, 10]}
        assert get(client, "capture", **place, step=9).data == b"<script>"  # the page checks it
        for step in (9, 10):
            assert get(client, "download", **place, step=step, format="csv").status_code == 400
        cell = {"sequence": 0, "timestep": 0, "unit": 0}
        assert stored(client, "series", **place, **cell).arrays["steps"].tolist() == [0, 5]


def test_a_run_that_was_deleted_is_not_there_any_more(tmp_path: Path) -> None:
    tab_logs.write_run(tmp_path / "a", [0])
    tab_logs.write_run(tmp_path / "b", [0])
    with tab_logs.served(tmp_path, "fast") as client:
        place = {"run": "a/lstm_probe", "layer": "memory", "step": 0}
        assert get(client, "capture", **place).status_code == 200
        shutil.rmtree(tmp_path / "a")
        for _ in range(100):  # the data server looks every second
            if get(client, "capture", **place).status_code == 404:
                break
            time.sleep(0.1)
        assert get(client, "capture", **place).status_code == 404


def test_the_loader_keeps_the_captures_unless_the_user_says_how_many() -> None:
    flags = Namespace(samples_per_plugin={"images": 3})
    GateExplorerLoader().fix_flags(flags)
    assert flags.samples_per_plugin == {"images": 3, PLUGIN: 1000}
    flags = Namespace(samples_per_plugin={PLUGIN: 5})
    GateExplorerLoader().fix_flags(flags)
    assert flags.samples_per_plugin == {PLUGIN: 5}


def test_errors_are_of_the_package() -> None:
    from lstm_probe.explorer.requests import MissingError

    assert issubclass(MissingError, LstmProbeError)
