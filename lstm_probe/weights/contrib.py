"""The layout of tf.contrib's `LayerNormBasicLSTMCell`."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from lstm_probe.core.errors import LstmProbeError
from lstm_probe.weights.kinds import LstmWeights
from lstm_probe.weights.tf1 import from_tf1

__all__ = ["from_contrib_layer_norm"]

_SCOPES = {"input": "i", "forget": "f", "transform": "g", "output": "o", "state": "c"}


def from_contrib_layer_norm(
    kernel: npt.ArrayLike, norms: Mapping[str, tuple[npt.ArrayLike, npt.ArrayLike]]
) -> LstmWeights:
    """Cut the weights of tf.contrib's `LayerNormBasicLSTMCell` into gates.

    Run them with `LstmCell(forget_bias=1.0, norm_epsilon=1e-12)`. A cell with `layer_norm=False` is
    a `BasicLSTMCell`, whose weights `from_tf1` takes.

    Args:
        kernel: `(input + units, 4 * units)`, with the gates `i j f o` as in `from_tf1`. This cell
            has no bias but the shifts of its norms.
        norms: `gamma` and `beta`, each `(units,)`, of the variable scopes `input`, `transform`,
            `forget`, `output` and `state`.

    Returns:
        The weights, of the dtype of the arrays.

    Raises:
        LstmProbeError: The shapes do not fit, or a scope is missing.

    Source:
        tensorflow/contrib/rnn/python/ops/rnn_cell.py of TensorFlow 1.15,
        `LayerNormBasicLSTMCell.call`.

    Example:
        >>> norm = np.ones(5), np.zeros(5)
        >>> scopes = "input", "transform", "forget", "output", "state"
        >>> from_contrib_layer_norm(np.zeros((8, 20)), dict.fromkeys(scopes, norm)).extras
        ('norm_scale', 'state_norm')
    """
    if set(norms) != set(_SCOPES):
        raise LstmProbeError(
            f"The norms are not those of a LayerNormBasicLSTMCell. Received: {', '.join(norms)}. "
            f"Expected: {', '.join(_SCOPES)}."
        )
    plain = from_tf1(kernel)
    by_letter = {_SCOPES[scope]: np.stack(norm) for scope, norm in norms.items()}
    return LstmWeights(
        plain.kernel,
        plain.recurrent_kernel,
        np.stack([by_letter[gate][1] for gate in LstmWeights.gates]),
        norm_scale=np.stack([by_letter[gate][0] for gate in LstmWeights.gates]),
        state_norm=by_letter["c"],
    )
