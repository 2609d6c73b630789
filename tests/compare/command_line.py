"""The command `lstm-probe` in this process, as `python -m lstm_probe` runs it."""

from __future__ import annotations

import contextlib
import io
import json
import runpy
import sys
from typing import Any
from unittest.mock import patch

from masking import masked

__all__ = ["run"]


def run(*arguments: str) -> dict[str, Any]:
    """Exit code, stdout and stderr; JSON is read, so that its numbers are compared as numbers."""
    out, err = io.StringIO(), io.StringIO()
    code: Any = 0
    with (
        patch.object(sys, "argv", ["lstm-probe", *arguments]),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        try:
            runpy.run_module("lstm_probe", run_name="__main__")
        except SystemExit as error:
            code = error.code
        except BaseException as error:  # a traceback is what a user would see
            code = f"{type(error).__name__}: {masked(str(error))}"
    said = out.getvalue()
    try:
        printed: Any = _masked_json(json.loads(said)) if "--json" in arguments else masked(said)
    except ValueError:
        printed = masked(said)
    return {"exit code": code, "stdout": printed, "stderr": masked(err.getvalue())}


def _masked_json(value: Any) -> Any:
    """Without the one number that is a time."""
    if isinstance(value, dict):
        return {
            key: "<time>" if key == "capture_ms" else _masked_json(each)
            for key, each in value.items()
        }
    if isinstance(value, list):
        return [_masked_json(each) for each in value]
    return masked(value) if isinstance(value, str) else value
