"""The options that callbacks and hooks share."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import event_reading
import numpy as np
import pytest
from keras_models import trainable
from samples import training_data

from lstm_probe import LstmProbeError
from lstm_probe.callbacks import ProbeCallback
from lstm_probe.callbacks.recording.options import Options


def tags(log_dir: Path, **options: Any) -> set[str]:
    x, y = training_data(np.random.default_rng(0))
    probe = ProbeCallback(x[:1], log_dir, every=100, **options)
    trainable().fit(x, y, batch_size=32, verbose=0, callbacks=[probe])
    return {tag for tag, _ in event_reading.values(log_dir / "lstm_probe")}


def test_each_level_of_detail_adds_to_the_one_before(tmp_path: Path) -> None:
    levels = ["scalars", "explorer", "gates", "full"]
    logged = [tags(tmp_path / level, detail=level) for level in levels]
    for less, more in pairwise(logged):
        assert less < more
    added = [more - less for less, more in pairwise(logged)]
    assert {"memory/capture", "memory/activations/2_f"} <= added[0]
    assert "memory/gates/2_f" in added[1]
    assert all("/gates/" in tag for tag in added[1])
    assert "memory/weights" in added[2]


def test_the_former_option_for_pictures_is_taken_with_a_warning_at_the_users_line(
    tmp_path: Path,
) -> None:
    with pytest.warns(DeprecationWarning, match="detail='explorer'") as told:
        seen = tags(tmp_path / "former", write_images=False)
    assert [each.filename for each in told] == [__file__]
    assert seen == tags(tmp_path / "now", detail="explorer")
    with pytest.warns(DeprecationWarning, match="write_images is deprecated"):
        full = tags(tmp_path / "full", detail="full", write_images=False)
    assert "memory/weights" in full
    assert not any("/gates/" in tag for tag in full)


@pytest.mark.parametrize(
    ("saved", "now"),
    [
        ({"detail": "gates", "write_images": True}, {"detail": "gates"}),
        ({"detail": "gates", "write_images": False}, {"detail": "explorer"}),
        ({"detail": "scalars", "write_images": False}, {"detail": "scalars"}),
    ],
)
def test_a_former_configuration_becomes_one_of_today(
    saved: dict[str, Any], now: dict[str, Any]
) -> None:
    config = ProbeCallback(np.ones((1, 2, 1)), "logs").get_config()
    assert "write_images" not in config
    again = ProbeCallback.from_config({**config, **saved}).get_config()
    assert {name: again[name] for name in now} == now
    assert "write_images" not in again


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"detail": "all"}, "detail='all'.*'explorer'"),
        ({"max_log_bytes": -1}, "max_log_bytes=-1.*2\\*\\*30"),
        ({"max_log_bytes": True}, "max_log_bytes=True"),
        ({"max_overhead": 0}, "max_overhead=0"),
        ({"on_alert": "shout"}, "on_alert"),
    ],
)
def test_an_option_that_is_not_valid_is_refused_when_the_callback_is_made(
    given: dict[str, Any], said: str
) -> None:
    with pytest.raises(LstmProbeError, match=said):
        ProbeCallback(np.ones((1, 2, 1)), "logs", **given)


def test_options_are_named() -> None:
    with pytest.raises(TypeError):
        Options("gates")  # type: ignore[misc]
