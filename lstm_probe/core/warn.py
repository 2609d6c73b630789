"""Warnings in the user's log that stop nothing, whatever the user's handlers do with them."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from contextlib import suppress

__all__ = ["tell", "warn"]


def warn(logger: logging.Logger, message: str, *values: object, exc_info: bool = False) -> None:
    """Log a warning. A handler or filter of the user's that raises does not stop the training.

    Args:
        logger: the module's own.
        message: with a `%` for each value.
        values: what the message is about.
        exc_info: whether the traceback of the exception that is being handled is logged too.

    Example:
        >>> warn(logging.getLogger("silent"), "%d captures failed", 3)
    """
    with suppress(Exception):
        logger.warning(message, *values, exc_info=exc_info)


def tell(logger: logging.Logger, remarks: Mapping[str, str]) -> None:
    """Log a warning for each layer of which a reader of the log should know something.

    Args:
        logger: the module's own.
        remarks: by layer.

    Example:
        >>> tell(logging.getLogger("silent"), {"decoder": "not shown: it did not run"})
    """
    for layer, remark in remarks.items():
        warn(logger, "lstm_probe: layer %r: %s.", layer, remark)
