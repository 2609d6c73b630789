"""Are the alerts to be believed? Healthy trainings, ill ones, and what the advice makes of them.

    python benchmarks/cures.py                    everything: about an hour
    python benchmarks/cures.py healthy            false alarms
    python benchmarks/cures.py ill --seeds 1      which alerts are raised, and when
    python benchmarks/cures.py cures --seeds 5    with and without the advised change

Half of the trainings is sealed: their names were split before a threshold was chosen, and they were
looked at only afterwards. Both halves are printed.
"""

from __future__ import annotations

import argparse
import logging
import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
from healthy import HEALTHY
from ill import ILL
from trainings import Outcome, Training, run

#: An illness is to be raised before this part of its training.
SOON = 0.1
#: A cure harms where the loss gets worse by more than so many standard deviations over the seeds.
DEVIATIONS = 2.0


def main() -> None:
    options = parse_options()
    logging.getLogger("lstm_probe").setLevel(logging.ERROR)
    if options.what in ("all", "healthy"):
        show_healthy()
    if options.what in ("all", "ill"):
        show_ill()
    if options.what in ("all", "cures"):
        show_cures(options.seeds)


def show_healthy() -> None:
    """How many alarms there are in trainings that reach what they should."""
    for half, trainings in halves(HEALTHY):
        print(f"\n## Healthy, {half}: {len(trainings)} trainings\n")
        alarms = learned = 0
        for training in trainings:
            outcome = run(training)
            reaches = training.good is not None and outcome.reaches(training.good)
            learned += reaches
            alarms += bool(outcome.alerts)
            raised = ", ".join(sorted({a.rule for a in outcome.alerts})) or "none"
            print(
                f"{training.name:<52} {_result(outcome)} learned: {reaches!s:<5} alerts: {raised}"
            )
        print(f"{alarms} of {len(trainings)} with an alert, {learned} learned their task")


def show_ill() -> None:
    """Which alerts are raised, and when."""
    for half, trainings in halves(ILL):
        print(f"\n## Ill, {half}: {len(trainings)} trainings\n")
        right = 0
        for training in trainings:
            outcome = run(training)
            soon = {
                a.rule: a.step for a in reversed(outcome.alerts) if a.step <= SOON * outcome.steps
            }
            right += training.illness in soon
            raised = ", ".join(f"{rule} at {step}" for rule, step in soon.items()) or "none"
            print(f"{training.name:<52} {_result(outcome)} {training.illness}: {raised}")
        print(f"{right} of {len(trainings)} with the right name within a tenth of the training")


def show_cures(seeds: int) -> None:
    """The same trainings as they are and as the advice says."""
    table: dict[str, Counter[str]] = {}
    for half, trainings in halves(ILL):
        print(f"\n## Cures, {half}, {seeds} seeds\n")
        for training in trainings:
            cured = replace(training, name=f"{training.name}, cured", illness=None, **training.cure)
            before = [run(training, seed) for seed in range(seeds)]
            after = [run(cured, seed) for seed in range(seeds)]
            word = judged(training, before, after)
            table.setdefault(str(training.illness), Counter())[word] += 1
            print(f"{training.name:<52} {_result(*before)} -> {_result(*after)} {word}")
    print("\n| alert | cured | did nothing | harmed |\n| --- | --- | --- | --- |")
    for illness, counted in table.items():
        numbers = " | ".join(str(counted[word]) for word in ("cured", "nothing", "harmed"))
        print(f"| `{illness}` | {numbers} |")


def judged(training: Training, before: Sequence[Outcome], after: Sequence[Outcome]) -> str:
    """What the advice did: the alert is gone in most seeds, and the loss is not worse."""
    losses = [np.array([each.loss for each in outcomes]) for outcomes in (before, after)]
    worst = losses[0].mean() + DEVIATIONS * losses[0].std()
    if not losses[1].mean() <= worst and np.isfinite(worst):
        return "harmed"
    ill = [any(alert.rule == training.illness for alert in each.alerts) for each in after]
    return "nothing" if np.mean(ill) > 0.5 else "cured"


def halves(trainings: Sequence[Training]) -> list[tuple[str, list[Training]]]:
    """The trainings on which thresholds were chosen, and those that were sealed."""
    return [
        (name, [each for each in trainings if each.is_sealed == sealed])
        for name, sealed in (("open", False), ("sealed", True))
    ]


def _result(*outcomes: Outcome) -> str:
    loss = np.mean([each.loss for each in outcomes])
    accuracy = np.mean([each.accuracy for each in outcomes])
    return f"loss {loss:8.3g}" + ("" if np.isnan(accuracy) else f", right {accuracy:4.0%}")


def parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "what", nargs="?", default="all", choices=("all", "healthy", "ill", "cures")
    )
    parser.add_argument("--seeds", type=int, default=5, help="of each training (default: 5)")
    return parser.parse_args()


if __name__ == "__main__":
    main()
