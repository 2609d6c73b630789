"""Outcomes of trainings in a file, one a line, so that a bench that was stopped goes on."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from trainings import Outcome, Training, run

from lstm_probe import Alert


class Records:
    """Trains what has not been trained yet, and remembers what came of it.

    A training is known by its name, what was changed in it, and its seed. So a training whose
    layers are edited under the same name has to be taken out of the file.

    Args:
        path: a file of JSON lines, which is read and continued; None to keep nothing.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._known: dict[tuple[str, str, int], Outcome] = {}
        if path is not None and path.exists():
            for line in path.read_text().splitlines():
                self._remember(json.loads(line))

    def of(self, training: Training, seed: int) -> Outcome:
        """The outcome of a training, which is run if it is not known."""
        key = (training.name, training.change, seed)
        if key not in self._known:
            outcome = run(training, seed)
            self._known[key] = outcome
            self._write(key, outcome)
        return self._known[key]

    def _write(self, key: tuple[str, str, int], outcome: Outcome) -> None:
        if self._path is None:
            return
        name, change, seed = key
        alerts = [alert.plain() for alert in outcome.alerts]
        line = {"name": name, "change": change, "seed": seed, **vars(outcome), "alerts": alerts}
        with self._path.open("a") as file:
            file.write(json.dumps(line) + "\n")

    def _remember(self, line: dict[str, Any]) -> None:
        key = (line.pop("name"), line.pop("change"), line.pop("seed"))
        alerts = [
            Alert(**{name: value for name, value in alert.items() if name != "text"})
            for alert in line.pop("alerts")
        ]
        self._known[key] = Outcome(alerts, **line)
