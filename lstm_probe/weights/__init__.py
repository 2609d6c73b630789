"""The weights of cells, gate by gate, and the conversion from and to each framework's layout.

Example:
    >>> import numpy as np
    >>> from lstm_probe import weights
    >>> gates = weights.from_tf1(np.zeros((12, 8)), np.zeros(8))
    >>> [array.shape for array in weights.to_keras(gates)]
    [(10, 8), (2, 8), (8,)]
"""

from lstm_probe.weights.block import (
    BLOCK_LSTM_ORDER,
    BLOCK_LSTM_V2_ORDER,
    from_block_lstm,
    from_gru_block,
)
from lstm_probe.weights.checkpoint import from_checkpoint, from_session, from_variables
from lstm_probe.weights.contrib import from_contrib_layer_norm
from lstm_probe.weights.cudnn import from_cudnn
from lstm_probe.weights.gates import Gate, GateWeights
from lstm_probe.weights.keras import (
    KERAS_GRU_ORDER,
    KERAS_LSTM_ORDER,
    AnyWeights,
    from_keras,
    to_keras,
)
from lstm_probe.weights.kinds import (
    ConvLstmWeights,
    CoupledLstmWeights,
    GruWeights,
    LstmWeights,
    SimpleRnnWeights,
)
from lstm_probe.weights.named import CellWeights, NamedWeights
from lstm_probe.weights.onnx import (
    ONNX_GRU_ORDER,
    ONNX_LSTM_ORDER,
    ONNX_PEEPHOLE_ORDER,
    from_onnx,
)
from lstm_probe.weights.tf1 import (
    TF1_GRU_ORDER,
    TF1_LSTM_ORDER,
    from_tf1,
    from_tf1_gru,
    from_tf1_rnn,
    to_tf1,
    to_tf1_gru,
    to_tf1_rnn,
)
from lstm_probe.weights.torch import TORCH_GRU_ORDER, TORCH_LSTM_ORDER, from_torch, to_torch

__all__ = [
    "BLOCK_LSTM_ORDER",
    "BLOCK_LSTM_V2_ORDER",
    "KERAS_GRU_ORDER",
    "KERAS_LSTM_ORDER",
    "ONNX_GRU_ORDER",
    "ONNX_LSTM_ORDER",
    "ONNX_PEEPHOLE_ORDER",
    "TF1_GRU_ORDER",
    "TF1_LSTM_ORDER",
    "TORCH_GRU_ORDER",
    "TORCH_LSTM_ORDER",
    "AnyWeights",
    "CellWeights",
    "ConvLstmWeights",
    "CoupledLstmWeights",
    "Gate",
    "GateWeights",
    "GruWeights",
    "LstmWeights",
    "NamedWeights",
    "SimpleRnnWeights",
    "from_block_lstm",
    "from_checkpoint",
    "from_contrib_layer_norm",
    "from_cudnn",
    "from_gru_block",
    "from_keras",
    "from_onnx",
    "from_session",
    "from_tf1",
    "from_tf1_gru",
    "from_tf1_rnn",
    "from_torch",
    "from_variables",
    "to_keras",
    "to_tf1",
    "to_tf1_gru",
    "to_tf1_rnn",
    "to_torch",
]
