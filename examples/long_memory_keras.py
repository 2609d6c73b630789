"""Does the forget gate remember 300 steps back? Its heatmap before and after training.

The latching problem (Bengio, Simard & Frasconi 1994; with noise: Hochreiter & Schmidhuber 1997,
experiment 2): the first steps of a sequence say what it is, plus or minus; then come 300 steps of
noise, at each of which the network must still know.

    python examples/long_memory_keras.py
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import numpy as np
import numpy.typing as npt

import lstm_probe
from lstm_probe import capture
from lstm_probe.callbacks import ProbeCallback

STEPS, SIGNAL_STEPS, LAYER = 302, 2, "test_layer"


def main() -> None:
    options = parse_options()
    keras.utils.set_random_seed(options.seed)
    x, y = latching_problem(options.sequences, seed=options.seed)
    x_test, y_test = latching_problem(256, seed=options.seed + 1)
    model = keras.Sequential(
        [
            keras.Input((STEPS, 1), name="signal"),
            keras.layers.LSTM(
                30,
                return_sequences=True,
                recurrent_activation=options.recurrent_activation,
                name=LAYER,
            ),
            keras.layers.Dense(1, activation="sigmoid", name="plus"),
        ]
    )
    model.compile(keras.optimizers.Adam(0.01), "binary_crossentropy", metrics=["accuracy"])

    output = Path(options.output)
    output.mkdir(parents=True, exist_ok=True)
    save_forget_gate(model, x_test[:1], output / "forget_gate_before.png")
    probe = ProbeCallback(x_test[:1], options.log_dir, every=10)
    model.fit(x, y, batch_size=64, epochs=options.epochs, callbacks=[probe], verbose=2)
    save_forget_gate(model, x_test[:1], output / "forget_gate_after.png")

    remembered = model.predict(x_test, batch_size=256, verbose=0)[:, -1] > 0.5
    print(f"\nStill known after {STEPS} steps: {np.mean(remembered == y_test[:, -1]):.1%}\n")
    print(probe.report)


def latching_problem(
    count: int, *, seed: int
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Signals `(count, 302, 1)` and, for every step, whether the sequence began with plus."""
    rng = np.random.default_rng(seed)
    plus = rng.integers(0, 2, size=(count, 1, 1))
    x = rng.normal(0, 0.2, size=(count, STEPS, 1))
    x[:, :SIGNAL_STEPS] += 2 * plus - 1
    y = np.broadcast_to(plus, (count, STEPS, 1))
    return x.astype(np.float32), y.astype(np.float32)


def save_forget_gate(model: keras.Model, probe: npt.NDArray[np.float32], path: Path) -> None:
    """Draw the forget gate, and print how far NumPy is from the framework."""
    analysis = lstm_probe.analyse(capture(model, probe)[LAYER])
    analysis.trace.plot("f").savefig(path)
    difference = analysis.snapshot.output - analysis.trace.h
    print(
        f"{path}: forget gate on average {analysis.trace.f.mean():.3f}, of {difference.size} values"
    )
    print(f"    largest difference framework - NumPy: {np.abs(difference).max():.1e}")


def parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--output", default="logs/long_memory", help="where the pictures go")
    add("--log-dir", default="logs/long_memory", help="where the logs go")
    add("--recurrent-activation", default="hard_sigmoid", help="default: hard_sigmoid")
    add("--sequences", type=int, default=2048, help="sequences to train on (default: 2048)")
    add("--epochs", type=int, default=4, help="rounds over the data (default: 4)")
    add("--seed", type=int, default=0, help="makes a run repeatable (default: 0)")
    return parser.parse_args()


if __name__ == "__main__":
    main()
