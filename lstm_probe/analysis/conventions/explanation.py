"""`Explanation`: the convention that explains a mismatch, looked for when somebody asks."""

from __future__ import annotations

from functools import cached_property

from lstm_probe.analysis.conventions.candidate import Convention
from lstm_probe.analysis.conventions.search import find_convention, still_explains
from lstm_probe.analysis.snapshot import Snapshot

__all__ = ["Explanation"]


class Explanation:
    """Why a framework's output is not what the description of its layer says.

    The search takes up to some 1000 recomputations of a few steps, so it is made only when
    `convention` is read, and once.

    Args:
        snapshot: one that does not match its cell.
        known: the convention that explains it, if it has been found already.

    Example:
        >>> import numpy as np
        >>> from lstm_probe import LstmCell, lstm, weights
        >>> rng = np.random.default_rng(0)
        >>> w = weights.from_keras(rng.normal(size=(3, 8)), rng.normal(size=(2, 8)))
        >>> x = rng.normal(size=(1, 5, 3))
        >>> h = lstm(x, w, cell=LstmCell(forget_bias=1.0)).h
        >>> explanation = Explanation(Snapshot(0, "lstm", LstmCell(), w, x=x, output=h))
        >>> print(explanation.convention)
        forget_bias: the framework adds 1.0 to the forget gate
    """

    def __init__(self, snapshot: Snapshot, known: Convention | None = None) -> None:
        self._snapshot, self._known = snapshot, known

    @cached_property
    def convention(self) -> Convention | None:
        """The convention that explains the mismatch; None if no known one does."""
        if self._known is None:
            self._known = find_convention(self._snapshot)
        return self._known

    def of_later(self, snapshot: Snapshot) -> Explanation | None:
        """The explanation of a later mismatch of the same layer, if it is the same convention.

        Nothing is searched: where no convention has been found so far, there is none to try.

        Args:
            snapshot: the layer at a later step.

        Returns:
            None if the convention is not known, or no longer explains what the framework does.
        """
        if self._known is None or not still_explains(self._known, snapshot):
            return None
        return Explanation(snapshot, self._known)
