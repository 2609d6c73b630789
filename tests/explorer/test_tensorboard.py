"""What a user sees: a log of a real training, in a real TensorBoard, in a real browser."""

from __future__ import annotations

from pathlib import Path

import browser
import keras
import numpy as np
import pytest

from lstm_probe.callbacks import ProbeCallback


@pytest.fixture(scope="module")
def log_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("logs")
    rng = np.random.default_rng(3)
    x, y = rng.normal(size=(64, 28, 4)).astype("float32"), rng.normal(size=(64, 1))
    model = keras.Sequential([keras.layers.LSTM(16, name="memory"), keras.layers.Dense(1)])
    model.compile("adam", "mse")
    probe = ProbeCallback(x[:1], directory / "run", every=4)
    model.fit(x, y, batch_size=8, verbose=0, callbacks=[probe])
    return directory


@pytest.mark.parametrize("options", [(), ("--load_fast=false",)], ids=["fast", "legacy"])
@pytest.mark.daily(1)
def test_a_browser_shows_the_heatmap_of_each_gate(log_dir: Path, options: tuple[str, ...]) -> None:
    with browser.page() as page, browser.tensorboard(log_dir, *options) as address:
        errors: list[str] = []
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.goto(f"{address}#images")
        sources = set()
        for tag in ("1_i", "2_f", "3_g", "4_o", "5_c", "6_h"):
            # Playwright looks into the shadow roots of TensorBoard's elements.
            card = page.locator("tf-image-loader", has_text=f"tag: memory/gates/{tag}")
            card.wait_for(timeout=60_000)
            card.get_by_text("8", exact=True).wait_for()  # the step that the slider stands at
            picture = card.locator("img").element_handle(timeout=60_000)
            page.wait_for_function("picture => picture.naturalWidth > 400", arg=picture)
            sources.add(picture.get_attribute("src"))
        assert len(sources) == 6
        assert errors == []
