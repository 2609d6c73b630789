"""Two trainings of the same network, one of which cannot remember, and their logs."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from lstm_probe.analysis.alerts.board import AlertBoard
from lstm_probe.analysis.analysis import Analysis, analyse
from lstm_probe.analysis.snapshot import Snapshot
from lstm_probe.analysis.words.answers import Answer
from lstm_probe.cells import LstmCell
from lstm_probe.cli.demo.network import Network
from lstm_probe.cli.demo.reviews import LENGTH, Reviews, write_reviews
from lstm_probe.core.arrays import Array
from lstm_probe.core.blas import on_one_blas_thread
from lstm_probe.logs.run_log import RunLog
from lstm_probe.models.probe_data import ProbeData
from lstm_probe.weights.keras import from_keras

__all__ = ["RUNS", "Trained", "train"]

_UNITS, _BATCH, _STEPS, _EVERY = 16, 32, 200, 8
_SEQUENCES = 6
#: So many steps are called an epoch.
_EPOCH = 40


def _chrono() -> tuple[Array, Array]:
    """Biases of forget and input gates, of lengths from 2 to that of a review.

    Source:
        Tallec & Ollivier 2018, "Can recurrent neural networks warp time?", section 2.2.
    """
    forget = np.log(np.linspace(2, LENGTH, _UNITS))
    return forget, -forget


_ILL, _CURED = "1_ill", "2_cured"
#: The name of each run, and in words how the biases of its forget gate begin.
RUNS = {
    _ILL: "forget biases of 0, which keep half of the memory at each step",
    _CURED: "forget biases of log(2) to log(60), which keep some of it for all 60 words",
}


@dataclass
class Trained:
    """What a training came to.

    Attributes:
        directory: of the run.
        accuracy: of its last batches.
        answers: what the gates say at the end.
    """

    directory: Path
    accuracy: float = 0.0
    answers: list[Answer] = field(default_factory=list)


@on_one_blas_thread
def train(log_dir: Path, name: str, *, steps: int = _STEPS) -> Trained:
    """Train a network on reviews, and log its gates as a callback would.

    Args:
        log_dir: where the run goes, as `<log_dir>/<name>/lstm_probe`.
        name: one of `RUNS`.
        steps: how many steps are trained.

    Raises:
        LstmProbeError: the directory cannot be written to.
    """
    forget_bias, input_bias = _chrono() if name == _CURED else np.zeros((2, _UNITS))
    probe, rng = write_reviews(_SEQUENCES, np.random.default_rng(5)), np.random.default_rng(0)
    network = Network(probe.x.shape[-1], _UNITS, forget_bias=forget_bias, input_bias=input_bias)
    board, scores = AlertBoard(), np.zeros((0, 2))
    data = ProbeData({"": probe.x}, {"": probe.y})
    with RunLog(log_dir / name, detail="full", data=data) as log:
        for step in range(steps + 1):
            if step % _EVERY == 0:
                recent = scores[-_EVERY:].mean(axis=0).tolist() if len(scores) else ()
                training = dict(zip(("loss", "accuracy"), recent, strict=False))
                seen = [_seen(network, probe, step)]
                alerts = board.update(seen, training.get("loss"))
                log.write(
                    seen,
                    step=step,
                    dynamics=board.dynamics,
                    alerts=alerts,
                    others=[*board.noted, *board.cleared],
                    training=training,
                    outputs={"": network.answers(probe.x)},
                )
            batch = write_reviews(_BATCH, rng)
            scores = np.vstack([scores, network.train(batch.x, batch.y)])
        return Trained(log.directory, float(scores[-_EVERY:, 1].mean()), log.answers["reader"])


def _seen(network: Network, probe: Reviews, step: int) -> Analysis:
    weights = from_keras(*(array.copy() for array in network.layer))
    analysis = analyse(
        Snapshot(
            step,
            "reader",
            LstmCell(),
            weights,
            x=probe.x,
            output=network.hidden(probe.x),
            epoch=step / _EPOCH,
        )
    )
    labels = tuple(map(tuple, probe.words))
    trace = replace(analysis.trace, labels=labels, sequence_names=tuple(probe.names))
    return replace(analysis, trace=trace)
