"""What is kept at each capture of what a model itself gives for the probe."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

__all__ = ["LARGEST_OUTPUT", "kept_outputs"]

#: How many numbers of a model's output are kept of one sequence: 10 classes at each of 512
#: timesteps are, the 50,000 words of a language model are not.
LARGEST_OUTPUT: Final = 2**14
#: How many outputs of a model with several are kept.
_MOST_OUTPUTS: Final = 8


def kept_outputs(result: Any, is_kept: Callable[[Any], bool]) -> dict[str, Any]:
    """The first outputs of a model that a log takes, by name.

    Args:
        result: what a model has returned: a tensor, or several in a tuple, list or dict.
        is_kept: whether a log takes one.

    Returns:
        By the key of a dict, or the number in a list; by the empty name where there is one alone.

    Example:
        >>> kept_outputs([1.5, "text"], lambda each: isinstance(each, float))
        {'0': 1.5}
    """
    found = [(name, each) for name, each in _named(result) if is_kept(each)]
    return dict(found[:_MOST_OUTPUTS])


def _named(result: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(result, Mapping):
        yield from ((str(name), each) for name, each in result.items())
    elif isinstance(result, (list, tuple)):
        yield from ((str(number), each) for number, each in enumerate(result))
    else:
        yield "", result
