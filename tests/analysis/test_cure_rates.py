"""What the alerts say of their own advice, and what the documentation says of it, is one table."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
import samples
from checkout import ROOT

from lstm_probe import analyse
from lstm_probe.analysis.alerts.board import RULES, find_alerts
from lstm_probe.analysis.alerts.cure_rates import CURE_RATES, CureRate, cure_rate, said_of_cures


def table_of_docs() -> list[CureRate]:
    page = (ROOT / "docs/reading_the_gates.md").read_text()
    rows = re.findall(r"^\| `(\w+)` \| (.+?) \|" + r" (\d+) \|" * 4 + "$", page, re.MULTILINE)
    return [CureRate(rule, advice, *map(int, numbers)) for rule, advice, *numbers in rows]


def test_the_documentation_has_the_numbers_that_the_alerts_say():
    assert table_of_docs() == list(CURE_RATES)


def test_no_two_rates_are_of_the_same_advice_and_each_has_been_tried():
    assert {rate.rule for rate in CURE_RATES} == set(RULES) - {"parity_mismatch"}
    assert all(rate.trainings for rate in CURE_RATES)
    for rate in CURE_RATES:
        assert cure_rate(rate.rule, rate.advice) is rate


@pytest.mark.parametrize("scale", [1.0, 100.0])
def test_an_alert_says_how_often_its_advice_has_cured(rng, scale):
    weights = samples.lstm_weights(rng)
    weights.kernel[:] *= 1e3
    snapshot = samples.snapshot(rng, weights=weights, time=30)
    snapshot = replace(snapshot, x=scale * snapshot.x)
    alert = find_alerts(analyse(snapshot), rules=["saturated_gates"])[0]
    rate = cure_rate("saturated_gates", alert.advice)
    assert rate is not None
    assert ("unit variance" in rate.advice) == (scale > 1)
    assert str(alert).endswith(f". {said_of_cures(alert.rule, alert.advice)}")
    assert f"of {rate.trainings} such trainings" in alert.tried
    assert alert.plain()["tried"] == alert.tried


def test_the_bench_can_follow_each_advice(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    from advised import CHANGES

    for rate in CURE_RATES:
        known = [words for words in CHANGES if re.search(words, rate.advice)]
        assert known or any(words.startswith(rate.advice) for words in CHANGES), rate


@pytest.mark.parametrize("page", ["index", "reading_the_gates"])
def test_the_alerts_that_the_documentation_quotes_say_what_is_true(page):
    text = (ROOT / f"docs/{page}.md").read_text()
    quotes = re.findall(r"^    \w+: layer .*\n(?:    \S.*\n)+", text, re.MULTILINE)
    assert quotes
    for quote in quotes:
        words = " ".join(quote.split())
        found = re.fullmatch(r"(\w+): layer .* Try: (.*)\. ((?:On|This) .*)", words)
        assert found, words
        rule, advice, tried = found.groups()
        assert tried == said_of_cures(rule, advice)
