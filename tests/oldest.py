"""The oldest versions that `setup.cfg` allows, as constraints for pip.

`python tests/oldest.py test` prints `name == lower bound` for each requirement of the package, of
its extra `test`, and of the extras that this one names. `make test-oldest` installs these versions,
so that the lower bounds stand in `setup.cfg` alone.
"""

from __future__ import annotations

import configparser
import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

_SETUP = Path(__file__).parents[1] / "setup.cfg"

_OWN_EXTRAS = re.compile(r"lstm_probe\[([\w,]+)\]")
_LOWER_BOUND = re.compile(r"([\w-]+)(?:\[[\w,]+\])? >= ([\d.]+)")


def oldest(config: configparser.ConfigParser, extras: Iterable[str]) -> dict[str, str]:
    """Return the lower bound of each requirement of the package and of some extras.

    Args:
        config: the contents of `setup.cfg`.
        extras: names of extras. The extras that they name in turn are followed.

    Returns:
        The oldest version of each distribution, by its name. Where two extras ask for different
        versions of one distribution, it is the newer one: pip has to serve both.

    Raises:
        ValueError: a requirement has another form than `name >= version`.
    """
    bounds: dict[str, str] = {}
    for requirement in _requirements(config, extras):
        match = _LOWER_BOUND.fullmatch(requirement)
        if match is None:
            raise ValueError(
                f"Received the requirement {requirement!r} in setup.cfg. Expected 'name >= version'"
                ", so that the oldest version can be installed and tested. Give it a lower bound."
            )
        name, version = match.groups()
        bounds[name] = max(version, bounds.get(name, version), key=_number)
    return bounds


def _requirements(config: configparser.ConfigParser, extras: Iterable[str]) -> Iterator[str]:
    yield from _lines(config["options"]["install_requires"])
    waiting = list(extras)
    while waiting:
        for line in _lines(config["options.extras_require"][waiting.pop()]):
            if own := _OWN_EXTRAS.fullmatch(line):
                waiting += own[1].split(",")
            else:
                yield line


def _lines(text: str) -> Iterator[str]:
    return filter(None, (line.strip() for line in text.splitlines()))


def _number(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))


if __name__ == "__main__":
    setup = configparser.ConfigParser()
    setup.read(_SETUP, encoding="utf-8")
    bounds = oldest(setup, sys.argv[1:])
    sys.stdout.writelines(f"{name} == {version}\n" for name, version in bounds.items())
