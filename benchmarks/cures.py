"""Are the alerts to be believed? Healthy trainings, ill ones, and what the advice makes of them.

    python benchmarks/cures.py healthy            false alarms
    python benchmarks/cures.py ill --seeds 1      which alerts are raised, and when
    python benchmarks/cures.py cures --seeds 5    with and without the advised change

All of it takes about an hour of one core. With `--records FILE`, what was trained is kept there,
and a bench that was stopped goes on; `--only TEXT` takes the trainings whose names contain it.

Half of the trainings is sealed: their names were split before a threshold was chosen. Both halves
are printed; who changes a rule or an advice looks at `--half open` alone until it is done.
"""

from __future__ import annotations

import argparse
import logging
import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
from advised import advised, chosen
from healthy import HEALTHY
from ill import ILL
from records import Records
from trainings import Outcome, Training

from lstm_probe.analysis import Thresholds
from lstm_probe.analysis.alerts.cure_rates import cure_rate

#: An illness is to be raised before this part of its training.
SOON = 0.1
#: A loss is worse where its mean is higher by more than so many standard deviations of the ill
#: training over its seeds.
DEVIATIONS = 2.0
#: It is better where that of most seeds is lower by more than this part than that of each ill one:
#: what is less is a loss that stands still, for the alerts as well.
IMPROVEMENT = Thresholds().improvement
#: What an advice can do: the alert is gone in most seeds and the loss is better; the alert is gone,
#: and the loss is the same; the alert is still raised; the loss is worse.
WORDS = ("cured", "only the alert", "nothing", "harmed")


Halves = list[tuple[str, list[Training]]]


def main() -> None:
    options = parse_options()
    logging.getLogger("lstm_probe").setLevel(logging.ERROR)
    records = Records(options.records)
    if options.what in ("all", "healthy"):
        show_healthy(records, halves(HEALTHY, options.half, options.only))
    if options.what in ("all", "ill"):
        show_ill(records, halves(ILL, options.half, options.only), options.seeds)
    if options.what in ("all", "cures"):
        show_cures(records, halves(ILL, options.half, options.only), options.seeds)


def show_healthy(records: Records, bench: Halves) -> None:
    """How many alarms there are in trainings that reach what they should."""
    for half, trainings in bench:
        print(f"\n## Healthy, {half}: {len(trainings)} trainings\n")
        alarms = learned = 0
        for training in trainings:
            outcome = records.of(training, 0)
            reaches = training.good is not None and outcome.reaches(training.good)
            learned += reaches
            alarms += bool(outcome.alerts)
            raised = ", ".join(sorted({a.rule for a in outcome.alerts})) or "none"
            show(
                f"{training.name:<52} {_result([outcome])} learned: {reaches!s:<5} alerts: {raised}"
            )
        show(f"{alarms} of {len(trainings)} with an alert, {learned} learned their task")


def show_ill(records: Records, bench: Halves, seeds: int) -> None:
    """Which alerts are raised, and when: the right one, and which others."""
    for half, trainings in bench:
        print(f"\n## Ill, {half}: {len(trainings)} trainings, {seeds} seeds\n")
        print("| training | illness | raised soon | raised first | others raised soon |")
        print("| --- | --- | --- | --- | --- |")
        right = foremost = total = 0
        for training in trainings:
            outcomes = trained(records, training, seeds)
            hits = sum(training.illness in soon(each) for each in outcomes)
            firsts = sum(training.illness in first(each) for each in outcomes)
            named = Counter(rule for each in outcomes for rule in soon(each) - {training.illness})
            others = ", ".join(f"`{rule}` in {n}" for rule, n in named.items()) or "none"
            show(
                f"| {training.name} | `{training.illness}` | {hits} of {len(outcomes)} "
                f"| {firsts} | {others} |"
            )
            right, foremost, total = right + hits, foremost + firsts, total + len(outcomes)
        show(
            f"\nThe right name within a tenth of the training in {right} of {total}, among those "
            f"raised first in {foremost}."
        )


def show_cures(records: Records, bench: Halves, seeds: int) -> None:
    """The same trainings as they are and as the advice says."""
    table: dict[tuple[str, str], Counter[str]] = {}
    for half, trainings in bench:
        print(f"\n## Cures, {half}, {seeds} seeds\n")
        print("| training | alert | tried | as it is | as advised | alert | others | |")
        print("| --- | --- | --- | --- | --- | --- | --- | --- |")
        for training in trainings:
            before = trained(records, training, seeds)
            rule, advice = to_follow(training, before)
            after = trained(records, advised(training, advice), seeds) if advice else []
            show_case(training, rule, advice, before, after)
            for answered in followed(rule, advice, before):
                word = judged(answered, before, after)
                table.setdefault((answered, opening(answered, advice)), Counter())[word] += 1
    print(f"\n| alert | advice | {' | '.join(WORDS)} |\n|{' --- |' * (len(WORDS) + 2)}")
    for (rule, advice), counted in sorted(table.items()):
        print(f"| `{rule}` | {advice} | {' | '.join(str(counted[word]) for word in WORDS)} |")


