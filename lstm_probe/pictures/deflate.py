"""Deflate (RFC 1951) of pixels that are runs, by one fixed code.

A compressor spends its time on finding out what a heatmap's painter knows: each cell is a run of
one colour. The code here is made for that: a colour of the map takes 8 bits, and whatever repeats
it 8 or 16, so that a row of cells is a row of whole bytes, which can be put into a stream that
was compressed before.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from lstm_probe.pictures.palette import HATCH, PAPER, Indices

__all__ = ["CELL_BYTES", "END", "Integers", "cell_pattern", "compressed"]

#: Codes, bits and places, int64.
Integers = npt.NDArray[np.int64]

_LONGEST: Final = 258
_SHORTEST: Final = 3
_END_OF_BLOCK: Final = 256
#: Extra bits of the length symbols 257..285 (RFC 1951, 3.2.5).
_EXTRA: Final = (*(0,) * 8, *np.repeat(range(1, 6), 4).tolist(), 0)
#: A match has the bits of its symbol, its extra bits, and one bit for the distance 1: 8 or 16.
_MATCH: Final = tuple(7 - extra if extra < 2 else 15 - extra for extra in _EXTRA)
#: The bits of each symbol: 205 colours of a cell, greys, of which paper and its eight neighbours
#: have an odd number, the end of the block, and the length symbols. They use up the code exactly.
_BITS: Final = np.array([*(8,) * (HATCH[1] + 1), *(10,) * 42, *(9,) * 9, 11, *_MATCH])
#: A run of paper that may be split anew, so that a segment ends with a byte.
_ADJUSTABLE: Final = (7 + 1 + _SHORTEST, _LONGEST)


def _canonical(bits: Integers) -> Integers:
    """The codes of symbols (RFC 1951, 3.2.2), their first bit lowest, as they are written."""
    codes, code = np.zeros(len(bits), np.int64), 0
    for length in range(1, 16):
        for symbol in np.flatnonzero(bits == length).tolist():
            codes[symbol] = int(f"{code:0{length}b}"[::-1], 2)
            code += 1
        code <<= 1
    return codes


def _matches() -> tuple[Integers, Integers]:
    """The code and bits of every match of distance 1, by length."""
    codes, bits = np.zeros((2, _LONGEST + 1), np.int64)
    length = _SHORTEST
    for symbol, extra in enumerate(_EXTRA[:-1], start=257):
        for more in range(1 << extra):
            codes[length] = _CODES[symbol] | more << int(_BITS[symbol])
            bits[length] = _BITS[symbol] + extra + 1
            length += 1
    # The longest has a symbol of its own.
    codes[_LONGEST], bits[_LONGEST] = _CODES[285], _BITS[285] + 1
    return codes, bits


def _packed(codes: Integers, bits: Integers) -> npt.NDArray[np.uint8]:
    """Codes one after another, each from its lowest bit on; the last byte filled up with zeros."""
    places = np.arange(int(bits.max(initial=1)))
    each = (codes[:, None] >> places & 1).astype(np.uint8)
    return np.packbits(each[places < bits[:, None]], bitorder="little")


def _header() -> tuple[Integers, Integers]:
    """The beginning of a block that is not the last: the code, as numbers and their bits."""
    order = (16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15)
    lengths = np.zeros(19, np.int64)
    lengths[[1, 6, 7, 9, 10, 11, 12, 13]], lengths[8] = 4, 1
    used = order[:18]
    code = _canonical(lengths)
    symbols = np.append(_BITS, (1, 1))  # of the two distances, 1 and 2, only 1 is used
    counts = (len(_BITS) - 257, 1, len(used) - 4)
    numbers = (0, 2, *counts, *lengths[list(used)], *code[symbols])
    bits = (1, 2, 5, 5, 4, *(3,) * len(used), *lengths[symbols])
    return np.array(numbers), np.array(bits)


_CODES: Final = _canonical(_BITS)
_MATCH_CODES, _MATCH_BITS = _matches()
_HEADER_CODES, _HEADER_BITS = _header()
#: The byte of each colour of a cell.
CELL_BYTES: Final = _CODES[: HATCH[1] + 1].astype(np.uint8)
#: Ends the block, and fills up its last byte by means of an empty one (RFC 1951, 3.2.4).
END: Final = int(_CODES[_END_OF_BLOCK]).to_bytes(2, "little") + b"\0\0\xff\xff"


def cell_pattern(width: int) -> tuple[int, bytes]:
    """How many times a cell's byte stands in the stream, and what follows it.

    Args:
        width: of the cell in pixels, at least 1.

    Example:
        >>> cell_pattern(2), cell_pattern(14)[0], len(cell_pattern(14)[1])
        ((2, b''), 1, 1)
    """
    full, rest = divmod(width - 1, _LONGEST)
    literals, last = (1 + rest, 0) if rest < _SHORTEST else (1, rest)
    repeats = np.array([_LONGEST] * full + [last] * bool(last), np.int64)
    return literals, _packed(_MATCH_CODES[repeats], _MATCH_BITS[repeats]).tobytes()


def compressed(data: Indices, borders: Integers) -> list[bytes]:
    """A block that is not the last, in segments of whole bytes; `END` ends it.

    Args:
        data: the bytes of all segments, in one row.
        borders: where each segment begins. Each has a run of 11 to 258 bytes of paper.

    Returns:
        The segments; the block's header is in the first.
    """
    starts = np.union1d(np.flatnonzero(np.diff(data)) + 1, borders)
    values, lengths = data[starts], np.diff(starts, append=len(data))
    segment = np.searchsorted(borders, starts, "right") - 1
    full, rest = np.divmod(lengths - 1, _LONGEST)
    literals = 1 + np.where(rest < _SHORTEST, rest, 0)
    over = np.bincount(segment, literals * _BITS[values]).astype(np.int64)
    over[0] += _HEADER_BITS.sum()
    # Each more byte of paper that is not part of a match has 9 bits.
    low, high = _ADJUSTABLE
    adjustable = np.flatnonzero((values == PAPER) & (lengths >= low) & (lengths <= high))
    chosen, first = np.unique(segment[adjustable], return_index=True)
    literals[adjustable[first]] += -over[chosen] % 8
    rest[adjustable[first]] -= -over[chosen] % 8
    matched = rest >= _SHORTEST
    ends = np.full(len(values), _LONGEST)
    counts = np.stack([literals, full, matched], axis=1).ravel()
    codes = np.stack([_CODES[values], _MATCH_CODES[ends], _MATCH_CODES[rest]], axis=1).ravel()
    bits = np.stack([_BITS[values], _MATCH_BITS[ends], _MATCH_BITS[rest]], axis=1).ravel()
    sizes = np.bincount(segment.repeat(3), counts * bits).astype(np.int64)
    sizes[0] += _HEADER_BITS.sum()
    stream = _packed(
        np.append(_HEADER_CODES, codes.repeat(counts)), np.append(_HEADER_BITS, bits.repeat(counts))
    )
    return [part.tobytes() for part in np.split(stream, sizes.cumsum()[:-1] // 8)]
