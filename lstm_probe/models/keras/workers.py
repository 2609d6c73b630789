"""Several processes that train one model with TensorFlow: which of them logs."""

from __future__ import annotations

import tensorflow as tf

from lstm_probe.core.errors import LstmProbeError
from lstm_probe.models.keras.flavour import Flavour, Model

__all__ = ["is_chief"]


def is_chief(flavour: Flavour, model: Model) -> bool:
    """Whether this process logs. Only the chief reads, so nothing it reads may need the others.

    Raises:
        LstmProbeError: that cannot be done without the others.
    """
    strategy = model.distribute_strategy
    if isinstance(strategy, tf.distribute.ParameterServerStrategy):
        raise LstmProbeError(
            f"Models on parameter servers cannot be probed in training. Received: model "
            f"{model.name!r} under ParameterServerStrategy, whose steps are not counted where the "
            "callback runs. Expected: no strategy, MirroredStrategy or "
            "MultiWorkerMirroredStrategy; or probe a checkpoint."
        )
    if not isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy):
        return True
    if not all(layer.built for layer in model._flatten_layers()):
        raise LstmProbeError(
            f"Model {model.name!r} has no variables yet, and workers can only make them together. "
            "Received: a model without input shape under MultiWorkerMirroredStrategy. Expected: a "
            "model that is built before fit: begin it with keras.Input, or call model.build."
        )
    shared = [v.name for v in model.variables if _is_read_together(v)]
    if shared:
        raise LstmProbeError(
            f"Model {model.name!r} has variables that the chief cannot read alone. Received: "
            f"{', '.join(shared)}, under MultiWorkerMirroredStrategy. Expected: none that is put "
            "together of all workers' values when it is read, as BatchNormalization's are; use "
            "LayerNormalization, or probe a checkpoint."
        )
    return bool(strategy.extended.should_save_summary)


def _is_read_together(variable: object) -> bool:
    value = getattr(variable, "value", variable)
    value = variable if callable(value) else value  # TensorFlow's own have a method of that name
    return getattr(value, "synchronization", None) == tf.VariableSynchronization.ON_READ
