"""Where the explorer finds captures: TensorBoard's loaders, a log directory, or memory."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from lstm_probe.explorer.requests import Scope
from lstm_probe.logs.stored.point import Point

__all__ = ["Captures"]


class Captures(Protocol):
    """What has been captured. Names are strings, steps are whole numbers.

    The scope says whose data TensorBoard reads; where there is no TensorBoard it does not matter.
    """

    def runs(self, scope: Scope) -> list[dict[str, Any]]:
        """Name, layers, layers with weights and last step of every run, by name."""

    def layers(self, scope: Scope, run: str) -> dict[str, list[int]]:
        """The steps of each layer of a run. The layers are in the order of the model.

        Raises:
            MissingError: there is no such run.
        """

    def steps(self, scope: Scope, run: str, layer: str) -> list[int]:
        """The steps at which a layer was captured, in order.

        Raises:
            MissingError: there is no such run or layer.
        """

    def timeline(self, scope: Scope, run: str) -> Sequence[Point]:
        """One point for every capture of a run, by step; empty if the run has none."""

    def findings_steps(self, scope: Scope, run: str, layer: str) -> list[int]:
        """The steps at which a layer was analysed, in order; empty if there is nothing."""

    def findings(self, scope: Scope, run: str, layer: str, step: int) -> dict[str, Any]:
        """What the analyses say of a layer at one of these steps, as `read_findings` reads it.

        Raises:
            MissingError: there is nothing at this step, or not any more.
            LstmProbeError: the bytes are damaged.
        """

    def capture(self, scope: Scope, run: str, layer: str, step: int) -> bytes:
        """A layer's stored capture.

        Raises:
            MissingError: there is none at this step, or not any more.
        """

    def weights(self, scope: Scope, run: str, layer: str, step: int) -> bytes:
        """A layer's stored weights.

        Raises:
            MissingError: there are none at this step, or not any more.
        """

    def probe(self, scope: Scope, run: str) -> bytes:
        """The stored inputs and targets of a run's probe, the latest; empty if it has none."""