def to_follow(training: Training, before: Sequence[Outcome]) -> tuple[str, str]:
    """The alert whose advice is followed, and the advice; empty if none was raised.

    It is the right one or, where that was not raised, the one that was raised first.
    """
    alerts = [alert for each in before for alert in each.alerts]
    right = [alert for alert in alerts if alert.rule == training.illness]
    return next(((a.rule, a.advice) for a in right + alerts), (str(training.illness), ""))


def followed(rule: str, advice: str, before: Sequence[Outcome]) -> list[str]:
    """The alerts that an advice answers: its own, and others that advise the same."""
    often = Counter(each for outcome in before for each in raised(outcome))
    same = [
        other
        for other, seeds in often.items()
        if seeds > len(before) / 2 and advice_for(other, before) == advice
    ]
    return sorted({rule, *same}) if advice else []


def trained(records: Records, training: Training, seeds: int) -> list[Outcome]:
    """What comes of a training with each seed."""
    return [records.of(training, seed) for seed in range(min(seeds, training.seeds))]


def show_case(
    training: Training,
    rule: str,
    advice: str,
    before: Sequence[Outcome],
    after: Sequence[Outcome],
) -> None:
    """One row of the table of all cases."""
    ill, still = (sum(rule in raised(each) for each in outcomes) for outcomes in (before, after))
    others = Counter(other for each in after for other in raised(each) - {rule})
    also = ", ".join(f"`{other}` in {n}" for other, n in others.items()) or "none"
    word = judged(rule, before, after) if after else "not raised"
    instead = "" if rule == training.illness else f", and no `{training.illness}`"
    show(
        f"| {training.name} | `{rule}` in {ill} of {len(before)}{instead} "
        f"| {chosen(advice)} | {_result(before)} | {_result(after) if after else ''} "
        f"| in {still} | {also} | {word} |"
    )


def opening(rule: str, advice: str) -> str:
    """The words by which the table of the package knows an advice."""
    rate = cure_rate(rule, advice)
    return chosen(advice) if rate is None else rate.advice


def advice_for(rule: str, outcomes: Sequence[Outcome]) -> str | None:
    """What the first alert of a rule advises; None if there is none."""
    return next((a.advice for each in outcomes for a in each.alerts if a.rule == rule), None)


def judged(rule: str, before: Sequence[Outcome], after: Sequence[Outcome]) -> str:
    """What an advice did about an alert: one of `WORDS`."""
    change = compared(before, after)
    if change == "worse":
        return "harmed"
    if np.mean([rule in raised(each) for each in after]) > 0.5:
        return "nothing"
    return "cured" if change == "better" else "only the alert"


def compared(before: Sequence[Outcome], after: Sequence[Outcome]) -> str:
    """Whether the loss on held-out data is better, worse, or the same."""
    old, new = (np.array([each.loss for each in outcomes]) for outcomes in (before, after))
    if not np.isfinite(old).all() or not np.isfinite(new).all():
        fewer = np.isfinite(new).sum() - np.isfinite(old).sum()
        return "better" if fewer > 0 else "worse" if fewer < 0 else "the same"
    if new.mean() > old.mean() + DEVIATIONS * old.std(ddof=1):
        return "worse"
    return "better" if np.mean(new < (1 - IMPROVEMENT) * old.min()) > 0.5 else "the same"


def raised(outcome: Outcome) -> set[str]:
    """The rules of which an alert was raised."""
    return {alert.rule for alert in outcome.alerts}


def soon(outcome: Outcome) -> set[str]:
    """The rules that were raised within a tenth of the training."""
    return {alert.rule for alert in outcome.alerts if alert.step <= SOON * outcome.steps}


def first(outcome: Outcome) -> set[str]:
    """The rules that were raised before all others, or at the same step."""
    earliest = min((alert.step for alert in outcome.alerts), default=None)
    return {alert.rule for alert in outcome.alerts if alert.step == earliest}


def halves(trainings: Sequence[Training], half: str = "both", only: str = "") -> Halves:
    """The trainings on which thresholds were chosen, and those that were sealed."""
    return [
        (name, [each for each in trainings if each.is_sealed == sealed and only in each.name])
        for name, sealed in (("open", False), ("sealed", True))
        if half in ("both", name)
    ]


def show(line: str) -> None:
    print(line, flush=True)


def _result(outcomes: Sequence[Outcome]) -> str:
    loss = np.mean([each.loss for each in outcomes])
    accuracy = np.mean([each.accuracy for each in outcomes])
    return f"loss {loss:.3g}" + ("" if np.isnan(accuracy) else f", right {accuracy:.0%}")


def parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "what", nargs="?", default="all", choices=("all", "healthy", "ill", "cures")
    )
    parser.add_argument("--seeds", type=int, default=5, help="of each ill training (default: 5)")
    parser.add_argument("--only", default="", help="the trainings whose names contain this")
    parser.add_argument("--half", default="both", choices=("both", "open", "sealed"))
    parser.add_argument("--records", type=Path, help="a file that is read and continued")
    return parser.parse_args()


if __name__ == "__main__":
    main()
