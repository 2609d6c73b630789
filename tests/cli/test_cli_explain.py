"""`explain`: what the layers of a saved model compute, in sentences and as JSON."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cli_files import one_line, run

import lstm_probe
from lstm_probe.models.explaining import Explanations


def sums(directory: Path) -> dict[str, Any]:
    """An LSTM whose unit 1 adds up its input, and which reads nothing else; a probe, and labels."""
    rng = np.random.default_rng(5)
    kernel, recurrent, bias = rng.normal(0, 0.3, (1, 4, 3)), np.zeros((3, 4, 3)), np.zeros((4, 3))
    kernel[:, :, 1], bias[:, 1] = 0, [20, 20, 0, 20]
    kernel[:, 2, 1] = 0.1
    np.savez(
        directory / "model.npz",
        **{
            "memory/kernel": kernel.reshape(1, 12),
            "memory/recurrent_kernel": recurrent.reshape(3, 12),
            "memory/bias": bias.ravel(),
        },
    )
    x = rng.normal(size=(10, 20, 1))
    np.save(directory / "probe.npy", x)
    np.savez(directory / "labels.npz", total=x[..., 0].cumsum(axis=1))
    return {"model": directory / "model.npz", "probe": directory / "probe.npy", "x": x}


def test_sentences_name_the_unit(tmp_path: Path) -> None:
    given = sums(tmp_path)
    found = run(
        "explain", given["model"], "--probe", given["probe"], "--labels", tmp_path / "labels.npz"
    )
    assert found.exit_code == 0, found.output
    text = " ".join(found.stdout.split())
    assert "memory, step 0" in text
    assert "Unit 1 follows total (R² 1 in sequences left out" in text
    assert "they miss it by" in text


def test_json_holds_what_python_gives(tmp_path: Path) -> None:
    given = sums(tmp_path)
    np.save(tmp_path / "total.npy", given["x"][..., 0].cumsum(axis=1))
    found = run(
        "explain", given["model"], "--probe", given["probe"], "--labels", tmp_path / "total.npy",
        "-a", "tracking", "--json",
    )  # fmt: skip
    body = json.loads(found.stdout)
    layer = body["layers"]["memory"]
    assert list(layer["findings"]) == ["tracking"]
    assert layer["findings"]["tracking"]["named"]["total"] == [1]
    ours = lstm_probe.explain(
        given["model"], given["x"], labels={"total": np.load(tmp_path / "total.npy")},
        analyses=["tracking"],
    )  # fmt: skip
    sentences = [each["text"] for each in layer["findings"]["tracking"]["sentences"]]
    assert sentences == [answer.text for answer in ours["memory"].sentences()]
    assert sentences[0] in str(ours)
    assert isinstance(ours, Explanations)
    assert "<b>tracking</b>" in ours._repr_html_()


def test_a_table_has_a_row_for_each_sequence(tmp_path: Path) -> None:
    given = sums(tmp_path)
    total = given["x"][..., 0].cumsum(axis=1)
    np.savetxt(tmp_path / "total.csv", total, delimiter=",")
    np.savetxt(tmp_path / "last.csv", total[:, -1], header="last", comments="")
    found = run(
        "explain", given["model"], "--probe", given["probe"], "--labels", tmp_path / "total.csv",
        "--target", tmp_path / "last.csv", "-a", "tracking", "-a", "need", "--json",
    )  # fmt: skip
    findings = json.loads(found.stdout)["layers"]["memory"]["findings"]
    assert findings["tracking"]["named"]["total"] == [1]
    assert findings["need"]["sequences"] == 10


def test_one_sequence_is_too_few(tmp_path: Path) -> None:
    given = sums(tmp_path)
    found = run("explain", given["model"], "--random", "1,20,1", "-a", "tracking")
    assert "There is one sequence" in found.stdout


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--random", "8,20,1", "-a", "magic"], "no such analysis. Received: ['magic']"),
        (["--random", "8,20,1", "--labels", "{}/labels.npz"], "'total' do not fit the probe"),
        (["--random", "8,20,1", "--labels", "{}/absent.npz"], "no file of labels. Received: "),
        (["--random", "8,20,1", "--labels", "{}/empty.npz"], "an .npz without arrays"),
        (["--random", "8,20,1", "--labels", "{}/words.csv"], "no numbers in any line"),
        (["--random", "8,20,1", "--target", "{}/absent.npy"], "There is no target. Received: "),
        (["--random", "8,20,1", "--target", "{}/seven.npy"], "Received: shape (7,). Expected: a v"),
        (
            ["--random", "7,20,1", "--target", "{}/seven.npy"],
            "Received: 1 of 7 values that are NaN",
        ),
        (["--random", "8,20,1", "--target", "{}/one.npy"], "Received: shape (). Expected: a value"),
        (["--random", "8,20,1", "--run", "a"], "of no use here. Received: --run for"),
        (["--random", "8,20,1", "--target", "{}/two.npz"], "One array is needed"),
        ([], "One probe is needed"),
    ],
)
def test_bad_input_gets_one_line(tmp_path: Path, options: list[str], expected: str) -> None:
    given = sums(tmp_path)
    np.savez(tmp_path / "two.npz", a=np.ones((2, 2)), b=np.ones((2, 2)))
    np.savez(tmp_path / "empty.npz")
    np.save(tmp_path / "seven.npy", [np.nan, *range(6)])
    np.save(tmp_path / "one.npy", 3.0)
    (tmp_path / "words.csv").write_text("depth\n")
    filled = [each.format(tmp_path) for each in options]
    assert expected in one_line(run("explain", given["model"], *filled))


def test_a_log_tells_what_its_gates_follow(tmp_path: Path) -> None:
    given = sums(tmp_path)
    logged = run(
        "inspect", given["model"], "--probe", given["probe"], "--log-dir", tmp_path / "logs"
    )
    assert logged.exit_code == 0, logged.output
    found = run("explain", tmp_path / "logs", "--labels", tmp_path / "labels.npz", "--json")
    layer = json.loads(found.stdout)["layers"]["memory"]
    assert layer["findings"]["tracking"]["named"] == {"total": [1]}
    assert "explain the saved model" in layer["missing"]["ablation"]
    refused = run("explain", tmp_path / "logs", "--target", given["probe"], "--trusted")
    assert "Received: --target, --trusted for " in one_line(refused)
    bare = run("explain", tmp_path / "logs")
    assert "There are no labels" in " ".join(bare.stdout.split())
    np.save(tmp_path / "short.npy", np.ones((3, 20)))
    wrong = run("explain", tmp_path / "logs", "--labels", tmp_path / "short.npy")
    assert "'short' do not fit the probe of the log. Received: shape (3, 20)" in one_line(wrong)
