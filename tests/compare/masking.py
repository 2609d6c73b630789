"""What differs from run to run in a text and says nothing: times, versions, folders, addresses."""

from __future__ import annotations

import platform
import re
import sys
from pathlib import Path

__all__ = ["masked"]

#: What is masked, and the word that takes its place. Nothing else in a text is left out.
_MASKS = (
    (re.compile(r"\d+(?:\.\d+)? ms\b"), "<time>"),
    (re.compile(r" at 0x[0-9a-f]+"), " at <address>"),
    (re.compile(r"\d+(?:\.\d+)? MB\)"), "<size>)"),
)
_MODULES = ("lstm_probe", "tensorflow", "keras", "tf_keras", "jax", "torch", "tensorboard", "numpy")


def masked(text: str) -> str:
    """A text without what differs from run to run."""
    for folder in (Path.cwd(), Path(sys.modules["lstm_probe"].__file__ or "").parent):
        text = text.replace(str(folder), "<folder>")
    for name in _MODULES:
        version = getattr(sys.modules.get(name), "__version__", None)
        if version is not None:
            text = re.sub(rf"\b{name}([ -]+){re.escape(version)}", rf"{name}\1<version>", text)
    text = text.replace(f"Python {platform.python_version()}", "Python <version>")
    text = re.sub(r"lstm-probe \d+\.\d+\.\d+\S*", "lstm-probe <version>", text)
    for pattern, word in _MASKS:
        text = pattern.sub(word, text)
    return text
