"""Reading a PyTorch model: one pass on the probe, through the user's own modules."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np

from lstm_probe.analysis.rest import Rest
from lstm_probe.analysis.snapshot import Snapshot
from lstm_probe.core.arrays import Array
from lstm_probe.core.errors import LstmProbeError
from lstm_probe.models.torch import stacks, steps
from lstm_probe.models.torch.cells import cell_of, dtype_of, weights_of
from lstm_probe.models.torch.modules import Module, find_modules, inner_model, is_stacked, title
from lstm_probe.models.torch.outputs import outputs_of
from lstm_probe.models.torch.probes import TorchInput, as_tensors, called_with, placed, shown
from lstm_probe.models.torch.purity import TorchTrial, inference
from lstm_probe.models.torch.rest import rests_of
from lstm_probe.models.torch.strands import Strand, joined
from lstm_probe.models.torch.taps import Heard, tapped

__all__ = ["At", "Forward", "Taken", "TorchReader", "TorchSource", "capture_torch"]

#: What runs the part of a model that is to be probed: it gets the model and the probe.
Forward: TypeAlias = Callable[[Module, TorchInput], Any]
#: What the probe is an input of: the model, or its recurrent module.
At: TypeAlias = Literal["model", "layer"]


def capture_torch(
    model: Module,
    probe: TorchInput,
    *,
    layers: Sequence[str] | None = None,
    forward: Forward | None = None,
    step: int = 0,
) -> list[Snapshot]:
    """Look into a PyTorch model once, outside of any training.

    Args:
        model: an `nn.Module`.
        probe: what the model takes.
        layers: which modules, by name; all recurrent modules by default.
        forward: is called with the model and the probe, in place of the model.
        step: how many steps the model has been trained.

    Raises:
        LstmProbeError: the model has no such module, or does not take the probe.
    """
    return TorchReader(model, probe, layers, forward=forward).take(step=step).snapshots()


@dataclass(frozen=True)
class Taken:
    """What was read of a model at one training step; all of it is copies.

    Attributes:
        step: the training step of the weights.
        epoch: how many epochs had been done then; None if the training has none.
        modules: the modules that were listened to, by name.
        heard: what was heard of them.
        chosen: the names of the layers that the user asked for; None for all.
    """

    step: int
    epoch: float | None
    modules: Mapping[str, Module]
    heard: Heard
    chosen: frozenset[str] | None

    @property
    def outputs(self) -> dict[str, Array]:
        """What the model itself gave for the probe, by the name of the output: when the snapshots
        have been made, and where the reader was told to listen to it."""
        return {name: each.float().numpy() for name, each in self.heard.outputs.items()}

    def snapshots(self) -> list[Snapshot]:
        """Make a snapshot of each cell. This may run on another thread than the training."""
        self.heard.copies.wait()
        found, owners = list[Strand](), dict[str, str]()
        for call in self.heard.calls:
            module = self.modules[call.name]
            kind = stacks if is_stacked(module) else steps
            for strand in kind.strands(call.name, module, call):
                if self.chosen is None or self.chosen & {strand.name, call.name}:
                    owners[strand.name] = call.name
                    found.append(strand)
        return [self._snapshot(each, owners[_base(each.name, owners)]) for each in joined(found)]

    def _snapshot(self, strand: Strand, name: str) -> Snapshot:
        module, tensors = self.modules[name], self.heard.tensors[name]
        mask = None
        if strand.lengths is not None:
            mask = np.arange(strand.x.shape[1]) < strand.lengths[:, None]
        return Snapshot(
            step=self.step,
            layer=strand.name,
            cell=cell_of(module),
            weights=weights_of(module, tensors, strand),
            x=strand.x,
            output=strand.output,
            mask=mask,
            initial_state=strand.initial or None,
            reverse=strand.reverse,
            zero_output_for_mask=mask is not None,
            dtype=dtype_of(tensors),
            epoch=self.epoch,
            precision=strand.precision,
        )


class TorchReader:
    """Reads the recurrent modules of one model for one probe.

    The forward pass leaves no trace. Its constructor makes the first one, which shows what the
    model changes when it computes.

    Args:
        model: the model; one that is wrapped by DDP or `torch.compile` is unwrapped.
        probe: what the model takes, or with `at="layer"` what its recurrent module takes.
        layers: names of modules; None for all that are recurrent.
        forward: is called with the model and the probe, in place of the model.
        at: `"layer"` for a probe that is the input of the recurrent module.
        context: makes a context in which the model computes, such as that of autocast.
        outputs: whether what the model itself gives is kept too, where it is no recurrent module.

    Attributes:
        shape: how many sequences and timesteps the first of its layers reads.
        time_first: whether its first module reads `(time, batch, ...)`.

    Raises:
        LstmProbeError: there is no such module, or the model does not take the probe.
    """

    def __init__(
        self,
        model: Module,
        probe: TorchInput,
        layers: Sequence[str] | None = None,
        *,
        forward: Forward | None = None,
        at: At = "model",
        context: Callable[[], AbstractContextManager[Any]] = nullcontext,
        outputs: bool = False,
    ) -> None:
        own = self._model = inner_model(model)
        self._modules = find_modules(own, layers)
        self._chosen = None if layers is None else frozenset(layers)
        self._probe = as_tensors(probe, own)
        self._outputs = outputs and at == "model" and own not in self._modules.values()
        self._forward, self._context = _forward(own, forward, at, self._modules), context
        self._trial = TorchTrial(own)
        with _Refused(own, self._probe), self._trial.first():
            heard = self._pass()
        if not heard.calls:
            raise LstmProbeError(
                f"Model {title(own)!r} does not run its recurrent modules on the probe. Received: "
                f"{', '.join(self._modules)}, none of them called. Expected: modules that its "
                "forward calls, as module(x) and not as module.forward(x)."
            )
        seen = Taken(0, None, self._modules, heard, self._chosen).snapshots()
        if not seen:
            raise LstmProbeError(
                f"No layer of model {title(own)!r} is chosen. Received: {sorted(layers or ())}. "
                f"Expected some of {', '.join(self._modules)}."
            )
        self.shape: tuple[int, int] = seen[0].x.shape[:2]
        self.time_first = not getattr(self._modules[heard.calls[0].name], "batch_first", False)

    def take(self, *, step: int, epoch: float | None = None) -> Taken:
        """Run the model on the probe, and copy what its recurrent modules read, give and are.

        Args:
            step: how many steps the model has been trained.
            epoch: how many epochs, if the training counts them.
        """
        with self._trial.later():
            heard = self._pass()
        return Taken(step, epoch, self._modules, heard, self._chosen)

    def rests(self, taken: Taken) -> tuple[dict[str, Rest], str]:
        """The part of the model after each layer, on the weights that it has when that is run.

        Args:
            taken: what was read of the model.

        Returns:
            The rest of each layer that has one, by its name; and why others have none, in a
            sentence, or nothing.
        """
        return rests_of(
            self._modules,
            taken.heard,
            taken.snapshots(),
            lambda: self._forward(self._model, placed(self._probe, self._model)),
            self._watching,
        )

    @contextmanager
    def _watching(self) -> Iterator[None]:
        """While the context lasts, the model computes, and what it changes is put back."""
        tensors = [*self._model.parameters(), *self._model.buffers()]
        with self._trial.later(), inference(self._model, tensors), self._context():
            yield

    def _pass(self) -> Heard:
        model = self._model
        tensors = [*model.parameters(), *model.buffers()]
        probe = placed(self._probe, model)
        with inference(model, tensors), tapped(self._modules) as heard, self._context():
            result = self._forward(model, probe)
            if self._outputs:
                heard.outputs = heard.copies.of(outputs_of(result))
        return heard


@dataclass(frozen=True)
class TorchSource:
    """A model as it is at one moment of its training, for the recorder to capture.

    Attributes:
        reader: reads it.
        epoch: how many epochs have been done; None if the training has none.
    """

    reader: TorchReader
    epoch: float | None = None

    def rests(self, snapshots: Sequence[Snapshot]) -> tuple[dict[str, Rest], str]:
        """As of `TorchReader.rests`, on the weights as they are now."""
        return self.reader.rests(self.reader.take(step=0))

    def take(self, step: int) -> Taken:
        """Run the model on the probe; `step` is the training step."""
        return self.reader.take(step=step, epoch=self.epoch)


class _Refused:
    """Says that the model does not take the probe, when it raises anything."""

    def __init__(self, model: Module, probe: TorchInput) -> None:
        self._model, self._probe = model, probe

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        if isinstance(error, Exception) and not isinstance(error, LstmProbeError):
            raise LstmProbeError(
                f"Model {title(self._model)!r} does not take the probe. Received: a probe of shape "
                f"{shown(self._probe)}; the model says: {error}. Expected: what model(...) takes, "
                "such as x_train[:1]; a tuple holds its arguments, a dict its keyword arguments. "
                "forward= chooses another function, at='layer' the recurrent module itself."
            ) from error


def _forward(
    model: Module, forward: Forward | None, at: At, modules: Mapping[str, Module]
) -> Forward:
    if at not in ("model", "layer"):
        raise LstmProbeError(
            f"The place of the probe is not known. Received: at={at!r}. Expected: 'model' or "
            "'layer'."
        )
    if at == "layer":
        if forward is not None or len(modules) != 1:
            raise LstmProbeError(
                f"A probe of a layer needs one recurrent module. Received: at='layer' for "
                f"{', '.join(map(repr, modules))}"
                f"{'' if forward is None else ', and forward='}. Expected: no forward=, and the "
                "name of one module in layers."
            )
        (name,) = modules
        return lambda _, probe: called_with(modules[name], probe)
    if forward is None:
        return called_with
    if not callable(forward):
        raise LstmProbeError(
            f"forward is no function. Received: {forward!r}. Expected: a function of the model and "
            "the probe, such as lambda model, x: model.encode(x)."
        )
    return forward


def _base(name: str, owners: Mapping[str, str]) -> str:
    """The name of a strand without the number of its call."""
    return name if name in owners else name.rpartition("/call_")[0]
