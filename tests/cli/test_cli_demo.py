"""`demo`: a sample log of a network that is trained twice, without any framework."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import browser
import numpy as np
import pytest
from cli_files import one_line, run

from lstm_probe import lstm, weights
from lstm_probe.cli.demo.network import Network
from lstm_probe.cli.demo.reviews import LENGTH, write_reviews
from lstm_probe.cli.demo.training import RUNS
from lstm_probe.logs.stored.reader import RunReader, find_runs

ILL, CURED = RUNS
#: On two busy cores; four seconds on idle ones.
MOST_SECONDS = 60
NO_FRAMEWORK = """
import sys
from lstm_probe.cli import main
try:
    main()
finally:
    heavy = "tensorflow", "keras", "tf_keras", "torch", "jax"
    print("imported:", *(name for name in heavy if name in sys.modules))
"""


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The directory of the sample log, and what the command prints."""
    log_dir = tmp_path_factory.mktemp("demo") / "sample log"
    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-c", NO_FRAMEWORK, "demo", "--log-dir", log_dir, "--no-open"],
        check=True, capture_output=True, text=True, timeout=300, cwd=log_dir.parent,
    )  # fmt: skip
    assert time.monotonic() - began < MOST_SECONDS
    return log_dir, done.stdout


def reader(log_dir: Path, name: str) -> RunReader:
    return find_runs(log_dir)[f"{name}/lstm_probe"]


def test_no_framework_is_imported(demo: tuple[Path, str]) -> None:
    assert "imported:\n" in demo[1]


def test_the_command_says_what_the_gates_say_and_how_to_look(demo: tuple[Path, str]) -> None:
    log_dir, said = demo
    unwrapped = " ".join(said.split())
    for name, says in [
        (ILL, f"The longest memory is 1.6 of {LENGTH} steps"),
        (ILL, "Short memory since step"),
        (CURED, f"The gradient reaches all {LENGTH} steps."),
        (CURED, "Nothing is wrong."),
    ]:
        place = unwrapped.index(f"{name}:")
        assert says in unwrapped[place : unwrapped.find(CURED, place + 1)]
    assert f"tensorboard --logdir '{log_dir}'" in said
    assert "http://localhost:6006/#gates" in said
    assert (log_dir / "gates.html").is_file()


def test_one_network_learns_and_the_other_does_not(demo: tuple[Path, str]) -> None:
    ill, cured = (reader(demo[0], name).course for name in RUNS)
    assert [point.step for point in ill] == [point.step for point in cured]
    assert len(ill) > 20
    assert cured[-1].training["loss"] < 0.05
    assert cured[-1].training["accuracy"] == 1
    assert ill[-1].training["loss"] == pytest.approx(np.log(2), abs=0.02)
    assert {alert["rule"] for point in ill for alert in point.alerts} >= {"short_memory"}
    assert not any(point.alerts for point in cured)


@pytest.mark.parametrize("name", RUNS)
def test_gates_are_those_of_the_network_with_its_words(demo: tuple[Path, str], name: str) -> None:
    log = reader(demo[0], name)
    verdicts = {point.layers["reader"]["verdict"] for point in log.course}
    errors = [point.layers["reader"]["max_abs"] for point in log.course]
    assert verdicts == {"match"}
    assert min(errors) > 0  # two programs, and not the same numbers twice
    capture = log.capture("reader", log.steps("reader")[-1])
    words = capture.meta["sequence_labels"]
    assert {len(row) for row in words} == {LENGTH}
    assert [name.split(":")[0] for name in capture.meta["sequence_names"]] == [
        "blame",
        "praise",
    ] * 3
    assert all(row[:1] + row[2:5] == ["i", "this", "film", ":"] for row in words)


@pytest.mark.parametrize("name", RUNS)
def test_what_the_network_gives_is_beside_what_it_is_to_give(
    demo: tuple[Path, str], name: str
) -> None:
    log = reader(demo[0], name)
    data, capture = log.probe(), log.capture("reader", log.steps("reader")[-1])
    assert data is not None
    wanted = data.arrays["targets/0"].ravel()
    assert [each.startswith("praise") for each in capture.meta["sequence_names"]] == list(wanted)
    given = capture.arrays["output/0"].ravel()
    right = ((given > 0.5) == wanted).sum()
    assert right == 6 if name == CURED else right < 6
    np.testing.assert_array_equal(data.arrays["inputs/0"], write_reviews(
        6, np.random.default_rng(5)
    ).x)  # fmt: skip


def test_training_follows_the_gradient_of_the_loss() -> None:
    rng, eps = np.random.default_rng(0), 1e-2
    reviews = write_reviews(6, rng)
    network = Network(12, 3, forget_bias=np.ones(3), input_bias=np.zeros(3))
    gradients = gradients_of(network, reviews.x, reviews.y)
    for array, gradient in zip(network._parameters, gradients, strict=True):
        place = tuple(rng.integers(size) for size in array.shape)
        losses = []
        for change in (eps, -2 * eps, eps):
            array[place] += change
            losses.append(network.train(reviews.x, reviews.y)[0])
        slope = (losses[0] - losses[1]) / (2 * eps)
        assert slope == pytest.approx(gradient[place], rel=0.02, abs=2e-5)


def gradients_of(network: Network, x: np.ndarray, y: np.ndarray) -> list[np.ndarray]:
    """Those that a step of training would take."""
    taken: list[list[np.ndarray]] = []
    network._update = taken.append  # type: ignore[method-assign]
    network.train(x, y)
    return taken[0]


def test_the_network_computes_what_our_cell_computes() -> None:
    rng = np.random.default_rng(3)
    reviews = write_reviews(4, rng)
    network = Network(12, 5, forget_bias=rng.normal(size=5), input_bias=rng.normal(size=5))
    ours = lstm(reviews.x, weights.from_keras(*network.layer)).h
    np.testing.assert_allclose(network.hidden(reviews.x), ours, atol=1e-6)


def test_reviews_differ_only_in_what_they_say() -> None:
    one, same = (write_reviews(8, np.random.default_rng(1)) for _ in range(2))
    np.testing.assert_array_equal(one.x, same.x)
    assert one.y.tolist() == [0, 1] * 4
    assert one.x.shape == (8, LENGTH, 12)
    vectors = {
        word: tuple(x)
        for words, xs in zip(one.words, one.x, strict=True)
        for word, x in zip(words, xs, strict=True)
    }
    assert len(set(vectors.values())) == len(vectors)


def test_a_log_that_is_there_stays_as_it_is(tmp_path: Path) -> None:
    (tmp_path / CURED).mkdir()
    said = one_line(run("demo", "--log-dir", tmp_path, "--no-open"))
    assert "There is a log already" in said
    assert [path.name for path in tmp_path.iterdir()] == [CURED]


def test_the_page_opens_with_the_ill_network(demo: tuple[Path, str]) -> None:
    with browser.page() as page:
        troubles: list[str] = []
        page.on("pageerror", lambda error: troubles.append(str(error)))
        page.goto((demo[0] / "gates.html").as_uri())
        page.wait_for_selector(".view canvas")
        page.get_by_text("Short memory since step").first.wait_for()
        assert page.get_by_label("Run", exact=True).input_value() == f"{ILL}/lstm_probe"
        assert troubles == []
