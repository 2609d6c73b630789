"""Canonical per-gate weights, and the way into and out of each framework's layout.

Example:
    >>> import numpy as np
    >>> from lstm_probe import weights
    >>> gates = weights.from_tf1(np.zeros((12, 8)), np.zeros(8))
    >>> [array.shape for array in weights.to_keras(gates)]
    [(10, 8), (2, 8), (8,)]
"""

from lstm_probe.weights.gates import Gate, GateWeights, LstmWeights
from lstm_probe.weights.keras import KERAS_LSTM_ORDER, from_keras, to_keras
from lstm_probe.weights.tf1 import TF1_LSTM_ORDER, from_tf1, to_tf1

__all__ = [
    "KERAS_LSTM_ORDER",
    "TF1_LSTM_ORDER",
    "Gate",
    "GateWeights",
    "LstmWeights",
    "from_keras",
    "from_tf1",
    "to_keras",
    "to_tf1",
]
