"""What `TorchProbe` adds to a training in plain PyTorch, and whether memory grows.

python benchmarks/torch_training.py              # on the CPU, in processor time
python benchmarks/torch_training.py --device cuda
python benchmarks/torch_training.py --captures 10000   # memory alone
"""

from __future__ import annotations

import argparse
import tempfile
import time
from itertools import pairwise
from typing import Any

import torch
from measuring import Ratio, in_turn, ratio
from torch import nn

from lstm_probe.callbacks import TorchProbe

BATCH, STEPS, INPUTS, UNITS = 128, 28, 28, 128
#: How much longer a training may take.
BOUND = 1.005


class Model(nn.Module):
    """An LSTM that reads the rows of a picture."""

    def __init__(self, inputs: int = INPUTS, units: int = UNITS) -> None:
        super().__init__()
        self.memory, self.head = nn.LSTM(inputs, units, batch_first=True), nn.Linear(units, 10)

    def forward(self, x: Any) -> Any:
        return self.head(self.memory(x)[0][:, -1])


class Training:
    """A model that is trained step by step."""

    def __init__(self, device: str) -> None:
        torch.manual_seed(0)
        self.model = Model().to(device)
        self.optimizer = torch.optim.Adam(self.model.parameters())
        self.x = torch.rand(BATCH, STEPS, INPUTS, device=device)
        self.y = torch.randint(0, 10, (BATCH,), device=device)

    def run(self, steps: int) -> None:
        for _ in range(steps):
            self.optimizer.zero_grad()
            nn.functional.cross_entropy(self.model(self.x), self.y).backward()
            self.optimizer.step()
        if self.x.is_cuda:
            torch.cuda.synchronize()


def overhead(device: str, every: int, rounds: int) -> Ratio:
    """What captures add to the steps between them: a step and a capture in turn, in one process."""
    training = Training(device)
    clock = time.perf_counter if device != "cpu" else time.process_time
    with tempfile.TemporaryDirectory() as log_dir:
        probe = TorchProbe(
            training.model, training.x[:1], log_dir, every=1, max_overhead=None, on_alert=ignore
        )
        rows = in_turn([lambda: training.run(1), probe.step], rounds, clock)
        probe.close()
    part = ratio(rows, 1, 0)

    def with_captures(of_step: float) -> float:
        return 1 + of_step / every

    return Ratio(*map(with_captures, (part.median, part.low, part.high)), part.seconds)


def whole(device: str, every: int, steps: int, rounds: int) -> Ratio:
    """The time of a training with captures over that of one without, in turn in one process."""
    training = Training(device)
    clock = time.perf_counter if device != "cpu" else time.process_time
    taken: list[float] = []

    def probed() -> None:
        with tempfile.TemporaryDirectory() as log_dir:
            optimizer = training.optimizer
            probe = TorchProbe(
                training.model, training.x[:1], log_dir, optimizer=optimizer, every=every
            )
            began = clock()
            training.run(steps)
            taken.append(clock() - began)
            probe.close()

    rows = in_turn([lambda: training.run(steps), probed], rounds, clock)
    # Neither setting up, before the training, nor the capture after it are part of its steps.
    inside = [[row[0], seconds] for row, seconds in zip(rows, taken[1:], strict=True)]
    return ratio(inside, 1, 0)


def ignore(alert: object) -> None:
    """Alerts are not what is measured: the same batch is trained again and again."""


def memory(captures: int) -> list[float]:
    """The resident memory in MB after each tenth of so many captures."""
    torch.manual_seed(0)
    model, x = Model(3, 8), torch.rand(1, 7, 3)
    optimizer = torch.optim.SGD(model.parameters(), 0.01)
    found = []
    with tempfile.TemporaryDirectory() as log_dir:
        options: dict[str, Any] = {
            "detail": "explorer",
            "max_overhead": None,
            "max_log_bytes": None,
        }
        with TorchProbe(model, x, log_dir, optimizer=optimizer, every=1, **options) as probe:
            for step in range(1, captures + 1):
                optimizer.zero_grad()
                model(x).square().mean().backward()
                optimizer.step()
                if step % (captures // 10) == 0:
                    found.append(_resident())
        assert probe.report.captured == captures + 1, probe.report
    return found


def _resident() -> float:
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * 4096 / 2**20


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--every", type=int, default=100)
    parser.add_argument("--steps", type=int, default=0, help="also train so many")
    parser.add_argument("--rounds", type=int, default=101)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--captures", type=int, default=0)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    if options.captures:
        found = memory(options.captures)
        print("resident MB:", " ".join(f"{each:.1f}" for each in found))
        print(f"growth over the last half: {found[-1] - found[len(found) // 2]:.1f} MB")
        print("largest growth between two:", round(max(b - a for a, b in pairwise(found[1:])), 1))
        return
    found_ratio = overhead(options.device, options.every, options.rounds)
    kept = "met" if found_ratio.median <= BOUND else "NOT MET"
    print(
        f"LSTM({UNITS}) x {STEPS}, batch {BATCH}, {options.device}: with captures every "
        f"{options.every} over without {found_ratio}, at most {BOUND}: {kept}"
    )
    if options.steps:
        trained = whole(options.device, options.every, options.steps, 9)
        print(f"whole trainings of {options.steps} steps: {trained}")


if __name__ == "__main__":
    main()
