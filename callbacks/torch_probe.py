"""`TorchProbe`: the probe for training loops of PyTorch."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from os import PathLike
from types import TracebackType
from typing import Any

from lstm_probe.analysis.alerts.board import OnAlert
from lstm_probe.callbacks.recording.options import Options
from lstm_probe.callbacks.recording.shown import ShownInNotebooks
from lstm_probe.callbacks.schedule import Every
from lstm_probe.callbacks.torch_run import SeenRun, TorchRun, detached
from lstm_probe.core.errors import LstmProbeError
from lstm_probe.core.switch import is_switched_on
from lstm_probe.core.warn import warn
from lstm_probe.logs.detail import MAX_BYTES, Detail
from lstm_probe.models.decoding import Decode
from lstm_probe.models.given_labels import GivenLabels
from lstm_probe.models.torch.modules import Module, inner_model, title
from lstm_probe.models.torch.probes import TorchInput
from lstm_probe.models.torch.processes import is_first_process
from lstm_probe.models.torch.reader import At, Forward

__all__ = ["TorchProbe"]

_log = logging.getLogger(__name__)


class TorchProbe(SeenRun, ShownInNotebooks):
    """Shows in TensorBoard, while a PyTorch model is trained, every gate of its recurrent modules.

    With an optimizer there is nothing else to call but `close`, or the probe is a context manager:
    it captures at once, whenever the number of the optimizer's steps crosses a multiple of
    `every`, and at the end. Without one, call `step` after each training step.

    Each capture lets the model compute the probe in eval mode, recomputes every gate with NumPy,
    and logs pictures, histograms and the parity error: the largest difference between NumPy's
    hidden states and PyTorch's. The training is not changed: parameters, buffers, losses and random
    numbers are bit for bit those without the probe.

    Layers have the names of `named_modules()`, with the layer and direction within `nn.LSTM`,
    `nn.GRU` and `nn.RNN`: `encoder.lstm/l0`, `encoder.lstm/l0_reverse`. Where several processes
    train together, the first captures.

    Args:
        model: the model, also as `DistributedDataParallel` or `torch.compile` have wrapped it.
        probe: a fixed input for the model: a tensor, an array or a `PackedSequence`; a tuple holds
            the arguments of its forward, a dict its keyword arguments. Pictures show the first of
            the batch, statistics all.
        log_dir: the logs go to `<log_dir>/lstm_probe`.
        optimizer: what trains the model. Its steps are counted: those that gradients are
            accumulated for once, those that a `GradScaler` skips not at all. Counting goes on from
            what its state has counted, as that of Adam does.
        every: as `ProbeCallback` takes it, and so are `detail` and the options after it.
        layers: which modules, by name; all recurrent ones by default. One that is named may be a
            module that lstm_probe does not know: its output is shown alone.
        forward: is called with the model and the probe in place of the model, which may be wrapped:
            `lambda model, x: model.encode(x)`, or a function that computes under autocast.
        at: `"layer"` for a probe that is the input of the recurrent module itself.
        detail: how much is logged: `"scalars"`, `"explorer"`, `"gates"` or `"full"`.
        on_alert: `"stop"` makes `should_stop` True.
        max_overhead: the part of the training's time that captures may take.
        background: whether another thread does what follows the model's pass on the probe.
        labels: a name for each timestep of the probe; one list for all sequences, or one for each.
        names: a name for each sequence of the probe.
        decode: makes the labels from the tokens of the probe.
        max_log_bytes: how large the log may grow.
        targets: what the model is to give for the probe, one for each sequence. `(x, y)` as the
            probe says the same where the model's forward takes one argument.
        log_data: False keeps the probe's inputs and targets, and what the model gives for it, out
            of the log.
        analyses: what to work out of the layers when the probe is closed: some of `ablation`,
            `tracking`, `attribution`, `need`, `stability` and `geometry`. It is logged,
            drawn in the view Computes of the tab Gates, and kept in `explained`.
        analyses_every: at every how many captures the analyses are made too, the first among them,
            as `max_overhead` allows; the training waits for them. None, the default, makes them at
            the end alone.
        enabled: False turns the probe into nothing, as `LSTM_PROBE=off` in the environment does.

    Raises:
        LstmProbeError: something does not fit. After the first training step nothing is raised:
            what fails is warned of and counted.

    Example:
        >>> import tempfile, torch
        >>> model = torch.nn.GRU(1, 3, batch_first=True)
        >>> optimizer = torch.optim.Adam(model.parameters())
        >>> x, log_dir = torch.ones(8, 5, 1), tempfile.mkdtemp()
        >>> with TorchProbe(model, x[:1], log_dir, optimizer=optimizer, every=2) as probe:
        ...     for _ in range(4):
        ...         optimizer.zero_grad()
        ...         model(x)[0].square().mean().backward()
        ...         optimizer.step()
        >>> probe.report.captured, probe.analyses["l0"].trace.z.shape
        (3, (1, 5, 3))
    """

    def __init__(
        self,
        model: Module,
        probe: TorchInput,
        log_dir: str | PathLike[str],
        *,
        optimizer: Any = None,
        every: Every = 100,
        layers: Sequence[str] | None = None,
        forward: Forward | None = None,
        at: At = "model",
        detail: Detail = "gates",
        on_alert: OnAlert = "log",
        max_overhead: float | None = 0.01,
        background: bool = False,
        labels: GivenLabels | None = None,
        names: Sequence[str] | None = None,
        decode: Decode | None = None,
        max_log_bytes: int | None = MAX_BYTES,
        targets: Any = None,
        log_data: bool = True,
        analyses: Sequence[str] = (),
        analyses_every: int | None = None,
        enabled: bool = True,
    ) -> None:
        self._run: TorchRun | None = None
        self._hook: Any = None
        self._is_closed = self._has_trained = False
        self._told: set[str] = set()
        if not is_switched_on(enabled):
            return
        own = inner_model(model)  # in every process: what cannot be probed is refused in all
        optimizer = _inner(optimizer)
        if optimizer is not None:
            _check_optimizer(optimizer, own)
        if not is_first_process():
            return
        options = Options(
            detail=detail,
            on_alert=on_alert,
            max_overhead=max_overhead,
            background=background,
            max_log_bytes=max_log_bytes,
            log_data=log_data,
            analyses=analyses,
            analyses_every=analyses_every,
        )
        run = TorchRun(
            own,
            probe,
            log_dir,
            options,
            every=every,
            layers=layers,
            forward=forward,
            at=at,
            labels=labels,
            names=names,
            decode=decode,
            targets=targets,
        )
        run.begin(_steps_of(optimizer))
        self._run = run
        if optimizer is not None:
            self._hook = optimizer.register_step_post_hook(self._after)

    @property
    def should_stop(self) -> bool:
        """Whether an alert has asked for the end of the training, with `on_alert="stop"`."""
        return self._run is not None and self._run.recorder.asks_to_stop()

    def step(self, step: int | None = None, logs: Mapping[str, Any] | None = None) -> None:
        """For loops without `optimizer=`: to be called after each training step.

        With an optimizer it counts nothing, but takes note of `logs`: call it before
        `optimizer.step()` to have the loss beside the gates.

        Args:
            step: how many steps the model has been trained; by default one more than before.
            logs: the loss and other numbers of this step, by name, also as tensors.

        Raises:
            LstmProbeError: the probe was closed before the training began.
        """
        if self._run is None:
            return
        if self._is_closed:
            self._refuse_or_say()
            return
        self._run.recorder.training.given(detached(logs))
        if self._hook is None:
            self._advance(self._run, self._run.step + 1 if step is None else int(step))
        elif logs is None:
            self._say("step() does nothing: the optimizer tells the probe of its steps.")

    def close(self) -> None:
        """Capture the last weights, if that has not been done, and close the log."""
        if self._hook is not None:
            self._hook.remove()
            self._hook = None
        if self._run is not None and not self._is_closed:
            self._is_closed = True
            self._run.close()

    def __enter__(self) -> TorchProbe:
        if self._is_closed:
            raise _closed()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _after(self, optimizer: Any, args: Any, kwargs: Any) -> None:
        """The optimizer has made a step."""
        if self._run is not None and not _is_skipped(optimizer):
            self._advance(self._run, self._run.step + 1)

    def _advance(self, run: TorchRun, step: int) -> None:
        self._has_trained = True
        run.trained(step)
        run.recorder.asks_to_stop()  # raises what on_alert has raised on another thread

    def _refuse_or_say(self) -> None:
        if not self._has_trained:
            raise _closed()
        self._say("step() does nothing: the probe is closed.")

    def _say(self, what: str) -> None:
        if what not in self._told:
            self._told.add(what)
            warn(_log, "lstm_probe: %s", what)


def _closed() -> LstmProbeError:
    return LstmProbeError(
        "The probe is closed. Received: a TorchProbe after close(). Expected: one that is open. "
        "Make a new one: with the same log_dir it continues the log."
    )


def _inner(optimizer: Any) -> Any:
    """The optimizer in the wrapper of a trainer, whose own steps may be parts of a step."""
    wrapped = getattr(optimizer, "optimizer", None)
    return wrapped if hasattr(wrapped, "register_step_post_hook") else optimizer


def _check_optimizer(optimizer: Any, model: Module) -> None:
    if not hasattr(optimizer, "register_step_post_hook"):
        raise LstmProbeError(
            f"The optimizer does not tell of its steps. Received: {type(optimizer).__name__}. "
            "Expected: a torch.optim.Optimizer; or no optimizer, and probe.step() after each step."
        )
    own = {id(parameter) for parameter in model.parameters()}
    held = [each for group in optimizer.param_groups for each in group["params"]]
    if not any(id(parameter) in own for parameter in held):
        raise LstmProbeError(
            f"The optimizer trains another model. Received: {type(optimizer).__name__} with "
            f"{len(held)} parameters, none of them in {title(model)!r}. Expected: the optimizer of "
            "the model's own parameters."
        )


def _steps_of(optimizer: Any) -> int:
    """How many steps an optimizer has counted in its state; 0 where it counts none."""
    if optimizer is None:
        return 0
    counted = [state["step"] for state in optimizer.state.values() if "step" in state]
    return max((int(count) for count in counted), default=0)


def _is_skipped(optimizer: Any) -> bool:
    """Whether a `GradScaler` has found gradients that are not finite.

    It does not call other optimizers then, but leaves it to fused ones to skip the step.
    """
    found = getattr(optimizer, "found_inf", None)
    return found is not None and bool(found)
