"""Experiment trackers that follow TensorBoard's logs, such as Weights & Biases."""

from __future__ import annotations

from pathlib import Path

from tensorboard.summary.writer import event_file_writer

__all__ = ["announce"]

_TENSORBOARDS_OWN = "tensorboard."


def announce(directory: Path) -> None:
    """Tell an experiment tracker about a log directory, if there is a tracker that follows logs.

    `wandb.init(sync_tensorboard=True)` replaces TensorBoard's writer with a class of its own. When
    that class is made for a directory, Weights & Biases begins to follow every event file in it.
    So this makes one, writes no event with it and closes it. Without a tracker nothing is made.

    Args:
        directory: where the event files are, or will be.
    """
    writer = event_file_writer.EventFileWriter
    if not writer.__module__.startswith(_TENSORBOARDS_OWN):
        writer(str(directory)).close()
