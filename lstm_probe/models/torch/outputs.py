"""What a PyTorch model itself gives for the probe."""

from __future__ import annotations

from math import prod
from typing import Any

import torch

from lstm_probe.models.outputs import LARGEST_OUTPUT, kept_outputs

__all__ = ["outputs_of"]


def outputs_of(result: Any) -> dict[str, torch.Tensor]:
    """The dense tensors of numbers among what a model has returned, by name.

    Args:
        result: a tensor, or several in a tuple, list or dict, such as the outputs of transformers;
            anything else gives none, and so does a tensor with more numbers for each sequence than
            a log takes.

    Example:
        >>> list(outputs_of({"logits": torch.ones(2, 10), "loss": torch.ones(())}))
        ['logits']
    """
    return kept_outputs(result, _is_small)


def _is_small(value: Any) -> bool:
    if not isinstance(value, torch.Tensor) or value.layout != torch.strided:
        return False
    if value.is_complex() or value.is_quantized or not 1 <= value.dim() <= 4:
        return False
    return prod(value.shape[1:]) <= LARGEST_OUTPUT
