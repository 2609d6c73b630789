"""How a log is looked at: what callbacks and commands tell their user to do."""

from __future__ import annotations

import shlex
from os import PathLike
from typing import Final

__all__ = ["ADDRESS", "how_to_look"]

#: The end of the address of the tab.
ADDRESS: Final = "#gates"


def how_to_look(log_dir: str | PathLike[str]) -> list[str]:
    r"""The ways to look at a log, a line for each.

    Args:
        log_dir: the log directory.

    Example:
        >>> print(*how_to_look("logs/run1"), sep="\n")
        lstm-probe serve logs/run1 --open
        tensorboard --logdir logs/run1, then http://localhost:6006/#gates
    """
    directory = shlex.quote(str(log_dir))
    return [
        f"lstm-probe serve {directory} --open",
        f"tensorboard --logdir {directory}, then http://localhost:6006/{ADDRESS}",
    ]
