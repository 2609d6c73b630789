"""Observe one installed package: python observe.py <folder> <where the package lies> <section> ...

The package is reached by public paths alone, so that older and newer layouts are both observed.
"""

from __future__ import annotations

import importlib
import logging
import os
import shutil
import sys
import time
import warnings
from pathlib import Path

import lstm_probe

HERE = Path(__file__).resolve().parent
#: Where models and graphs of other tests are; last, so that they hide no package.
sys.path += [str(HERE.parent), str(HERE.parent / "long")]

from observations import Observations  # noqa: E402 - both need what stands above


def main(folder: Path, package: Path, sections: list[str]) -> None:
    """Observe some sections, each with the module of its name, and save what was seen."""
    found = Path(lstm_probe.__file__ or "").resolve()
    if not found.is_relative_to(package.resolve()):
        raise SystemExit(f"lstm_probe is imported from {found}. Expected: a place in {package}.")
    warnings.simplefilter("ignore")
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    for section in sections:
        began = time.monotonic()
        work = folder / "work" / section
        work.mkdir(parents=True)
        os.chdir(work)  # paths in texts are then relative, and the same on both sides
        seen = Observations(section)
        importlib.import_module(f"seen_{section}").observe(seen)
        os.chdir(folder)
        seen.save(folder)
        shutil.rmtree(work)
        sys.stdout.write(f"{section}: {time.monotonic() - began:.1f} s\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve(), Path(sys.argv[2]), sys.argv[3:])
