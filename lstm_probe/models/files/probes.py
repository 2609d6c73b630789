"""Probes out of files, or out of a random number generator."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from lstm_probe.core.arrays import Array
from lstm_probe.core.errors import LstmProbeError
from lstm_probe.core.limits import damaged, read_npy, read_npz

__all__ = ["RandomProbe", "parse_shape", "read_probe", "read_series"]


#: How many words a random sentence has.
_SENTENCE: Final = 8


@dataclass(frozen=True)
class RandomProbe:
    """What kind of random numbers or strings a model reads.

    Attributes:
        dtype: the name of its input's dtype.
        words: how many words it knows, where it reads whole numbers.
        vocabulary: the words or numbers that it looks up; empty if it looks nothing up.
        separator: what stands between the words of one string; None if a string is one word.
    """

    dtype: str = "float32"
    words: int = 2
    vocabulary: tuple[str | int, ...] = ()
    separator: str | None = None

    def draw(self, shape: Sequence[int], rng: np.random.Generator) -> Array:
        """Numbers or strings of that kind.

        Example:
            >>> RandomProbe("string", vocabulary=("a",), separator=" ").draw(
            ...     (1, 1), np.random.default_rng(0)
            ... ).tolist()
            [['a a a a a a a a']]
            >>> RandomProbe("int32", words=1).draw((1, 2), np.random.default_rng(0)).tolist()
            [[0, 0]]
        """
        dtype = "float32" if self.dtype == "bfloat16" else self.dtype
        if dtype == "string":
            return self._strings(shape, rng)
        if self.vocabulary and np.dtype(dtype).kind in "iu":
            return rng.choice(np.array(self.vocabulary, dtype), tuple(shape))
        if np.dtype(dtype).kind not in "iu":
            return rng.normal(size=tuple(shape)).astype(np.float32)
        return rng.integers(0, self.words, tuple(shape)).astype(dtype)

    def _strings(self, shape: Sequence[int], rng: np.random.Generator) -> Array:
        known = [str(each) for each in self.vocabulary] or [f"word{i}" for i in range(self.words)]
        if self.separator is None:
            return rng.choice(known, tuple(shape))
        words = rng.choice(known, (math.prod(shape), _SENTENCE))
        return np.array([self.separator.join(each) for each in words]).reshape(tuple(shape))


def read_probe(path: Path) -> Any:
    """A probe out of an .npy, .npz or .csv file.

    Args:
        path: an .npz with one array is that array, one with several a dict of them: for the
            inputs of a model or, where only weights are read, for layers by name. A table of
            numbers is one sequence, a row for each timestep; a first row of words is skipped.

    Raises:
        LstmProbeError: there is no such file, or it is damaged.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "probe.csv"
        >>> _ = path.write_text("x,y\\n1,2\\n3,4\\n5,6\\n")
        >>> read_probe(path).shape
        (1, 3, 2)
    """
    found = _read(path, "probe", "; or --random 1,50,3 for random numbers")
    if path.suffix in _TABLES:
        return found[None]
    if isinstance(found, Mapping) and len(found) == 1:
        return next(iter(found.values()))
    return found


def read_series(path: Path, what: str) -> dict[str, Array]:
    """What a user knows of each sequence of a probe, out of an .npy, .npz or .csv file.

    Args:
        path: an .npz holds arrays by name; the only array of another file has the file's name. A
            table has a row for each sequence, and a column for each timestep or output; where it
            has one column, the array is `(batch,)`.
        what: what it holds, for messages.

    Raises:
        LstmProbeError: there is no such file, it is damaged, or it holds nothing.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "y.csv"
        >>> _ = path.write_text("class\\n0\\n2\\n1\\n")
        >>> read_series(path, "target")["y"].tolist()
        [0.0, 2.0, 1.0]
    """
    found = _read(path, what)
    if isinstance(found, Mapping):
        if not found:
            raise LstmProbeError(
                f"{path} is no {what}. Received: an .npz without arrays. Expected: at least one."
            )
        return dict(found)
    is_column = path.suffix in _TABLES and found.shape[1] == 1
    return {path.stem: found[:, 0] if is_column else found}


#: Files of text with a row on each line.
_TABLES: Final = (".csv", ".tsv", ".txt")


def _read(path: Path, what: str, other_way: str = "") -> Any:
    """What is in a file: arrays by name for an .npz, one array for others."""
    if not path.is_file():
        raise LstmProbeError(
            f"There is no {what}. Received: {path}. Expected: an .npy, .npz or .csv file"
            f"{other_way}."
        )
    if path.suffix == ".npy":
        return read_npy(path)
    if path.suffix == ".npz":
        return read_npz(path)
    if path.suffix in _TABLES:
        return _table(path)
    raise LstmProbeError(
        f"{path} is no {what}. Received: a name that ends with {path.suffix!r}. Expected: .npy, "
        ".npz or .csv."
    )


def _table(path: Path) -> Array:
    """The rows of a table, without a first one of words."""
    delimiter = "\t" if path.suffix == ".tsv" else ","
    try:
        with path.open() as file:
            lines = file.readlines()
        header = bool(lines) and not _numbers(lines[0], delimiter)
        told = [line for line in lines[header:] if line.partition("#")[0].strip()]
        if not told:
            raise LstmProbeError(
                f"{path} is empty. Received: no numbers in any line. Expected: a table "
                "with a row for each timestep and a column for each feature; a first row of words "
                "is skipped."
            )
        return np.loadtxt(told, delimiter=delimiter, ndmin=2, dtype=np.float32)
    except LstmProbeError:
        raise
    except ValueError as error:
        raise damaged(path, "a table of numbers", error) from error


def _numbers(line: str, delimiter: str) -> bool:
    try:
        [float(cell) for cell in line.split(delimiter)]
    except ValueError:
        return False
    return True


def parse_shape(text: str) -> tuple[int, ...]:
    """The shape that `1,50,3` or `1x50x3` stands for.

    Raises:
        LstmProbeError: it stands for none, or for one that would fill the memory.

    Example:
        >>> parse_shape("1,50,3"), parse_shape("2x7")
        ((1, 50, 3), (2, 7))
    """
    shaped = re.fullmatch(r"\(?\d+([,x] ?\d+)*,?\)?", text.strip())
    shape = tuple(int(size) for size in re.findall(r"\d+", text)) if shaped else (0,)
    if not 0 < math.prod(shape) <= 2**26:
        raise LstmProbeError(
            f"This is no shape of a probe. Received: {text!r}. Expected: whole numbers of at "
            "least 1 such as 1,50,3 (batch, time, features), or 1,50 for word numbers, at most "
            f"{2**26:,} values."
        )
    return shape
