"""Functions of tensors that run parts of a tf_keras model, on the weights that it has now."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from typing import Any

import numpy as np
import tensorflow as tf

from lstm_probe.core.arrays import Array
from lstm_probe.models.keras.flavour import Tensor
from lstm_probe.models.purity.trial import Trial
from lstm_probe.models.tensorflow.captured import Detached, names_of_python_ops, used_up_by
from lstm_probe.models.tensorflow.inlined import inlined

__all__ = ["Pure2"]


class Pure2:
    """A function of tensors, traced, and run on copies of the variables as they are now.

    Args:
        function: takes and gives tensors.
        examples: arrays of the shapes that it will be called with.
        trial: watches the passes.
    """

    def __init__(
        self, function: Callable[..., Tensor], examples: Sequence[Array], trial: Trial
    ) -> None:
        tensors, self._trial = list(map(_tensor, examples)), trial
        # The user's layers go through AutoGraph as in `fit`; code of ours does not.
        as_outside = tf.__internal__.autograph.control_status_ctx()

        def on_tensors(*given: Tensor) -> Any:
            with as_outside:
                return function(*given)

        ops: list[str] = []
        with trial.seeing(ops):
            with inlined(), tf.summary.record_if(False):  # layers may write to the training's log
                traced = tf.function(on_tensors, autograph=False)
                concrete = traced.get_concrete_function(
                    *[tf.TensorSpec(each.shape, each.dtype) for each in tensors]
                )
            detached = Detached(concrete, also_read=True)
            ops += names_of_python_ops(concrete)
            used_up = used_up_by(concrete, lambda: detached.take()(tensors))
        trial.check(used_up)
        self._run, self._runs_python = detached.take(), bool(ops)

    def __call__(self, *arrays: Array) -> Array:
        with self._trial.undone() if self._runs_python else nullcontext():
            return np.asarray(self._run(list(map(_tensor, arrays))), np.float64)


def _tensor(array: Array) -> Tensor:
    return tf.constant(array, tf.float32)
