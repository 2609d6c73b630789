"""Running a traced function of tf_keras's so that nothing that it assigns to is changed."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import tensorflow as tf

__all__ = ["restoring"]

# Ops that write to variables, among which the states of random generators.
_WRITES = re.compile(
    r"Assign\w*|Resource(Scatter|Apply|Strided)\w*|Rng\w*|Stateful(?!PartitionedCall)\w*"
)


def restoring(run: Any) -> Callable[..., Any]:
    """A concrete function after which every variable has the value that it had before.

    Layers of Keras's own assign to nothing in inference; one of a user's that counts its calls,
    or draws from a generator, would be moved on by each capture. Where nothing is assigned to, the
    function is returned as it is.

    Example:
        >>> counter = tf.Variable(3)
        >>> count = tf.function(lambda: counter.assign_add(1)).get_concrete_function()
        >>> int(restoring(count)()), int(counter)
        (4, 3)
    """
    if not any(_WRITES.fullmatch(op) for op in _ops(run)):
        return run
    variables = list(run.graph.variables)

    def restored(*args: Any) -> Any:
        before = [tf.convert_to_tensor(variable) for variable in variables]
        try:
            return run(*args)
        finally:
            for variable, value in zip(variables, before, strict=True):
                variable.assign(value)

    return restored


def _ops(run: Any) -> Iterator[str]:
    """The kinds of ops of a function and of all that it calls."""
    graph = run.graph.as_graph_def()
    yield from (node.op for node in graph.node)
    for function in graph.library.function:
        yield from (node.op for node in function.node_def)
