"""The names under which a log holds what lstm_probe stores, and the version of the format.

Old logs are read by these names, so none of them may change. Two copies stand elsewhere: the
pages in JavaScript have the version and the key of the header, and the file that TensorBoard
imports when it starts has the name of the plugin, because it may import nothing. Tests compare
both with this file.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

__all__ = [
    "ALERTS_TAG",
    "ANSWERS_TAG",
    "CAPTURE",
    "CAPTURES_TAG",
    "EXPLAINED_TAG",
    "FINDINGS",
    "FORMAT",
    "HEADER_KEY",
    "OVERVIEW_TAG",
    "PLUGIN",
    "PROBE",
    "PROBE_SERIES",
    "RUN_NAME",
    "WEIGHTS",
    "layers_with",
    "stored_tag",
]

#: The version of the format; readers refuse a newer one.
FORMAT: Final = 1
#: The plugin's name in TensorBoard.
PLUGIN: Final = "lstm_probe"
#: The key of our header in the metadata of a safetensors file.
HEADER_KEY: Final = "lstm_probe"
#: The directory of a run, within the log directory of a training.
RUN_NAME: Final = "lstm_probe"
#: The tag of the points that make the course of a run.
CAPTURES_TAG: Final = "lstm_probe/captures"
#: The tag of the text that opens a log.
OVERVIEW_TAG: Final = "lstm_probe/summary"
#: The tag of the text that tells new alerts.
ALERTS_TAG: Final = "lstm_probe/alerts"
#: The tag of the text that says what the gates of each layer say.
ANSWERS_TAG: Final = "lstm_probe/answers"
#: The tag of the text that says what the layers compute.
EXPLAINED_TAG: Final = "lstm_probe/explained"
#: What is stored of a layer at a step, as the end of its tag.
CAPTURE: Final = "capture"
WEIGHTS: Final = "weights"
#: What the analyses say of a layer, at the end of a training.
FINDINGS: Final = "findings"
#: The tag of the probe's own data is `lstm_probe/probe`: made as those of layers are.
PROBE: Final = "probe"
PROBE_SERIES: Final = "lstm_probe"


def stored_tag(layer: str, what: str) -> str:
    """The tag of what is stored of a layer.

    Args:
        layer: the layer's name.
        what: `CAPTURE`, `WEIGHTS`, `FINDINGS`, or `PROBE` of `PROBE_SERIES`.

    Example:
        >>> stored_tag("encoder/lstm", CAPTURE)
        'encoder/lstm/capture'
    """
    return f"{layer}/{what}"


def layers_with(what: str, tags: Iterable[str]) -> list[str]:
    """The layers of which the tags store something, in the order of the tags.

    Args:
        what: `CAPTURE` or `WEIGHTS`.
        tags: of what a run stores.

    Example:
        >>> layers_with(WEIGHTS, ["a/capture", "a/weights", "b/capture"])
        ['a']
    """
    end = f"/{what}"
    return [tag.removesuffix(end) for tag in tags if tag.endswith(end)]
