"""From an error to one line on stderr and an exit code."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

import typer

from lstm_probe.core.errors import LstmProbeError

__all__ = ["BAD_INPUT", "CHECK_FAILED", "one_line_errors"]

CHECK_FAILED, BAD_INPUT = 1, 2


@contextmanager
def one_line_errors(debug: bool) -> Iterator[None]:
    """Print an error in the block as one line that says how to mend it, and exit with 2.

    Args:
        debug: whether the error is raised instead, so that Python prints its traceback.
    """
    try:
        yield
    except (typer.Exit, typer.Abort):
        raise
    except BrokenPipeError:  # `lstm-probe ... | head` reads no further
        sys.stderr.close()
        raise typer.Exit(0) from None
    except Exception as error:
        if debug:
            raise
        typer.echo(f"lstm-probe: {_one_line(error)}", err=True)
        raise typer.Exit(BAD_INPUT) from error


def _one_line(error: Exception) -> str:
    cause = _system_error(error)
    if isinstance(error, LstmProbeError):
        text = str(error)
    elif cause is not None:
        place = f": {cause.filename}" if cause.filename else ""
        text = f"{cause.strerror or cause}{place}. Check the path, its permissions and the disk."
    elif isinstance(error, MemoryError):
        text = "There is not enough memory. Use a shorter probe, fewer sequences, or --layer."
    else:
        text = (
            f"{type(error).__name__}: {error}. This should not happen: please run it again with "
            "--debug, and report what it says."
        )
    return " ".join(text.split())


def _system_error(error: BaseException | None) -> OSError | None:
    """The error of the system behind an error, if there is one.

    A library may raise an error of its own while it cleans up after that of the system.
    """
    while error is not None and not isinstance(error, OSError):
        error = error.__context__
    return error
