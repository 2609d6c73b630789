"""`Rest`: what a model makes of a layer's output, as a pure function of arrays."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from lstm_probe.core.arrays import Array
from lstm_probe.core.errors import LstmProbeError

__all__ = ["Rest"]


@dataclass(frozen=True, eq=False)
class Rest:
    """The part of a model that comes after a recurrent layer, for the sequences of the probe.

    Whoever reads models hands it to the mathematics, which knows no framework: arrays go in, arrays
    come out, and nothing of the model changes.

    Attributes:
        outputs: computes the model's output, `(batch, outputs)`, from the output of the layer,
            `(batch, time, units)` in the order of the input's time. The sequences are those of the
            probe, in their order.
        back: the gradient of that: from the output of the layer and the gradient with respect to
            the model's output, `(batch, outputs)`, to `(batch, time, units)`. None if it is not
            known.
        losses: the loss of each sequence, `(batch,)`, of the model's output. None without a target.
        loss_name: what the loss is, such as `cross-entropy`.
        name: what the rest gives, in words.
        tolerance: how exactly the rest is computed, relative to its output where that is above 1.

    Example:
        >>> last = Rest(lambda h: h[:, -1])
        >>> last.outputs(np.ones((1, 5, 2))).tolist()
        [[1.0, 1.0]]
    """

    outputs: Callable[[Array], Array]
    back: Callable[[Array, Array], Array] | None = None
    losses: Callable[[Array], Array] | None = None
    loss_name: str = "loss"
    name: str = "the model's output"
    tolerance: float = 1e-6

    def towards(self, target: npt.ArrayLike, like: Array) -> Rest:
        """The same, with the loss of a target.

        Integers, where the model has more outputs than the target has, are classes: the loss is
        the cross-entropy, of logits unless each row of the output is a distribution. Other targets
        give the mean squared error.

        Args:
            target: `(batch,)`, `(batch, 1)` or `(batch, outputs)`: what each sequence should give.
            like: the model's output, `(batch, outputs)`, which tells what it gives.

        Raises:
            LstmProbeError: the target does not fit the output, or is not finite.

        Example:
            >>> rest = Rest(lambda h: h[:, -1])
            >>> rest.towards([1.0], np.zeros((1, 1))).losses(np.zeros((1, 1))).tolist()
            [1.0]
        """
        wanted, (batch, size) = np.asarray(target), like.shape
        fits = wanted.dtype.kind in "biuf" and wanted.ndim > 0 and len(wanted) == batch
        wanted = wanted.reshape(batch, -1) if fits else wanted
        if fits and np.isfinite(wanted).all():
            if wanted.shape[1] == 1 < size and (wanted == np.floor(wanted)).all():
                classes = wanted[:, 0].astype(int)
                if classes.min() >= 0 and classes.max() < size:
                    return replace(
                        self,
                        losses=lambda outputs: _cross_entropy(outputs, classes),
                        loss_name="cross-entropy",
                    )
            elif wanted.shape[1] == size:
                return replace(
                    self,
                    losses=lambda outputs: np.square(outputs - wanted).mean(axis=1),
                    loss_name="mean squared error",
                )
        raise LstmProbeError(
            f"The target does not fit the model's output. Received: {wanted.dtype} of shape "
            f"{np.shape(target)}. Expected: finite numbers of shape {(batch, size)}, or a class "
            f"from 0 to {size - 1} for each of {batch} sequences."
        )


def _cross_entropy(outputs: Array, classes: npt.NDArray[np.int_]) -> Array:
    rows = np.arange(len(classes))
    if (outputs >= 0).all() and np.allclose(outputs.sum(axis=1), 1, atol=1e-3):
        return np.asarray(-np.log(np.maximum(outputs[rows, classes], np.finfo(float).tiny)))
    shifted = outputs - outputs.max(axis=1, keepdims=True)
    return np.asarray(np.log(np.exp(shifted).sum(axis=1)) - shifted[rows, classes])
