"""`Options`: what every callback and hook lets its user choose about captures and their log."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

from lstm_probe.analysis.alerts.board import OnAlert
from lstm_probe.core.errors import LstmProbeError
from lstm_probe.logs.detail import MAX_BYTES, Detail, check_detail
from lstm_probe.models.labels import ProbeLabels

__all__ = ["Options"]

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
    write_images: bool | None = None

    def __post_init__(self) -> None:
        check_detail(self.detail)
        limit = self.max_log_bytes
        if limit is not None and (isinstance(limit, bool) or not limit >= 0):
            raise LstmProbeError(
                f"The limit of the log is not valid. Received: max_log_bytes={limit!r}. Expected: "
                "a number of bytes, such as 2**30, or None for no limit."
            )
        if self.write_images is not None:
            warnings.warn(
                "write_images is deprecated and goes with the next release: detail='explorer' "
                "logs every gate without pictures, detail='gates' draws them.",
                DeprecationWarning,
                stacklevel=_TO_THE_USER,
            )

    @property
    def pictures(self) -> bool:
        """Whether heatmaps are drawn."""
        return self.detail in ("gates", "full") and self.write_images is not False
