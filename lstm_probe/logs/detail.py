"""How much a log holds: its levels of detail, and how large it may grow."""

from __future__ import annotations

from typing import Final, Literal, TypeAlias, get_args

from lstm_probe.core.errors import LstmProbeError

__all__ = ["MAX_BYTES", "Detail", "check_detail"]

#: How much is logged: numbers; also every gate; also pictures of the gates; also every weight, and
#: the gates in float32.
Detail: TypeAlias = Literal["scalars", "explorer", "gates", "full"]
#: How large a run grows by default: some 5,000 captures of an LSTM of 128 units on 28 steps.
MAX_BYTES: Final = 2**30


def check_detail(detail: object) -> None:
    """Make sure that there is such a level of detail.

    Raises:
        LstmProbeError: there is not.

    Example:
        >>> check_detail("gates")
    """
    if detail not in get_args(Detail):
        raise LstmProbeError(
            f"How much to log is not known. Received: detail={detail!r}. "
            "Expected: 'scalars', 'explorer', 'gates' or 'full'."
        )
