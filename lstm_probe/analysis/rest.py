"""`Rest`: what a model makes of a layer's output, as a pure function of arrays."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import numpy.typing as npt

from lstm_probe.core.arrays import Array
from lstm_probe.core.errors import LstmProbeError

__all__ = ["IN_FLOAT32", "Rest", "RestError"]

#: Frameworks compute the rest in float32: sums of its gradients are exact to this part.
IN_FLOAT32: Final = 1e-4


class RestError(LstmProbeError):
    """The rest of a model cannot be run, or what it gives is no output or gradient."""


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

    def rows(self, h: Array) -> Array:
        """What `outputs` gives, checked.

        Args:
            h: `(batch, time, units)`: the output of the layer.

        Returns:
            `(batch, outputs)`, finite float64.

        Raises:
            RestError: it gives something else.

        Example:
            >>> Rest(lambda h: h[:, -1]).rows(np.ones((1, 5, 2), np.float32)).dtype
            dtype('float64')
        """
        found = np.asarray(self.outputs(h), np.float64)
        if found.ndim == 0 or len(found) != len(h) or not found.size:
            raise RestError(
                f"The rest of the model gives something else. Received: shape {found.shape}. "
                f"Expected: an output for each of {len(h)} sequences, (batch, outputs)."
            )
        _check_finite(found, "output")
        return found.reshape(len(h), -1)

    def gradient(self, h: Array, by_output: Array) -> Array:
        """What `back` gives, checked.

        Args:
            h: `(batch, time, units)`: the output of the layer.
            by_output: `(batch, outputs)`: the gradient with respect to the model's output.

        Returns:
            As `h`, finite float64.

        Raises:
            RestError: the gradient is not known, or it is something else.

        Example:
            >>> rest = Rest(lambda h: h[:, -1], lambda h, g: np.stack([0 * g, g], axis=1))
            >>> rest.gradient(np.ones((1, 2, 1)), np.ones((1, 1))).ravel().tolist()
            [0.0, 1.0]
        """
        if self.back is None:
            raise RestError(
                "The gradient of the rest of the model is not known. Received: a rest without "
                "`back`. Expected: one that has it."
            )
        found = np.asarray(self.back(h, by_output), np.float64)
        if found.shape != h.shape:
            raise RestError(
                f"The gradient of the rest of the model is something else. Received: shape "
                f"{found.shape}. Expected: {h.shape}."
            )
        _check_finite(found, "gradient")
        return found

    def first(self, count: int, h: Array) -> Rest:
        """The same for the first sequences of the probe, while the others stay as they are.

        Args:
            count: how many sequences.
            h: `(batch, time, units)`: the output of the layer for all of them.

        Example:
            >>> last = Rest(lambda h: h[:, -1])
            >>> last.first(1, np.zeros((3, 5, 2))).outputs(np.ones((1, 5, 2))).tolist()
            [[1.0, 1.0]]
        """
        others, back, losses = h[count:], self.back, self.losses

        def whole(first: Array) -> Array:
            return np.concatenate([first, others])

        def first_back(h: Array, by_output: Array) -> Array:
            assert back is not None
            zeros = np.zeros((len(others), *by_output.shape[1:]))
            return back(whole(h), np.concatenate([by_output, zeros]))[:count]

        def first_losses(outputs: Array) -> Array:
            assert losses is not None
            return losses(np.concatenate([outputs, kept]))[:count]

        kept = self.rows(h)[count:]
        return replace(
            self,
            outputs=lambda h: self.rows(whole(h))[:count],
            back=None if back is None else first_back,
            losses=None if losses is None else first_losses,
        )

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
        seen = f"from {wanted.min()} to {wanted.max()}, " if fits and wanted.size else ""
        raise LstmProbeError(
            f"The target does not fit the model's output. Received: {seen}{wanted.dtype} of shape "
            f"{np.shape(target)}. Expected: finite numbers of shape {(batch, size)}, or a class "
            f"from 0 to {size - 1} for each of {batch} sequences."
        )


def _check_finite(found: Array, what: str) -> None:
    wrong = found.size - int(np.isfinite(found).sum())
    if wrong:
        raise RestError(
            f"The {what} of the rest of the model is not finite. Received: {wrong} of "
            f"{found.size} values that are NaN or infinite. Expected: finite numbers."
        )


def _cross_entropy(outputs: Array, classes: npt.NDArray[np.int_]) -> Array:
    rows = np.arange(len(classes))
    if (outputs >= 0).all() and np.allclose(outputs.sum(axis=1), 1, atol=1e-3):
        return np.asarray(-np.log(np.maximum(outputs[rows, classes], np.finfo(float).tiny)))
    shifted = outputs - outputs.max(axis=1, keepdims=True)
    return np.asarray(np.log(np.exp(shifted).sum(axis=1)) - shifted[rows, classes])
