"""`ProbeCallback(analyses=[...])`: what the layers compute, at the end of a training."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import event_reading
import keras
import keras_models
import numpy as np
import pytest
import samples

from lstm_probe import LstmProbeError
from lstm_probe.callbacks import ProbeCallback
from lstm_probe.logs.stored.reader import RunReader

TAG = "lstm_probe/explained"


def fitted(directory: Path, rng: np.random.Generator, **options: Any) -> tuple[Any, Any]:
    keras.utils.set_random_seed(1)
    model = keras_models.trainable()
    x, y = samples.training_data(rng)
    probe = ProbeCallback((x[:8], y[:8]), directory, **{"every": 4, **options})
    model.fit(x, y, batch_size=16, epochs=2, verbose=0, callbacks=[probe])
    return model, probe


def test_sentences_are_logged_at_the_end_of_a_training(
    tmp_path: Path, rng: np.random.Generator
) -> None:
    _, probe = fitted(tmp_path, rng, analyses=["ablation", "attribution", "need"])
    layer = probe.explained["memory"]
    assert list(layer.findings) == ["ablation", "attribution", "need"]
    ablation = layer.findings["ablation"]
    assert ablation.step == 8
    assert ablation.output_norm > 0
    assert ablation.loss_name == "mean squared error"
    assert event_reading.captured_steps(tmp_path, TAG) == [8]
    value = event_reading.values(tmp_path / "lstm_probe")[TAG, 8]
    text = str(event_reading.array(value).item().decode())
    assert all(answer.text in text for answer in layer.sentences())


def test_the_training_is_that_without_them(tmp_path: Path) -> None:
    with_them, without = (
        fitted(tmp_path / str(len(names)), np.random.default_rng(2), analyses=names)[0]
        for names in (["ablation", "tracking", "attribution", "stability"], [])
    )
    for one, other in zip(with_them.variables, without.variables, strict=True):
        assert (keras.ops.convert_to_numpy(one) == keras.ops.convert_to_numpy(other)).all()
    # The next random number of the framework is the same too.
    draws = []
    for names in (["ablation"], []):
        fitted(tmp_path / f"again{len(names)}", np.random.default_rng(2), analyses=names)
        draws.append(float(keras.random.normal(())))
    assert draws[0] == draws[1]


@pytest.fixture
def broken_analyses(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any, **__: Any) -> None:
        raise RuntimeError("no luck")

    monkeypatch.setattr("lstm_probe.models.explaining.explain_analyses", broken)


@pytest.mark.usefixtures("broken_analyses")
def test_what_fails_is_warned_of_and_the_log_is_closed(
    tmp_path: Path, rng: np.random.Generator, caplog: pytest.LogCaptureFixture
) -> None:
    _, probe = fitted(tmp_path, rng, analyses=["ablation"])
    assert "failed while explaining the layers; training goes on" in caplog.text
    assert probe.explained == {}
    assert probe.report.captured == 3


def test_without_the_option_nothing_is_explained(tmp_path: Path, rng: np.random.Generator) -> None:
    _, probe = fitted(tmp_path, rng)
    assert probe.explained == {}
    assert event_reading.captured_steps(tmp_path, TAG) == []


def test_names_are_checked_before_the_training(tmp_path: Path) -> None:
    with pytest.raises(LstmProbeError, match=r"no such analysis. Received: \['ablate'\]"):
        ProbeCallback(np.ones((1, 6, 3)), tmp_path, analyses=["ablate"])
    probe = ProbeCallback(np.ones((1, 6, 3)), tmp_path, analyses=["tracking"])
    assert ProbeCallback.from_config(probe.get_config()).get_config()["analyses"] == ["tracking"]


def analysed(directory: Path, layer: str = "memory") -> list[int]:
    return RunReader(directory / "lstm_probe").findings_steps(layer)


@pytest.mark.parametrize("background", [False, True])
def test_every_second_capture_is_analysed_on_the_weights_of_its_step(
    tmp_path: Path, rng: np.random.Generator, background: bool
) -> None:
    keras.utils.set_random_seed(1)
    x, y = samples.training_data(rng)
    model = keras_models.trainable()
    model.optimizer.learning_rate = 0.05
    options: dict[str, Any] = {"analyses": ["ablation"], "analyses_every": 2, "max_overhead": None}
    probe = ProbeCallback((x[:8], y[:8]), tmp_path, every=2, background=background, **options)
    losses = {}

    class Losses(keras.callbacks.Callback):  # type: ignore[misc]
        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            given = keras.ops.convert_to_numpy(self.model(x[:8], training=False))
            losses[int(self.model.optimizer.iterations)] = np.square(given - y[:8]).mean()

    model.fit(x, y, batch_size=16, epochs=2, verbose=0, callbacks=[probe, Losses()])
    assert probe.report.captured == 5
    assert analysed(tmp_path) == [0, 4, 8]
    run = RunReader(tmp_path / "lstm_probe")
    for step in (4, 8):
        found = run.findings("memory", step)
        assert found is not None
        assert found["step"] == step
        whole = found["findings"]["ablation"]["whole_loss"]
        assert whole == pytest.approx(losses[step], rel=1e-3)
    assert losses[8] != pytest.approx(losses[4], rel=1e-2)


@pytest.mark.long
def test_the_training_is_that_without_analyses_on_its_way(tmp_path: Path) -> None:
    with_them, without = (
        fitted(tmp_path / str(len(options)), np.random.default_rng(2), **options)[0]
        for options in (
            {"analyses": ["ablation"], "analyses_every": 1, "max_overhead": None},
            {},
        )
    )
    for one, other in zip(with_them.variables, without.variables, strict=True):
        assert (keras.ops.convert_to_numpy(one) == keras.ops.convert_to_numpy(other)).all()


def test_analyses_that_the_budget_does_not_pay_for_are_left_out_and_said_once(
    tmp_path: Path,
    rng: np.random.Generator,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr("lstm_probe.callbacks.recording.budget.GRACE", 1e-6)
    fitted(tmp_path, rng, analyses=["geometry"], analyses_every=1, every=1, max_overhead=1e-6)
    assert analysed(tmp_path) == [0, 8]  # the first costs nothing that is known, the last is due
    assert caplog.text.count("To keep to max_overhead=1e-06, some of those that are due") == 1


@pytest.mark.usefixtures("broken_analyses")
def test_analyses_that_fail_on_the_way_cost_no_capture(
    tmp_path: Path, rng: np.random.Generator, caplog: pytest.LogCaptureFixture
) -> None:
    _, probe = fitted(tmp_path, rng, analyses=["geometry"], analyses_every=1, max_overhead=None)
    assert probe.report.captured == 3
    assert caplog.text.count("failed while explaining the layers; training goes on") == 1
    assert analysed(tmp_path) == []


@pytest.mark.parametrize("every", [0, -1, 1.5, True, "2"])
def test_how_often_to_analyse_is_checked_before_the_training(tmp_path: Path, every: Any) -> None:
    x = np.ones((1, 6, 3))
    with pytest.raises(LstmProbeError, match="How often to analyse is not known"):
        ProbeCallback(x, tmp_path, analyses=["geometry"], analyses_every=every)
    with pytest.raises(LstmProbeError, match="There is nothing to analyse"):
        ProbeCallback(x, tmp_path, analyses_every=2)
    probe = ProbeCallback(x, tmp_path, analyses=["geometry"], analyses_every=2)
    assert ProbeCallback.from_config(probe.get_config()).get_config()["analyses_every"] == 2
