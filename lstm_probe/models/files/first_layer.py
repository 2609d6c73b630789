"""Which layer of a Keras model reads the probe: an `Embedding` reads whole numbers."""

from __future__ import annotations

from typing import Any

__all__ = ["first_embedding"]

#: Layers that hand on what they read, or only its shape is another one.
_PASSING = frozenset(
    {"Activation", "Dropout", "Flatten", "Identity", "InputLayer", "Lambda", "Permute", "Reshape"}
)


def first_embedding(model: Any) -> Any:
    """The `Embedding` that reads what the model reads; None if something else does.

    Args:
        model: of either Keras. Keras keeps layers in an order in which each comes after those that
            it reads.
    """
    for layer in getattr(model, "layers", None) or []:
        kind = type(layer).__name__
        if kind == "Embedding":
            return layer
        if kind == "TimeDistributed" and type(layer.layer).__name__ == "Embedding":
            return layer.layer
        if hasattr(layer, "layers"):
            return first_embedding(layer)
        if kind not in _PASSING:
            return None
    return None
