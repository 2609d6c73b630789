"""From the tokens of a probe to words: a vocabulary, a function, or a layer that has one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np

from lstm_probe.core.errors import LstmProbeError

__all__ = ["Decode", "decoded"]

#: The words by number in a list or dict, or numbers by word in a dict; a function that gives the
#: word for a number; or a `StringLookup` or `TextVectorization` layer.
Decode: TypeAlias = Any


def decoded(leaves: Sequence[Any], decode: Decode) -> list[list[Any]]:
    """The words of a probe, a list for each sequence.

    Args:
        leaves: the arrays of the probe.
        decode: turns the numbers of tokens into words.

    Raises:
        LstmProbeError: `decode` is nothing of the kind, the probe has not exactly one array of
            tokens, or a token is not in the vocabulary.

    Example:
        >>> decoded([np.array([[2, 1]])], ["", "film", "good"])
        [['good', 'film']]
        >>> decoded([np.array([[2, 1]])], {"film": 1, "good": 2})
        [['good', 'film']]
        >>> decoded([np.array([[97, 98]])], chr)
        [['a', 'b']]
    """
    tokens = _tokens(leaves, decode)
    words = _words_of(decode)
    return [words([int(token) for token in row]) for row in tokens.tolist()]


def _tokens(leaves: Sequence[Any], decode: Decode) -> Any:
    """The one array of tokens, `(batch, time)`."""
    if hasattr(decode, "get_vocabulary") and callable(decode):
        texts = [leaf for leaf in leaves if leaf.dtype.kind in "SU"]
        if len(texts) == 1:  # the model cuts its texts with the layer, and so do we
            return np.asarray(decode(texts[0]))
    found = [leaf for leaf in map(_flat, leaves) if leaf is not None]
    # Whole numbers as floats are tokens only where nothing else is.
    chosen = [leaf for leaf in found if leaf.dtype.kind in "iu"] or found
    if len(chosen) != 1:
        shapes = ", ".join(f"{leaf.dtype} {leaf.shape}" for leaf in leaves)
        raise LstmProbeError(
            f"The probe cannot be decoded. Received: {len(chosen)} arrays of tokens among "
            f"{shapes}. Expected: exactly one of shape (batch, time) with whole numbers. Give the "
            "words themselves as labels=[...], a list for each sequence."
        )
    return chosen[0]


def _flat(leaf: Any) -> Any:
    """An array of tokens as `(batch, time)`; None if it is something else."""
    if leaf.ndim == 3 and leaf.shape[2] == 1:
        leaf = leaf[:, :, 0]
    numbers = leaf.ndim == 2 and leaf.dtype.kind in "iuf"
    return leaf if numbers and (leaf == np.floor(leaf)).all() else None


def _words_of(decode: Decode) -> Callable[[list[int]], list[Any]]:
    """What gives the words of a sequence of tokens."""
    if hasattr(decode, "get_vocabulary"):
        return _in_list(list(decode.get_vocabulary()))
    if isinstance(decode, Mapping):
        by_number = {_number(key): word for key, word in decode.items()}
        if None in by_number:  # words are the keys, as in the index of a tokenizer
            by_number = {_number(number): word for word, number in decode.items()}
        if None not in by_number:
            return lambda row: [by_number.get(token, str(token)) for token in row]
    elif callable(decode):
        return lambda row: _called(decode, row)
    elif isinstance(decode, (list, tuple, np.ndarray)):
        return _in_list(list(decode))
    raise LstmProbeError(
        f"The tokens cannot be decoded with this. Received: decode={decode!r:.80}. Expected: a "
        "list of words, a dict of words by number, a function that gives the word for a number, "
        "or a StringLookup or TextVectorization layer."
    )


def _number(key: Any) -> int | None:
    return int(key) if isinstance(key, (int, np.integer)) else None


def _in_list(words: list[Any]) -> Callable[[list[int]], list[Any]]:
    def find(row: list[int]) -> list[Any]:
        unknown = [token for token in row if not 0 <= token < len(words)]
        if unknown:
            raise LstmProbeError(
                f"A token of the probe is not in the vocabulary. Received: {unknown[0]}, and a "
                f"vocabulary of {len(words)} words. Expected: numbers from 0 to {len(words) - 1}. "
                "Give the vocabulary with which the probe was made, special tokens included."
            )
        return [words[token] for token in row]

    return find


def _called(decode: Callable[[Any], Any], row: list[int]) -> list[Any]:
    """The words by a function of one number; or of a whole sequence, where it takes no number."""
    try:
        try:
            return [decode(token) for token in row]
        except TypeError:
            words = decode(row)
    except Exception as error:
        raise LstmProbeError(
            f"The function that decodes tokens has failed. Received: {type(error).__name__}: "
            f"{error!s:.200} for the tokens {row!r:.80}. Expected: the word for a number."
        ) from error
    if isinstance(words, str) or len(words) != len(row):
        raise LstmProbeError(
            f"The function that decodes tokens gives something else. Received: {words!r:.80} for "
            f"{len(row)} tokens. Expected: the word for a number, or a list of as many words."
        )
    return list(words)
