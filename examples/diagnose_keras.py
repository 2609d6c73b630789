"""Four trainings that go wrong, what the alerts say, and the same networks cured.

Each network is trained twice. The latching problem (Bengio, Simard & Frasconi 1994) asks for a
memory of 300 steps; the digits are scikit-learn's, read row by row.

    python examples/diagnose_keras.py
"""

from __future__ import annotations

import argparse
import os
import tempfile
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import digits_data
import keras
import numpy as np
import numpy.typing as npt
from long_memory_keras import latching_problem

import lstm_probe
from lstm_probe import Alert
from lstm_probe.callbacks import ProbeCallback

Data = tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]


@dataclass(frozen=True)
class Case:
    """An illness: a layer and a learning rate, ill and cured."""

    name: str
    rule: str
    ill: Callable[[], keras.layers.Layer]
    cured: Callable[[], keras.layers.Layer]
    data: Callable[[], Data]
    ill_rate: float = 0.003
    cured_rate: float = 0.003
    epochs: int = 4


@dataclass(frozen=True)
class Diagnosis:
    """A layer after its training: what it reached, the alerts that were raised, and its gates."""

    accuracy: float
    alerts: list[Alert]
    analysis: lstm_probe.Analysis


def main() -> None:
    options = parse_options()
    for case in cases():
        if options.only in (None, case.rule):
            print(f"\n{case.name}")
            with folder(options.log_dir) as logs:
                for state, layer, rate in (
                    ("ill", case.ill, case.ill_rate),
                    ("cured", case.cured, case.cured_rate),
                ):
                    place = f"{logs}/{case.rule}/{state}"
                    report(state, diagnose(case, layer, rate, options.seed, place))


def cases() -> list[Case]:
    layers, biases = keras.layers, keras.initializers.Constant
    return [
        Case(
            "Vanishing gradient: a plain recurrent layer over 302 steps",
            "vanishing_gradient",
            ill=lambda: layers.SimpleRNN(30, recurrent_initializer="random_uniform", name="memory"),
            # Le, Jaitly & Hinton 2015: a state that begins by keeping everything.
            cured=lambda: layers.SimpleRNN(
                30,
                recurrent_initializer="identity",
                kernel_initializer=keras.initializers.RandomNormal(stddev=0.01, seed=0),
                activation="relu",
                name="memory",
            ),
            data=signals,
            cured_rate=1e-4,
        ),
        Case(
            "Forget bias too low: an LSTM over 302 steps",
            "short_memory",
            ill=lambda: layers.LSTM(30, unit_forget_bias=False, name="memory"),
            # Tallec & Ollivier 2018: a bias of log(length) keeps for about that length.
            cured=lambda: layers.LSTM(
                30, unit_forget_bias=False, bias_initializer=chrono, name="memory"
            ),
            data=signals,
            cured_rate=0.01,
        ),
        Case(
            "Learning rate too high: an LSTM on digits",
            "saturated_gates",
            ill=lambda: layers.LSTM(32, name="memory"),
            cured=lambda: layers.LSTM(32, name="memory"),
            data=digits,
            ill_rate=1.0,
            epochs=8,
        ),
        Case(
            "Dead units: relu, and biases that shut it",
            "dead_units",
            ill=lambda: layers.SimpleRNN(
                32, activation="relu", bias_initializer=biases(-3.0), name="memory"
            ),
            cured=lambda: layers.SimpleRNN(32, activation="relu", name="memory"),
            data=digits,
            epochs=8,
        ),
    ]


def diagnose(
    case: Case, layer: Callable[[], keras.layers.Layer], rate: float, seed: int, log_dir: str
) -> Diagnosis:
    """Train, and look on."""
    keras.utils.set_random_seed(seed)
    x, y = case.data()
    classes = int(y.max()) + 1
    model = keras.Sequential(
        [keras.Input(x.shape[1:]), layer(), keras.layers.Dense(classes, activation="softmax")]
    )
    model.compile(
        keras.optimizers.Adam(rate), "sparse_categorical_crossentropy", metrics=["accuracy"]
    )
    alerts: list[Alert] = []
    probe = ProbeCallback(x[:8], log_dir, every=4, on_alert=alerts.append, max_overhead=None)
    fitted = model.fit(x, y, batch_size=64, epochs=case.epochs, verbose=0, callbacks=[probe])
    return Diagnosis(fitted.history["accuracy"][-1], alerts, probe.analyses["memory"])


def folder(log_dir: str | None) -> AbstractContextManager[str]:
    """Where the logs go: one that stays, or one that does not."""
    return tempfile.TemporaryDirectory() if log_dir is None else nullcontext(log_dir)


def signals() -> Data:
    x, y = latching_problem(512, seed=0)
    return x, y[:, -1, 0]


def digits() -> Data:
    data = digits_data.load("sklearn")
    return data.x_train, data.y_train.astype(np.float32)


def chrono(shape: tuple[int, ...], dtype: str | None = None) -> npt.NDArray[np.float32]:
    """Biases of the gates `i f g o`; that of f is `log(length)` of lengths up to 302."""
    units = shape[0] // 4
    forget = np.log(np.linspace(2, 302, units))
    return np.concatenate([np.zeros(units), forget, np.zeros(2 * units)]).astype(np.float32)


def report(label: str, found: Diagnosis) -> None:
    print(f"  {label}: accuracy {found.accuracy:.0%}, alerts: {len(found.alerts) or 'none'}")
    for alert in found.alerts:
        print(f"    {alert}")


def parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", help="one of the rules, such as dead_units")
    parser.add_argument("--log-dir", help="keep the logs there, to look at them in TensorBoard")
    parser.add_argument("--seed", type=int, default=0, help="makes a run repeatable (default: 0)")
    return parser.parse_args()


if __name__ == "__main__":
    main()
