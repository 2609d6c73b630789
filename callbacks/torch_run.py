"""`TorchRun`: one training of a PyTorch model, whoever counts its steps."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from os import PathLike
from pathlib import Path
from typing import Any
from weakref import WeakSet

from lstm_probe.analysis.analysis import Analysis
from lstm_probe.analysis.explained import Explained
from lstm_probe.callbacks.recording.options import Options, check_kept_apart
from lstm_probe.callbacks.recording.recorder import Recorder
from lstm_probe.callbacks.schedule import Every, StepWatch
from lstm_probe.core.errors import LstmProbeError
from lstm_probe.logs.report import Report
from lstm_probe.models.decoding import Decode
from lstm_probe.models.given_labels import GivenLabels, as_labels_of_feeds
from lstm_probe.models.probe_data import data_of_arrays
from lstm_probe.models.targets import only_targets
from lstm_probe.models.torch.modules import Module, inner_model, title
from lstm_probe.models.torch.named import read_named
from lstm_probe.models.torch.probes import (
    TorchInput,
    apart,
    arrays_of,
    as_tensors,
    batch_first,
    named_arrays,
)
from lstm_probe.models.torch.reader import At, Forward, TorchReader, TorchSource

__all__ = ["SeenRun", "TorchRun", "detached"]

#: The models that are probed now. A second probe would log the captures of the first as training.
_probed: WeakSet[Any] = WeakSet()


class TorchRun:
    """What `TorchProbe` and the callbacks of Lightning and of the HF Trainer have in common.

    Args:
        model: the model that is trained.
        probe: the fixed input.
        log_dir: the logs go to `<log_dir>/lstm_probe`.
        options: how captures are taken and logged.
        every: when they are taken.
        layers: which modules.
        forward: as `TorchReader` takes it, and so are those that follow.
        at: what the probe is an input of.
        context: makes a context in which the model computes.
        labels: as `ProbeCallback` takes it, and so are those that follow. Whether they fit what the
            modules read is known at the first capture.
        names: a name for each sequence.
        decode: makes the labels from the tokens of the probe.
        targets: what the model is to give for the probe.

    Attributes:
        recorder: takes and logs the captures.

    Raises:
        LstmProbeError: something does not fit.
    """

    def __init__(
        self,
        model: Module,
        probe: TorchInput,
        log_dir: str | PathLike[str],
        options: Options,
        *,
        every: Every = 100,
        layers: Sequence[str] | None = None,
        forward: Forward | None = None,
        at: At = "model",
        context: Callable[[], AbstractContextManager[Any]] = nullcontext,
        labels: GivenLabels | None = None,
        names: Sequence[str] | None = None,
        decode: Decode | None = None,
        targets: Any = None,
    ) -> None:
        self._step = 0
        self._epoch: float | None = None
        self._watch = StepWatch(every, lambda: self._step)
        self._model = inner_model(model)
        of_probe = None
        if forward is None and at == "model":
            probe, of_probe = apart(probe, self._model)
        check_kept_apart(options.log_data, decode)
        layers = [layers] if isinstance(layers, str) else layers
        _check_single(self._model)
        self._reader, named = read_named(
            self._model,
            probe,
            lambda inputs: TorchReader(
                self._model,
                inputs,
                layers,
                forward=forward,
                at=at,
                context=context,
                outputs=options.data,
            ),
        )
        tensors = as_tensors(named.inputs, self._model)
        targets = only_targets(named.targets if of_probe is None else of_probe, targets)
        found = as_labels_of_feeds(
            arrays_of(tensors), labels, names=names, decode=decode, groups=named.groups
        )
        self.recorder = Recorder(log_dir, replace(options, labels=found))
        reader = self._reader
        inputs = batch_first(named_arrays(tensors), reader.shape, time_first=reader.time_first)
        self._data = data_of_arrays(inputs, targets, named.groups)

    @property
    def step(self) -> int:
        """How many steps have been trained, as far as this has been told."""
        return self._step

    def reads(self, model: Module) -> bool:
        """Whether this is the model that is read."""
        return inner_model(model) is self._model

    def begin(self, step: int, epoch: float | None = None) -> None:
        """Capture before the first step.

        Args:
            step: how many steps the model has been trained before.
            epoch: how many epochs; None if the training has none.

        Raises:
            LstmProbeError: the capture fails, or cannot be logged.
        """
        self._step, self._epoch = step, epoch
        self._watch.start()
        self.recorder.start(step, self._source, self._data)
        _probed.add(self._model)

    def trained(self, step: int, epoch: float | None = None) -> None:
        """Capture if the step has crossed one at which a capture is due.

        Args:
            step: how many steps have been trained.
            epoch: as for `begin`.
        """
        # TensorBoard hides what lies before a step that went back.
        self._step, self._epoch = max(step, self._step), epoch
        is_due = self.recorder.guard.run("deciding on a capture", self._is_due)
        if is_due:
            self.recorder.capture(self._step, self._source)

    def close(self) -> None:
        """Capture the last weights, if that has not been done, and close the log."""
        self.recorder.capture(self._step, self._source, last=True)
        _probed.discard(self._model)
        self.recorder.close()

    def _is_due(self) -> bool:
        return self._watch.crossed(self._step)

    @property
    def _source(self) -> TorchSource:
        return TorchSource(self._reader, self._epoch)


class SeenRun:
    """What a probe or a callback shows of its run."""

    _run: TorchRun | None

    @property
    def log_dir(self) -> Path | None:
        """Where the training's logs are; None where there is no run."""
        return None if self._run is None else self._run.recorder.log_dir

    @property
    def analyses(self) -> dict[str, Analysis]:
        """What the latest capture showed, by the name of the layer."""
        return {} if self._run is None else self._run.recorder.analyses

    @property
    def explained(self) -> Mapping[str, Explained]:
        """What the layers compute at the end of the training, by name, as `analyses` asked."""
        return {} if self._run is None else self._run.recorder.explained

    @property
    def report(self) -> Report:
        """What has been captured so far; printed, it is a table."""
        return Report() if self._run is None else self._run.recorder.report


def detached(logs: Mapping[str, Any] | None) -> dict[str, Any]:
    """Loss and metrics without what they were computed from, which would fill the memory."""
    given = logs or {}
    return {str(name): getattr(each, "detach", lambda e=each: e)() for name, each in given.items()}


def _check_single(model: Module) -> None:
    if model in _probed:
        raise LstmProbeError(
            f"Model {title(model)!r} is probed already. Received: a second probe. Expected: one "
            "for each model. Close the first by its close(), or give it several sequences in one "
            "batch."
        )
