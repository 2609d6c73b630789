"""What the page is told, whoever carries the answers: routes, a notebook's kernel, or a report."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lstm_probe.explorer.captures import Captures
from lstm_probe.explorer.requests import Scope
from lstm_probe.explorer.series import History
from lstm_probe.logs.stored.alert_states import AlertStates
from lstm_probe.logs.stored.checked import read_capture
from lstm_probe.logs.stored.course import answers_at
from lstm_probe.logs.stored.format import Stored, plain
from lstm_probe.logs.stored.probe import packed_probe
from lstm_probe.models.probe_data import ProbeData

__all__ = ["Answers"]


class Answers:
    """The answer to each question of the page, as it is sent.

    These are the questions of `static/source.js`. A document is a dictionary that becomes JSON, in
    which numbers that are not finite are texts; the page takes its one field. Everything else is a
    safetensors file. Of trainings with more than 400 captures, what changes over the training is
    told of 400, evenly spaced.

    Args:
        captures: where the captures are.
    """

    def __init__(self, captures: Captures) -> None:
        self._captures = captures
        self._history = History(captures)

    def runs(self, scope: Scope) -> dict[str, Any]:
        """Every run, by name: its name, its layers and those with weights, each sorted, and its
        last step. No data is read for it."""
        return {"runs": self._captures.runs(scope)}

    def layers(self, scope: Scope, run: str) -> dict[str, Any]:
        """The layers of a run in the order of the model, each with its steps.

        Raises:
            MissingError: there is no such run.
        """
        steps = self._captures.layers(scope, run)
        return {"layers": [{"name": name, "steps": each} for name, each in steps.items()]}

    def steps(self, scope: Scope, run: str, layer: str) -> dict[str, Any]:
        """The steps at which a layer was captured.

        Raises:
            MissingError: there is no such run or layer.
        """
        return {"steps": self._captures.steps(scope, run, layer)}

    def timeline(self, scope: Scope, run: str) -> dict[str, Any]:
        """A summary of every capture of a run, by step: `step`, `epoch`, `layers`, `training` and
        so on; an empty list if there is no such run."""
        return {
            "captures": [_brief(each.as_data()) for each in self._captures.timeline(scope, run)]
        }

    def alerts(self, scope: Scope, run: str) -> dict[str, Any]:
        """Every alert of a run, the newest first; an empty list without any. Its `state` is
        "standing", "noted" or "cleared"; one that has cleared stood `until` a step."""
        states = AlertStates()
        for point in self._captures.timeline(scope, run):
            states.add(point)
        return {"alerts": states.told()}

    def sentences(self, scope: Scope, run: str, layer: str, step: int) -> dict[str, Any]:
        """What the gates of a layer say at a step: sentences, each with its number and the view
        that shows it, its unit and step, which are None where it is about no single one. An empty
        list if nothing is known, as of older logs."""
        found = answers_at(self._captures.timeline(scope, run), layer, step)
        return {"sentences": [plain(each.plain()) for each in found]}

    def explained(
        self, scope: Scope, run: str, layer: str, step: int | None = None
    ) -> dict[str, Any]:
        """What the analyses say of a layer: at which `step`, and all `steps` of which there is
        something; by the name of each analysis its `findings` with their `sentences`, or why it is
        `missing`; `asked_of`, who gave the model's output; and `notes`. None if the log has nothing
        of it.

        Args:
            scope: whose data.
            run: the run.
            layer: the layer.
            step: the newest analyses up to this step are told, or the first if they are later; None
                for the newest of all.

        Raises:
            LstmProbeError: the bytes are damaged.
        """
        steps = self._captures.findings_steps(scope, run, layer)
        if not steps:
            return {"explained": None}
        before = [each for each in steps if step is None or each <= step]
        found = self._captures.findings(scope, run, layer, before[-1] if before else steps[0])
        return {"explained": {**found, "steps": steps}}

    def capture(self, scope: Scope, run: str, layer: str, step: int) -> bytes:
        """The stored capture of a layer at a step.

        Raises:
            MissingError: there is none.
        """
        return self._captures.capture(scope, run, layer, step)

    def unpacked(self, scope: Scope, run: str, layer: str, step: int) -> Stored:
        """The stored capture of a layer at a step, as arrays.

        Raises:
            MissingError: there is none.
            LstmProbeError: the bytes are damaged.
        """
        return read_capture(self._captures.capture(scope, run, layer, step))

    def weights(self, scope: Scope, run: str, layer: str, step: int) -> bytes:
        """The stored weights of a layer at a step.

        Raises:
            MissingError: there are none.
        """
        return self._captures.weights(scope, run, layer, step)

    def probe(self, scope: Scope, run: str) -> bytes:
        """The inputs and targets of a run's probe, as `packed_probe` stores them: without any where
        the log holds none."""
        return self._captures.probe(scope, run) or packed_probe(ProbeData())

    def series(self, scope: Scope, run: str, layer: str, cell: tuple[int, int, int]) -> bytes:
        """All gates of one cell (its sequence, timestep and unit, as original indices) over the
        training: `steps` `(n,)` and `gates/<letter>` `(n,)`, NaN where a gate lacks the unit.

        Raises:
            MissingError: nothing is stored there.
        """
        return self._history.of_cell(scope, run, layer, cell)

    def history(self, scope: Scope, run: str, layer: str, name: str) -> bytes:
        """One array with one axis, such as `horizon`, over the training: `steps` `(n,)` and
        `values` `(n, length)`. `error_by_timestep` stands for the rows of the timeline, and the
        names of `computed.py` for its curves.

        Raises:
            MissingError: no capture has such an array.
        """
        return self._history.of_array(scope, run, layer, name)


def _brief(capture: Mapping[str, Any]) -> dict[str, Any]:
    """A capture's summary without the rows that make it long, which `history` answers."""
    layers = {
        layer: {key: item for key, item in each.items() if key != "error_by_timestep"}
        for layer, each in capture["layers"].items()
    }
    return {**capture, "layers": layers}
