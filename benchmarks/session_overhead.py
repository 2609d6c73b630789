"""What `ProbeHook` adds to a session loop: the time with the hook over the time without.

    python benchmarks/session_overhead.py
    python benchmarks/session_overhead.py --timesteps 28 --blocks 15

Two MonitoredTrainingSessions on equal graphs, one with the hook, take turns: a block of `every`
steps (and so one capture) each. The ratio of the median blocks is printed, and what one capture
and one step without a capture cost.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ["TF_USE_LEGACY_KERAS"] = "1"
sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "examples"))

import mnist_session as example
import numpy as np
import tensorflow as tf

from lstm_probe.callbacks import ProbeHook

tf1 = tf.compat.v1
PIXELS = 784


def main() -> None:
    options = parse_options()
    rng = np.random.default_rng(0)
    x = rng.random((1024, options.timesteps, PIXELS // options.timesteps), dtype=np.float32)
    y = rng.integers(0, 10, 1024)
    pairs: list[tuple[float, float]] = []
    captures: list[float] = []
    # Two sessions without hooks differ by some per cent, and go on doing so, by where their memory
    # lies: so several of each are opened.
    for _ in range(options.sessions):
        with tempfile.TemporaryDirectory() as log_dir:
            bare, _ = open_session(x, y, options, None)
            probed, hook = open_session(x, y, options, log_dir)
            bare(), probed()  # warm up
            pairs += [(bare(), probed()) for _ in range(options.blocks)]
            assert hook is not None
            captures.append(hook.report.capture_ms)
    if options.json:
        print(json.dumps(rows(pairs, options, median(captures))))
        return
    without, with_hook = (median(times) for times in zip(*pairs, strict=True))
    ratios = sorted(b / a for a, b in pairs)
    quarter = len(ratios) // 4
    print(f"{len(pairs)} blocks of {options.every} steps, {options.timesteps} timesteps")
    print(f"step without the hook   {1e3 * without / options.every:8.3f} ms (median)")
    print(f"step with the hook      {1e3 * with_hook / options.every:8.3f} ms (median)")
    print(f"one capture             {median(captures):8.3f} ms (median)")
    print(f"ratio of medians        {with_hook / without:8.4f}")
    print(f"median of ratios        {median(ratios):8.4f}", end="")
    print(f"   (quartiles {ratios[quarter]:.4f} .. {ratios[-1 - quarter]:.4f})")


def rows(
    pairs: list[tuple[float, float]], options: argparse.Namespace, capture_ms: float
) -> list[dict[str, Any]]:
    """What `benchmarks/run.py` shows."""
    name = f"session loop, {options.timesteps} timestep(s): "
    name += "processor time, " if options.processor else ""
    ratios = sorted(b / a for a, b in pairs)
    quarter = len(ratios) // 4
    return [
        {
            "name": f"{name}run time with the hook at every={options.every} over without",
            "wanted": "under 1.02",
            "value": median(ratios),
            "met": median(ratios) < 1.02,
            "spread": f"{ratios[quarter]:.4f} .. {ratios[-1 - quarter]:.4f}",
        },
        {"name": f"{name}a capture, ms", "wanted": "", "value": capture_ms},
    ]


def open_session(
    x: Any, y: Any, options: argparse.Namespace, log_dir: str | None
) -> tuple[Callable[[], float], ProbeHook | None]:
    """A function that trains for one block and gives the seconds it took; and the hook if any."""
    hook = None
    with tf.Graph().as_default():
        network = example.build(*x.shape[1:])
        if log_dir is not None:
            hook = ProbeHook(
                network.cell,
                inputs=network.inputs,
                outputs=network.outputs,
                feed_dict={network.x: x[:1]},
                log_dir=log_dir,
                every=options.every,
                max_overhead=None,
                detail="explorer" if options.no_images else "gates",
            )
        hooks = [] if hook is None else [hook]
        session = tf1.train.MonitoredTrainingSession(hooks=hooks, log_step_count_steps=None)
    feed = {network.x: x[: example.BATCH_SIZE], network.y: y[: example.BATCH_SIZE]}

    clock = time.process_time if options.processor else time.perf_counter

    def block() -> float:
        began = clock()
        for _ in range(options.every):
            session.run(network.train, feed)
        return clock() - began

    return block, hook


def parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--timesteps", type=int, default=1, help="1 (784 pixels at once) or 28 (default: 1)")
    add("--every", type=int, default=100, help="steps between captures (default: 100)")
    add("--sessions", type=int, default=7, help="pairs of sessions that are opened (default: 7)")
    add("--blocks", type=int, default=11, help="blocks of each kind for a pair (default: 11)")
    add("--processor", action="store_true", help="processor time: steadier on a busy machine")
    add("--json", action="store_true", help="print a line of JSON")
    add("--no-images", action="store_true", help="log without heatmaps")
    return parser.parse_args()


if __name__ == "__main__":
    main()
