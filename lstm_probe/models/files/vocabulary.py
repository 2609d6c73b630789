"""What a layer that looks words up knows, for random probes."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Final

__all__ = ["known_to", "separator"]

_LOOKUPS: Final = ("TextVectorization", "StringLookup", "IntegerLookup")
#: A random probe is drawn from so many words.
_WORDS: Final = 200


def known_to(lookup: Any) -> tuple[str | int, ...]:
    """Words or numbers that a layer looks up, without those for padding and for the unknown."""
    if lookup is None or type(lookup).__name__ not in _LOOKUPS:
        return ()
    with suppress(Exception):  # one that has not been adapted has no vocabulary
        special = {"", "[UNK]", getattr(lookup, "oov_token", None), -1}
        known = [getattr(each, "item", lambda each=each: each)() for each in _words_of(lookup)]
        return tuple(each for each in known if each not in special)
    return ()


def _words_of(lookup: Any) -> Sequence[Any]:
    return list(lookup.get_vocabulary()[:_WORDS])


def separator(lookup: Any) -> str | None:
    """What stands between the words of a text that a layer cuts; None where it cuts none."""
    if type(lookup).__name__ != "TextVectorization":
        return None
    split = getattr(lookup, "_split", "whitespace")
    return {None: None, "character": ""}.get(split, " ") if not callable(split) else " "
