"""Compare what two sides were seen to do, and print what was compared and every difference.

python tests/compare/compare.py <old folder> <new folder>
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path

from observations import Items, load
from rules import differences

__all__ = ["KNOWN", "Comparison", "compare", "read_known"]

#: The differences that are intended.
KNOWN = Path(__file__).parent / "known.txt"
#: So many differences of one item are printed; a wrong format would print thousands.
_PRINTED = 8


@dataclass
class Comparison:
    """What a comparison came to.

    Attributes:
        compared: how many items of each kind both sides have.
        differing: the differences by item and place, in words.
        known: how often each intended difference occurred, by its pattern.
    """

    compared: Counter[str] = field(default_factory=Counter)
    differing: dict[str, list[str]] = field(default_factory=dict)
    known: Counter[str] = field(default_factory=Counter)

    def __str__(self) -> str:
        lines = [f"{'kind':<12}  {'compared':>8}"]
        lines += [f"{kind:<12}  {count:>8}" for kind, count in sorted(self.compared.items())]
        lines.append(f"{'all':<12}  {self.compared.total():>8}")
        for name, found in self.differing.items():
            lines.append(f"DIFFERENT {name}")
            lines += [f"    {each}" for each in found[:_PRINTED]]
            if len(found) > _PRINTED:
                lines.append(f"    and {len(found) - _PRINTED} more")
        for pattern, count in self.known.items():
            occurred = f"{count} times" if count else "DID NOT OCCUR: take it out?"
            lines.append(f"known difference {pattern}: {occurred}")
        count = len(self.differing)
        lines.append(f"{count} items differ" if count else "no difference")
        return "\n".join(lines)


def compare(old: Items, new: Items, known: Iterable[str] = ()) -> Comparison:
    """Compare two sides item by item.

    Args:
        old: the items of the older side.
        new: those of the newer.
        known: patterns of intended differences, such as `logs/tags/fit_*`. What they are held
            against is `<section>/<kind>/<name>`, and for a place within an item a colon and the
            place after that.
    """
    result = Comparison(known=Counter(dict.fromkeys(known, 0)))
    for key in [*old, *(key for key in new if key not in old)]:
        section, kind, name = key
        title = f"{section}/{kind}/{name}"
        if key in old and key in new:
            result.compared[kind] += 1
            found = list(differences(kind, old[key], new[key]))
        else:
            found = [("", f"only the {'old' if key in old else 'new'} side has it")]
        for place, said in found:
            full = f"{title}:{place}" if place else title
            patterns = [each for each in result.known if fnmatchcase(full, each)]
            for pattern in patterns:
                result.known[pattern] += 1
            if not patterns:
                result.differing.setdefault(title, []).append(f"{place} {said}".strip())
    return result


def read_known(path: Path) -> dict[str, str]:
    """The intended differences: by pattern, the reason.

    Raises:
        ValueError: a line has no reason.
    """
    known: dict[str, str] = {}
    for line in path.read_text().splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        pattern, _, reason = (part.strip() for part in line.partition(" | "))
        if not reason:
            raise ValueError(f"A known difference needs a reason after ' | '. Received: {line!r}.")
        known[pattern] = reason
    return known


def main(old: str, new: str) -> int:
    """Compare two folders; 1 if there is a difference that is not known."""
    result = compare(load(Path(old)), load(Path(new)), read_known(KNOWN))
    sys.stdout.write(f"{result}\n")
    return 1 if result.differing or not result.compared else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
