"""`Options`: what every callback and hook lets its user choose about captures and their log."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from lstm_probe.analysis.alerts.board import OnAlert
from lstm_probe.analysis.explained import check_names
from lstm_probe.core.errors import LstmProbeError
from lstm_probe.logs.detail import MAX_BYTES, Detail, check_detail
from lstm_probe.models.labels import ProbeLabels

__all__ = ["Options", "check_kept_apart"]

# From `warnings.warn` up to the user's line: through the dataclass and the callback's constructor.
_TO_THE_USER = 4


@dataclass(frozen=True, kw_only=True)
class Options:
    """How captures are taken and logged.

    The options are documented at `ProbeCallback`, once for all callbacks and hooks. They are
    checked here, `on_alert` by `AlertRules`, `max_overhead` by `Budget`, and `labels`, `names` and
    `decode` by `as_labels`, which makes `labels` of them.

    Raises:
        LstmProbeError: an option is not valid.

    Example:
        >>> Options(detail="explorer").pictures
        False
    """

    detail: Detail = "gates"
    on_alert: OnAlert = "log"
    max_overhead: float | None = 0.01
    background: bool = False
    labels: ProbeLabels | None = None
    max_log_bytes: int | None = MAX_BYTES
    log_data: bool = True
    analyses: Sequence[str] = ()
    analyses_every: int | None = None
    write_images: bool | None = None

    def __post_init__(self) -> None:
        check_detail(self.detail)
        check_names(self.analyses)
        _check_pace(self.analyses_every, self.analyses)
        limit = self.max_log_bytes
        if limit is not None and (isinstance(limit, bool) or not limit >= 0):
            raise LstmProbeError(
                f"The limit of the log is not valid. Received: max_log_bytes={limit!r}. Expected: "
                "a number of bytes, such as 2**30, or None for no limit."
            )
        if not isinstance(self.log_data, bool):
            raise LstmProbeError(
                "Whether to log the probe's data is not known. Received: "
                f"log_data={self.log_data!r}. Expected: True, or False to keep inputs, targets and "
                "outputs out of the log."
            )
        if self.write_images is not None:
            warnings.warn(
                "write_images is deprecated and goes with the next release: detail='explorer' "
                "logs every gate without pictures, detail='gates' draws them.",
                DeprecationWarning,
                stacklevel=_TO_THE_USER,
            )

    @property
    def data(self) -> bool:
        """Whether the probe's inputs and targets are logged, and what the model gives for it."""
        return self.log_data and self.detail != "scalars"

    @property
    def pictures(self) -> bool:
        """Whether heatmaps are drawn."""
        return self.detail in ("gates", "full") and self.write_images is not False


def _check_pace(every: Any, analyses: Sequence[str]) -> None:
    is_count = isinstance(every, int) and not isinstance(every, bool) and every > 0
    if every is not None and not is_count:
        raise LstmProbeError(
            f"How often to analyse is not known. Received: analyses_every={every!r}. Expected: a "
            "whole number of captures above 0, such as 10, or None for the end of the training "
            "alone."
        )
    if every is not None and not analyses:
        raise LstmProbeError(
            f"There is nothing to analyse. Received: analyses_every={every} without analyses. "
            'Expected: analyses=["stability"], or other names, beside it.'
        )


def check_kept_apart(log_data: bool, decode: Any) -> None:
    """Refuse to decode the words of a probe whose data shall not be in the log.

    Args:
        log_data: whether the probe's data is logged.
        decode: what makes labels of its tokens, or None.

    Raises:
        LstmProbeError: the words would be in the log as labels.

    Example:
        >>> check_kept_apart(True, ["", "film"])
    """
    if not log_data and decode is not None:
        raise LstmProbeError(
            "The words of the probe would be in the log. Received: log_data=False and decode, "
            "which makes labels of the probe's tokens. Expected: one of them; labels=[...] are "
            "logged as you give them."
        )
