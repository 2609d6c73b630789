"""TensorFlow's fused recurrent ops, whose weights are tensors and belong to no cell object."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import tensorflow as tf

from lstm_probe.cells import Cell, GruCell, LstmCell
from lstm_probe.core.errors import LstmProbeError
from lstm_probe.weights import GateWeights, from_block_lstm, from_gru_block

__all__ = ["FusedCell"]

_LSTM_OPS = ("LSTMBlockCell", "BlockLSTM", "BlockLSTMV2")
_PEEPHOLES = ("wci", "wcf", "wco")


class FusedCell:
    """A cell that runs as one of TensorFlow's fused ops; `ProbeHook` takes it as the cell.

    `LSTMBlockCell` and `GRUBlockCell` compute one step, so that the hook takes their inputs and
    outputs as lists with one tensor for each step. `BlockLSTM` and `BlockLSTMV2` compute all steps,
    and their tensors are time-major.

    Args:
        op: `LSTMBlockCell`, `BlockLSTM`, `BlockLSTMV2` or `GRUBlockCell`.
        name: the name in logs; by default the scope of the kernel.
        arguments: the arguments of the op, by its own names. The weights are tensors or variables:
            `w` and `b` (with `use_peephole=True` also `wci`, `wcf` and `wco`), or `w_ru`, `w_c`,
            `b_ru` and `b_c`. The options are `forget_bias`, `cell_clip` and `use_peephole`, with
            the defaults of `tf.raw_ops`.

    Attributes:
        name: the name in logs.
        cell: the cell with its options, as the core sees it.
        weights: the tensors or variables to fetch.

    Raises:
        LstmProbeError: there is no such op, or a weight is missing or has an unknown name.

    Example:
        >>> with tf.Graph().as_default():
        ...     w = tf.compat.v1.get_variable("memory/w", [5 + 3, 4 * 3])
        ...     b = tf.compat.v1.get_variable("memory/b", [4 * 3])
        ...     cell = FusedCell("BlockLSTM", w=w, b=b, forget_bias=0.0)
        >>> cell.name, cell.cell.forget_bias, cell.cell.cell_clip
        ('memory', 0.0, 3.0)
    """

    def __init__(self, op: str, *, name: str | None = None, **arguments: Any) -> None:
        self._op = op
        if op not in (*_LSTM_OPS, "GRUBlockCell"):
            raise LstmProbeError(
                f"No such fused op. Received: {op!r}. Expected one of "
                f"{', '.join(_LSTM_OPS)}, GRUBlockCell."
            )
        parameters = inspect.signature(getattr(tf.raw_ops, op)).parameters
        self._options = {
            key: arguments.pop(key, parameters[key].default)
            for key in ("forget_bias", "cell_clip", "use_peephole")
            if key in parameters
        }
        self._check_names(arguments)
        self.weights = tuple(arguments[key] for key in self._weight_names())
        self.name = name or _scope(self.weights[0])
        self.cell = self._describe()

    @property
    def cut(self) -> Callable[..., GateWeights]:
        """A function that makes canonical weights from the fetched arrays of `weights`."""
        if self._op == "GRUBlockCell":
            return from_gru_block
        version = 2 if self._op == "BlockLSTMV2" else 1

        def cut(*arrays: Any) -> GateWeights:
            peepholes = dict(zip(_PEEPHOLES, arrays[2:], strict=False))
            return from_block_lstm(*arrays[:2], version=version, **peepholes)

        return cut

    @property
    def state_sizes(self) -> tuple[int, ...]:
        """The widths of the cell's states in TensorFlow's order, which is `(c, h)`."""
        units = int(self.weights[-1].shape[-1])
        return (
            (units,) if self._op == "GRUBlockCell" else (int(self.weights[1].shape[-1]) // 4,) * 2
        )

    def _weight_names(self) -> tuple[str, ...]:
        if self._op == "GRUBlockCell":
            return ("w_ru", "w_c", "b_ru", "b_c")
        return ("w", "b", *(_PEEPHOLES if self._options["use_peephole"] else ()))

    def _check_names(self, given: dict[str, Any]) -> None:
        needed = set(self._weight_names())
        allowed = needed if self._op == "GRUBlockCell" else needed | set(_PEEPHOLES)
        if not needed <= given.keys() <= allowed:
            raise LstmProbeError(
                f"These are not the weights of {self._op}. Received: "
                f"{', '.join(sorted(given)) or 'none'}. Expected: "
                f"{', '.join(self._weight_names())}, each a tensor or variable, by the names of "
                f"tf.raw_ops.{self._op}."
            )

    def _describe(self) -> Cell[Any]:
        if self._op == "GRUBlockCell":
            return GruCell(reset_after=False)
        clip = self._options["cell_clip"]
        return LstmCell(
            forget_bias=self._options.get("forget_bias", 0.0),
            cell_clip=float(clip) if clip > 0 else None,  # block kernels do not clip at 0 or less
        )


def _scope(tensor: Any) -> str:
    name = str(tensor.name).split(":")[0].removesuffix("/Read/ReadVariableOp")
    return (name.removesuffix("/read").rpartition("/")[0]) or name
