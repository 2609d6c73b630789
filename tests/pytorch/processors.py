"""What PyTorch can compute on this processor."""

from __future__ import annotations

import functools
from contextlib import AbstractContextManager
from typing import Any

import torch

__all__ = ["has_bfloat16", "in_bfloat16"]


@functools.cache
def has_bfloat16() -> bool:
    """Whether oneDNN has an LSTM in bfloat16, which it has not for processors without AVX512."""
    try:
        with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
            torch.nn.LSTM(1, 1)(torch.zeros(1, 1, 1))
    except RuntimeError as error:
        if "primitive descriptor" not in str(error):
            raise
        return False
    return True


def in_bfloat16() -> AbstractContextManager[Any]:
    """A context in which autocast runs an LSTM everywhere: without oneDNN, where that has none."""
    return torch.backends.mkldnn.flags(enabled=has_bfloat16())
