"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lstm_probe.core.errors import LstmProbeError

if TYPE_CHECKING:
    from lstm_probe.models import Opened

__all__ = [
    "AsJson",
    "CellOptions",
    "Config",
    "Debug",
    "Layers",
    "LogDir",
    "MaxMemory",
    "ProbeFile",
    "RandomShape",
    "RunName",
    "Seed",
    "Timeout",
    "Trusted",
    "WeightsOnly",
    "cell_options",
    "check_probe",
    "probe_for",
]

ProbeFile = Annotated[
    Path | None,
    typer.Option("--probe", "-p", help="The probe: an .npy, .npz or .csv file.", metavar="FILE"),
]
RandomShape = Annotated[
    str | None,
    typer.Option("--random", help="A random probe of this shape, such as 1,50,3.", metavar="SHAPE"),
]
Seed = Annotated[
    int, typer.Option("--seed", help="The seed of the random probe.", min=0, metavar="NUMBER")
]
Config = Annotated[
    Path | None,
    typer.Option(
        "--config",
        help="For weights alone: what `model.to_json()` gave, or a .keras file of the model.",
        metavar="FILE",
    ),
]
Layers = Annotated[
    list[str] | None,
    typer.Option(
        "--layer", "-l", help="Only this layer; may be given several times.", metavar="NAME"
    ),
]
CellOptions = Annotated[
    list[str] | None,
    typer.Option(
        "--cell",
        help="An option of the cells that a file of weights does not tell, such as "
        "`forget_bias=0` or `activation=relu`; `LAYER:reverse=true` is for one layer.",
        metavar="NAME=VALUE",
    ),
]
Trusted = Annotated[
    bool,
    typer.Option(
        "--trusted",
        help="Load a file of Keras in full, and run the code in it: only if you know who made it.",
    ),
]
MaxMemory = Annotated[
    float | None,
    typer.Option(
        "--max-memory",
        help="What loading and running a file may take beyond its framework, in GiB: by default "
        "2, or 8 times the file.",
        metavar="GIB",
        show_default=False,
    ),
]
Timeout = Annotated[
    float | None,
    typer.Option(
        "--timeout",
        help="How long loading a file may take, and running it: by default 15 s of the processor, "
        "and more for a large file.",
        metavar="SECONDS",
        show_default=False,
    ),
]
WeightsOnly = Annotated[
    bool,
    typer.Option("--weights-only", help="Read the weights alone; nothing else of the file."),
]
LogDir = Annotated[
    Path,
    typer.Argument(
        help="The log_dir of a training, or a directory above it.",
        metavar="LOGDIR",
        show_default=False,
    ),
]
RunName = Annotated[
    str | None,
    typer.Option(
        "--run", help="Which run, where there are several: its path in LOGDIR.", metavar="PATH"
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")]
Debug = Annotated[bool, typer.Option("--debug", help="On an error, show the traceback.")]


def cell_options(pairs: list[str] | None) -> dict[str, str]:
    """The options of `--cell` by name.

    Args:
        pairs: each `NAME=VALUE`.

    Raises:
        LstmProbeError: a pair has no `=`.

    Example:
        >>> cell_options(["forget_bias=0"])
        {'forget_bias': '0'}
    """
    for pair in pairs or ():
        if "=" not in pair:
            raise LstmProbeError(
                f"This is no option of a cell. Received: {pair!r}. Expected: NAME=VALUE, such as "
                "forget_bias=0."
            )
    return {name: value for name, _, value in (pair.partition("=") for pair in pairs or ())}


def check_probe(file: Path | None, shape: str | None) -> None:
    """Check that the options name exactly one probe, before anything is loaded.

    Args:
        file: of `--probe`.
        shape: of `--random`.

    Raises:
        LstmProbeError: they name two probes or none, or the shape is not a shape.
    """
    from lstm_probe.models.files.probes import parse_shape

    if (file is None) == (shape is None):
        raise LstmProbeError(
            f"One probe is needed. Received: {'none' if file is None else 'two'}. Expected: "
            "either --probe FILE or --random SHAPE, such as --random 1,50,3."
        )
    if shape is not None:
        parse_shape(shape)


def probe_for(opened: Opened, file: Path | None, shape: str | None, seed: int) -> Any:
    """Read or make the probe that the options name.

    Args:
        opened: the model, which tells what a random probe has to be like.
        file: of `--probe`.
        shape: of `--random`.
        seed: of `--seed`.

    Raises:
        LstmProbeError: the file cannot be read.
    """
    import numpy as np

    from lstm_probe.models.files.probes import parse_shape, read_probe
    from lstm_probe.models.probe import as_probe

    if file is not None:
        return as_probe(read_probe(file))
    return opened.random_probe(parse_shape(shape or ""), np.random.default_rng(seed))
