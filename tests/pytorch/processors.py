"""What PyTorch can compute on this processor."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from contextlib import contextmanager

import torch

__all__ = ["has_bfloat16", "in_bfloat16"]


@functools.cache
def has_bfloat16() -> bool:
    """Whether oneDNN has an LSTM in bfloat16, which it has not for processors without AVX512."""
    try:
        # Its first weights are random: the tests' own numbers stay what they are.
        with torch.random.fork_rng(), torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
            torch.nn.LSTM(1, 1)(torch.zeros(1, 1, 1))
    except RuntimeError as error:
        if "primitive descriptor" not in str(error):
            raise
        return False
    return True


@contextmanager
def in_bfloat16() -> Iterator[None]:
    """A context in which autocast runs an LSTM everywhere: without oneDNN, where that has none."""
    enabled = has_bfloat16()
    torch._C._set_mkldnn_enabled(enabled)  # torch.backends.mkldnn.flags warns of TF32 as well
    try:
        yield
    finally:
        torch._C._set_mkldnn_enabled(True)
