"""Which of several processes that train together captures."""

from __future__ import annotations

import os

import torch

__all__ = ["is_first_process"]


def is_first_process() -> bool:
    """Whether this process logs: the first, where several train together.

    Before the processes know each other, the first is the one that `torchrun` has started as such.

    Example:
        >>> is_first_process()
        True
    """
    parallel = torch.distributed
    if parallel.is_available() and parallel.is_initialized():
        return bool(parallel.get_rank() == 0)
    return os.environ.get("RANK", "0") == "0"
