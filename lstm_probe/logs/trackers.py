"""Experiment trackers that follow TensorBoard's logs, such as Weights & Biases."""

from __future__ import annotations

from pathlib import Path

from tensorboard.summary.writer import event_file_writer

__all__ = ["announce"]

_TENSORBOARDS_OWN = "tensorboard."


def announce(directory: Path) -> None:
    """Let a tracker know of a log directory, if one waits for such news.

    `wandb.init(sync_tensorboard=True)` puts a class of its own in the place of TensorBoard's
    writer, and follows all event files of a directory from the moment that one is made there. So
    one is made, with no events; where nobody waits for it, nothing is.

    Args:
        directory: where the event files are, or will be.
    """
    writer = event_file_writer.EventFileWriter
    if not writer.__module__.startswith(_TENSORBOARDS_OWN):
        writer(str(directory)).close()
