"""How fast the gate explorer is, measured in a real browser.

A log of 10 runs x 3 layers x 300 captures, 6 gates x 200 timesteps x 64 units each, and one capture
of 1,024 units x 1,000 timesteps; served by TensorBoard on this machine.

python benchmarks/tab.py
python benchmarks/tab.py --runs 2 --captures 50    # smaller, for a first look
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from importlib.resources import files
from pathlib import Path
from statistics import median, quantiles
from typing import Any

import numpy as np
from tensorboard.compat.proto.summary_pb2 import Summary

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))
import browser

from lstm_probe import Analysis, LstmCell, Snapshot, analyse
from lstm_probe.logs import EventFile
from lstm_probe.logs.stored.course import captures_value, point_of
from lstm_probe.logs.stored.format import pack, unpack
from lstm_probe.logs.stored.values import _blob, gates_value
from lstm_probe.weights import LstmWeights

TIME, UNITS, VARIANTS = 200, 64, 12
LARGE_TIME, LARGE_UNITS = 1000, 1024
EVERY = 10
# Pixels are on the screen in the task after the next frame.
WATCH = """
window.shown = [];
window.now = () => performance.timeOrigin + performance.now();
document.addEventListener("lstm-probe-rendered", (event) => {
  const show = () => window.shown.push({ step: event.detail, at: now() });
  requestAnimationFrame(() => setTimeout(show));
});
"""
MOVE = """async ([index, step]) => {
  const range = document.querySelector("input[type=range]");
  const began = now();
  window.shown.length = 0;
  range.value = index;
  range.dispatchEvent(new Event("input"));
  for (;;) {
    const found = window.shown.find((each) => each.step === step);
    if (found) return found.at - began;
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}"""
CLICKED = "document.addEventListener('click', () => { window.clicked = now(); }, true)"
PAN = """async () => {
  const grid = document.querySelector("canvas.grid");
  const box = grid.getBoundingClientRect();
  const place = { clientX: box.left + 200, clientY: box.top + 150, cancelable: true };
  const times = [];
  const turn = async (options) => {
    const began = performance.now();
    grid.dispatchEvent(new WheelEvent("wheel", { ...place, ...options }));
    await new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve)));
    times.push(performance.now() - began);
  };
  for (let i = 0; i < 8; i++) await turn({ deltaY: -200, ctrlKey: true });
  times.length = 0;
  for (let i = 0; i < 60; i++) await turn({ deltaY: 40, deltaX: 25 });
  return times;
}"""


def main() -> None:
    options = parse_options()
    steps = [EVERY * index for index in range(options.captures)]
    with tempfile.TemporaryDirectory() as directory:
        log_dir = Path(directory)
        write_logs(log_dir, options.runs, steps)
        bytes_ = sum(file.stat().st_size for file in log_dir.rglob("*tfevents*"))
        print(f"log: {options.runs} runs x 3 layers x {len(steps)} captures, {bytes_ / 1e9:.2f} GB")
        with browser.tensorboard(log_dir) as address, browser.page() as page:
            page.add_init_script(WATCH)
            wait_until_loaded(page, address, options.runs, steps)
            report("first picture after a click on the tab", first_picture(page, address), 1000)
            measure_slider(page, address, steps)
            measure_large(page, address)
    static = files("lstm_probe.explorer") / "static"
    size = sum(len(file.read_bytes()) for file in static.iterdir())
    print(f"{'frontend':44} {size / 1000:8.1f} kB      (at most 300 kB)")


def parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=10)
    parser.add_argument("--captures", type=int, default=300)
    return parser.parse_args()


def report(name: str, times: list[float], limit: float) -> None:
    high = quantiles(times, n=10)[-1] if len(times) > 1 else times[0]
    print(f"{name:44} {median(times):8.1f} ms median, {high:.1f} ms 9th decile   ({limit} ms)")


def write_logs(log_dir: Path, runs: int, steps: list[int]) -> None:
    analyses = [random_analysis(seed) for seed in range(VARIANTS)]
    for run in range(runs):
        with EventFile(log_dir / f"run{run}" / "lstm_probe") as file:
            for index, step in enumerate(steps):
                layers = [
                    placed(analyses[(run + layer + index) % VARIANTS], f"lstm_{layer}", step)
                    for layer in range(3)
                ]
                values = [gates_value(layer) for layer in layers]
                file.write(
                    [
                        *values,
                        captures_value(point_of([each.summary() for each in layers], step=step)),
                    ],
                    step=step,
                )
    with EventFile(log_dir / "large" / "lstm_probe") as file:
        file.write([large_value(analyses[0])], step=0)


def random_analysis(seed: int) -> Analysis:
    rng = np.random.default_rng(seed)
    weights = LstmWeights(
        rng.normal(0, 0.3, (16, 4, UNITS)),
        rng.normal(0, 0.2, (UNITS, 4, UNITS)),
        rng.normal(0, 0.3, (4, UNITS)),
    )
    x = rng.normal(size=(1, TIME, 16))
    output = LstmCell().run(x, weights).h.astype(np.float32)
    return analyse(Snapshot(0, "lstm", LstmCell(), weights, x=x, output=output, dtype="float32"))


def placed(analysis: Analysis, layer: str, step: int) -> Analysis:
    from dataclasses import replace

    return replace(analysis, snapshot=replace(analysis.snapshot, layer=layer, step=step))


def large_value(analysis: Analysis) -> Summary.Value:
    """A capture of which everything is kept, however large."""
    stored = unpack(gates_value(analysis).tensor.string_val[0])
    rng = np.random.default_rng(0)
    shape = (1, LARGE_TIME, LARGE_UNITS)
    arrays = {f"gates/{k}": rng.random(shape, np.float32).astype(np.float16) for k in "ifgoch"}
    return _blob("lstm_large/capture", pack(arrays, {**stored.meta, "shape": shape, "step": 0}))


def wait_until_loaded(page: Any, address: str, runs: int, steps: list[int]) -> None:
    base = f"{address.rstrip('/')}/data/plugin/lstm_probe"
    for _ in range(600):
        listed = page.request.get(f"{base}/runs").json()["runs"]
        if len(listed) == runs + 1 and all(run["last"] in (0, steps[-1]) for run in listed):
            return
        page.wait_for_timeout(500)
    raise SystemExit("TensorBoard does not load the log")


def first_picture(page: Any, address: str) -> list[float]:
    times = []
    for _ in range(7):
        page.goto("about:blank")
        page.goto(f"{address}#text")
        tab = page.get_by_role("tab", name="Gates")
        tab.wait_for()
        page.wait_for_timeout(2000)
        page.evaluate(CLICKED)
        tab.click()
        frame = explorer(page)
        shown = frame.wait_for_function("window.shown?.[0]?.at").json_value()
        times.append(shown - page.evaluate("window.clicked"))
    return times


def explorer(page: Any) -> Any:
    page.locator("iframe[src*='lstm_probe']").wait_for()
    return page.locator("iframe[src*='lstm_probe']").element_handle().content_frame()


def opened(page: Any, address: str, run: str) -> Any:
    page.goto("about:blank")
    page.goto(f"{address}#lstm_probe&run={run}%2Flstm_probe")
    frame = explorer(page)
    frame.wait_for_function("window.shown?.length")
    page.wait_for_timeout(1000)
    return frame


def measure_slider(page: Any, address: str, steps: list[int]) -> None:
    frame = opened(page, address, "run1")
    rng = np.random.default_rng(0)
    # Far enough from each other that none was fetched ahead.
    far = [int(index) for index in rng.permutation(np.arange(0, len(steps) - 8, 8))]

    def move(index: int) -> float:
        return frame.evaluate(MOVE, [index, steps[index]])

    def after_a_pause(index: int) -> float:
        page.wait_for_timeout(120)
        return move(index)

    report("slider move, not cached", [after_a_pause(index) for index in far], 120)
    report("slider move, cached", [after_a_pause(index) for index in reversed(far)], 50)
    before = memory(page)
    for index in rng.integers(0, len(steps), 200):
        move(int(index))
    early = memory(page)
    for index in rng.integers(0, len(steps), 800):
        move(int(index))
    late = memory(page)
    print(
        f"{'memory of the page':44} {before:.0f} MB, after 200 moves {early:.0f}, 1,000 {late:.0f}"
    )


def measure_large(page: Any, address: str) -> None:
    frame = opened(page, address, "large")
    report(f"scroll, {LARGE_UNITS} units x {LARGE_TIME} steps, a frame", frame.evaluate(PAN), 50)


def memory(page: Any) -> float:
    """Megabytes of the browser's page processes, after a garbage collection."""
    page.context.new_cdp_session(page).send("HeapProfiler.collectGarbage")
    processes = page.context.browser.new_browser_cdp_session().send("SystemInfo.getProcessInfo")
    pids = [each["id"] for each in processes["processInfo"] if each["type"] == "renderer"]
    lines = [line for pid in pids for line in Path(f"/proc/{pid}/status").read_text().splitlines()]
    return sum(int(line.split()[1]) for line in lines if line.startswith("VmRSS")) / 1000


if __name__ == "__main__":
    main()
