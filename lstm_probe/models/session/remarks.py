"""What a reader of the log should know of a graph: what is random, and what is not shown."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import tensorflow as tf

__all__ = ["DROPOUT_IS_OFF", "RANDOM", "named_by_direction", "not_shown", "told"]

#: The probe is not fixed.
RANDOM: Final = (
    "the probe is random: it is not the same sequence at each capture, because random numbers are "
    "drawn before the cell, such as those of dropout, in {ops}. Feed a keep probability of 1.0, or "
    "feed the tensor that the cell reads"
)
#: The probe runs without what the training runs with.
DROPOUT_IS_OFF: Final = (
    "the probe runs without dropout and noise that the graph holds for the training: {what}"
)
#: Variables of a cell: `kernel` in TF1, `weights` in TF 1.0 and 1.1, `recurrent_kernel` in Keras.
_WEIGHTS = re.compile(r"(?P<scope>.*?)(/(gates|candidate))?/(kernel|weights|recurrent_kernel)")
_CELL = re.compile(r"(lstm|gru|rnn)|(^|_)cell(_|$)", re.IGNORECASE)
_BACKWARD = re.compile(r"(^|[/_])(bw|backward|reverse|rev)([/_\d]|$)", re.IGNORECASE)


def named_by_direction(names: Sequence[str], reverse: Sequence[bool]) -> list[str]:
    """Names of cells that tell the direction of those that read backward.

    Args:
        names: the names of cells, such as their variable scopes.
        reverse: whether each of them reads from the end.

    Example:
        >>> named_by_direction(["fw/lstm_cell", "bw/lstm_cell", "cell"], [False, True, True])
        ['fw/lstm_cell', 'bw/lstm_cell', 'cell/bw']
    """
    return [
        f"{name}/bw" if backward and not _BACKWARD.search(name) else name
        for name, backward in zip(names, reverse, strict=True)
    ]


def not_shown(graph: tf.Graph, shown: Iterable[str]) -> dict[str, str]:
    """Why the recurrent cells of a graph that a hook was not given are not shown, by their scopes.

    Args:
        graph: the graph.
        shown: the scopes of the cells that are.
    """
    names = [str(each.name).split(":")[0] for each in graph.get_collection("trainable_variables")]
    scopes = [found["scope"] for name in names if (found := _WEIGHTS.fullmatch(name))]
    cells = [scope for scope in dict.fromkeys(scopes) if _CELL.search(scope.rpartition("/")[2])]
    known = tuple(f"{each}/" for each in shown)
    return {
        scope: "not shown: this hook was not given the cell. Give it to a hook of its own: "
        "ProbeHook(cell, inputs=..., outputs=...) with the tensors that the cell reads and gives, "
        "as lists with one for each step where a loop of yours calls it"
        for scope in cells
        if not f"{scope}/".startswith(known)
    }


def told(remarks: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """Several remarks on each layer as one; layers of which there are none are left out."""
    return {layer: "; ".join(each) for layer, each in remarks.items() if each}
