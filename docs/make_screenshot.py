"""The pictures of the gate explorer: from the training of `examples/digits_keras.py`, and for the
README from the sample log of `lstm-probe demo`.

Needs Chromium.

python docs/make_screenshot.py
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image
from playwright.sync_api import sync_playwright

DOCS = Path(__file__).resolve().parent
PICTURE = DOCS / "pictures" / "gate_explorer.png"
OF_DEMO = DOCS / "explorer_light.png"
SIZE = {"width": 1280, "height": 900}


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        demo = (sys.executable, "-m", "lstm_probe", "demo", "--log-dir", "demo", "--no-open")
        subprocess.run(demo, check=True, cwd=folder)
        photograph(Path(folder, "demo", "gates.html"), OF_DEMO)
    with tempfile.TemporaryDirectory() as folder:
        page, log_dir = Path(folder, "report.html"), Path(folder, "logs", "digits")
        example = DOCS.parent / "examples" / "digits_keras.py"
        options = ("--units", "64", "--epochs", "6", "--verbose", "0", "--log-dir", str(log_dir))
        subprocess.run([sys.executable, example, *options], check=True)
        report = (sys.executable, "-m", "lstm_probe", "report", "logs/digits", "-o", str(page))
        subprocess.run(report, check=True, cwd=folder)
        photograph(page, PICTURE, choose=(555, 300))  # in the forget gate


def photograph(page: Path, target: Path, choose: tuple[int, int] | None = None) -> None:
    """Open the page, choose a unit at some place, and keep what is seen."""
    browser_path = shutil.which("chromium") or shutil.which("google-chrome")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=browser_path, args=["--no-sandbox"])
        view = browser.new_page(viewport=SIZE)
        view.goto(page.as_uri())
        view.wait_for_timeout(2000)
        if choose is not None:
            view.mouse.click(*choose)
            view.wait_for_timeout(1000)
        view.mouse.move(640, 872)
        view.wait_for_timeout(300)
        view.screenshot(path=target)
        browser.close()
    with Image.open(target) as picture:
        picture.convert("RGB").quantize(200).save(target, optimize=True)


if __name__ == "__main__":
    main()
