"""Scalars of a layer on a probe, and their exact gradients with respect to the input."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from lstm_probe.analysis.captured import Captured
from lstm_probe.analysis.gradient.sequence import run_of, to_input_time, to_states
from lstm_probe.analysis.rest import Rest
from lstm_probe.analysis.snapshot import Snapshot
from lstm_probe.cells.walk import walk_back
from lstm_probe.core.arrays import Array
from lstm_probe.core.errors import LstmProbeError
from lstm_probe.core.trace import GateTrace

__all__ = ["Outputs", "Targets", "UnitsAtTheEnd"]

#: About this many numbers are held at once.
_NUMBERS = 2**22


@dataclass(frozen=True, eq=False)
class Targets(ABC):
    """`K` scalars of each sequence of a probe.

    Attributes:
        seen: the layer on its own probe.
        chosen: which scalars, by number.
    """

    seen: Captured
    chosen: Sequence[int]

    def values(self, x: Array) -> Array:
        """The scalars on other inputs.

        Args:
            x: `(copies, batch, time, input)`: copies of the probe, each changed.

        Returns:
            `(K, copies, batch)`.
        """
        parts = [self._of(*self._run(each)) for each in self._groups(x, 1)]
        return np.concatenate(parts, axis=1)

    def gradients(self, x: Array) -> Array:
        """Their gradients with respect to the input, `(K, copies, batch, time, input)`."""
        parts = [self._back(*self._run(each)) for each in self._groups(x, len(self.chosen))]
        return np.concatenate(parts, axis=1)

    def _groups(self, x: Array, targets: int) -> list[Array]:
        """The copies, in groups that are not too large."""
        sizes = self.seen.units.of_state.size * 8 + x.shape[3]
        most = max(1, _NUMBERS // (targets * x.shape[1] * x.shape[2] * sizes))
        return [x[start : start + most] for start in range(0, len(x), most)]

    def _run(self, x: Array) -> tuple[Snapshot, GateTrace]:
        """The layer on copies of its probe, which are sequences of one batch."""
        own, copies = self.seen.snapshot, len(x)
        rows = x.reshape(-1, *x.shape[2:])
        mask = None if own.mask is None else np.tile(own.mask, (copies, 1))
        state = own.initial_state
        initial = None if state is None else tuple(np.tile(each, (copies, 1)) for each in state)
        trace = self.seen.cell.run(
            rows,
            own.weights,
            initial_state=initial,
            mask=mask,
            dtype=np.float64,
            reverse=own.reverse,
        )
        snapshot = replace(
            own, x=rows, output=trace.h, final_output=None, mask=mask, initial_state=initial
        )
        return snapshot, trace

    @abstractmethod
    def _of(self, snapshot: Snapshot, trace: GateTrace) -> Array:
        """The scalars of each copy, `(K, copies, batch)`."""

    @abstractmethod
    def _cotangents(self, snapshot: Snapshot, trace: GateTrace) -> Array:
        """The gradients with respect to `h`, `(time or 1, K, rows, output)` as it is read; those of
        one step belong to the last."""

    def _back(self, snapshot: Snapshot, trace: GateTrace) -> Array:
        run = run_of(snapshot, trace)
        if run is None:
            raise LstmProbeError(
                f"There is no gradient through layer {snapshot.layer!r}. Received: "
                f"{self.seen.cell!r:.80}. Expected: a cell whose derivatives are known, as a "
                "registered one with register_cell(..., back=...)."
            )
        by_h = self._cotangents(snapshot, trace)
        seeds = {
            letter: np.zeros((len(by_h), len(self.chosen), *state.shape))
            for letter, state in run.initial.items()
        }
        seeds["h"] = by_h
        with np.errstate(all="ignore"):
            walk = walk_back(self.seen.cell, run, seeds, inputs=True)
        assert walk.inputs is not None
        batch = len(self.seen.snapshot.x)
        by_target = [to_input_time(walk.inputs[:, k], snapshot) for k in range(len(self.chosen))]
        return np.stack([each.reshape(-1, batch, *each.shape[1:]) for each in by_target])

    def _by_copy(self, rows: Array) -> Array:
        """From `(rows, K)` to `(K, copies, batch)`."""
        return rows.reshape(-1, len(self.seen.snapshot.x), len(self.chosen)).transpose(2, 0, 1)


class UnitsAtTheEnd(Targets):
    """The hidden state of some units after the last step; of filters the mean over space."""

    def _readout(self) -> Array:
        """`(K, output)`: the weight of each value of `h` in each scalar."""
        own, outputs = self.seen.units.of_output, self.seen.units.of_output.size
        if self.seen.units.projected:
            return np.eye(outputs)[list(self.chosen)]
        member = own == np.asarray(self.chosen)[:, None]
        return np.asarray(member / member.sum(axis=1, keepdims=True))

    def _of(self, snapshot: Snapshot, trace: GateTrace) -> Array:
        return self._by_copy(trace.final["h"] @ self._readout().T)

    def _cotangents(self, snapshot: Snapshot, trace: GateTrace) -> Array:
        rows = len(snapshot.x)
        return np.repeat(self._readout()[None, :, None], rows, axis=2)


@dataclass(frozen=True, eq=False)
class Outputs(Targets):
    """Some outputs of the model, through the rest of it.

    Attributes:
        rest: the rest, with its gradient.
    """

    rest: Rest

    def _of(self, snapshot: Snapshot, trace: GateTrace) -> Array:
        rows = np.concatenate([self.rest.rows(h) for h in self._shown(snapshot, trace)])
        return self._by_copy(rows[:, list(self.chosen)])

    def _cotangents(self, snapshot: Snapshot, trace: GateTrace) -> Array:
        by_output = []
        for h in self._shown(snapshot, trace):
            unit = np.eye(self.rest.rows(h).shape[1])[list(self.chosen)]
            by_output.append(
                [self.rest.gradient(h, np.repeat(each[None], len(h), axis=0)) for each in unit]
            )
        shown = np.concatenate(np.asarray(by_output, float), axis=1)  # (K, rows, time, output)
        reading = shown[:, :, :: -1 if snapshot.reverse else 1].transpose(0, 2, 1, 3)
        run = run_of(snapshot, trace)
        assert run is not None
        return np.stack([to_states(each, run, snapshot) for each in reading], axis=1)

    def _shown(self, snapshot: Snapshot, trace: GateTrace) -> list[Array]:
        """The output of the layer, one array for each copy of the probe."""
        shown = trace.shown(
            zero_output_for_mask=snapshot.zero_output_for_mask,
            initial_output_for_mask=snapshot.initial_output_for_mask,
        )
        batch = len(self.seen.snapshot.x)
        return [shown[k : k + batch] for k in range(0, len(shown), batch)]
