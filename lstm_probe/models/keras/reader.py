"""Reading a Keras model: one forward pass on the probe, through the user's own layers."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from lstm_probe.analysis.rest import Rest
from lstm_probe.analysis.snapshot import Snapshot
from lstm_probe.core.arrays import Array
from lstm_probe.core.errors import LstmProbeError
from lstm_probe.models.keras.flavour import Model, Tensor, flavour_of
from lstm_probe.models.keras.forward import ForwardFunction, build, pass_through
from lstm_probe.models.keras.inputs import check_fits, fitted, is_pair
from lstm_probe.models.keras.layers import find_layers, listened_to, own_layers
from lstm_probe.models.keras.loops import unrolled
from lstm_probe.models.keras.outputs import outputs_of
from lstm_probe.models.keras.refusals import not_called, refused
from lstm_probe.models.keras.remarks import unheard
from lstm_probe.models.keras.sites import Site, sites_of
from lstm_probe.models.keras.taps import overlaid, tapped
from lstm_probe.models.probe import Probe
from lstm_probe.models.purity.trial import Trial

__all__ = ["KerasReader", "KerasSource", "Taken", "training_step"]


def training_step(model: Model) -> int | None:
    """How many steps the model has been trained; None if it has no optimizer to count them."""
    return StepReader()(model)


class StepReader:
    """Reads how many steps a model has been trained, again and again."""

    def __init__(self) -> None:
        self._variable: Any = None
        self._read: Callable[[], Any] = lambda: None
        self._to_array: Callable[[Any], Any] = np.asarray

    def __call__(self, model: Model) -> int | None:
        """None if the model has no optimizer to count its steps."""
        optimizer = getattr(model, "optimizer", None)
        if optimizer is None:
            return None
        variable = optimizer.iterations
        if variable is not self._variable:
            flavour = flavour_of(model)
            self._variable, self._read = variable, flavour.reader(variable)
            self._to_array = flavour.to_array
        return int(self._to_array(self._read()))


@dataclass(frozen=True)
class Taken:
    """What was taken hold of at one training step: the weights, and the pass to run on them.

    Attributes:
        step: the training step of the weights.
        epoch: how many epochs had been done then; None if the training has none.
        sites: where the model calls its recurrent layers.
        weights: the values of the model's variables, by the variables' ids.
        compute: runs the model on the probe with these weights, on any thread. Its results are, for
            each call, what `Site.read` takes.
        remarks: what a reader of the log should know of the layers, by name: why a layer is not
            shown, or not as a whole. It is complete when the snapshots have been made.
        outputs: what the model itself gave for the probe, by the name of the output. It is there
            when the snapshots have been made, where the reader was told to listen to it.
    """

    step: int
    epoch: float | None
    sites: Sequence[Site]
    weights: Mapping[int, Tensor]
    compute: Callable[[], Any]
    remarks: dict[str, str]
    outputs: dict[str, Array] = field(default_factory=dict)

    def snapshots(self) -> list[Snapshot]:
        """Run the pass, and make a snapshot of each sequence of each layer, in their order."""
        results, found = self.compute(), list[Snapshot]()
        for site in self.sites:
            snapshots, remarks = site.read(self.step, self.epoch, results, self.weights)
            found += snapshots
            self.remarks.update(remarks)
        self.outputs.update({name: np.asarray(each) for name, each in results[-1].items()})
        if not found:
            raise LstmProbeError(
                f"Nothing recurrent ran on the probe. Received: {self.remarks}. Expected: a probe "
                "on which the model runs its recurrent layers."
            )
        return found


class KerasReader:
    """Reads the recurrent layers of one model for one probe.

    The forward pass leaves no trace: neither dropout's seeds nor the states of stateful layers
    move. It is traced once.

    Args:
        model: the model; one that has no variables yet is built, as its first batch would.
        probe: as `as_probe` returns it, ragged ones included.
        layers: names of layers, or None for all.
        forward: how to run the model on the probe; None to call it.
        outputs: whether what the model itself gives for the probe is kept too.

    Attributes:
        step: reads how many steps the model has been trained.
        probe: the inputs, as the model takes them.
        targets: the second part of a probe that was a pair of inputs and targets; None for others.

    Raises:
        LstmProbeError: there is no such layer, or the model does not take the probe.
    """

    def __init__(
        self,
        model: Model,
        probe: Probe,
        layers: Sequence[str] | None,
        forward: ForwardFunction | None = None,
        *,
        outputs: bool = False,
    ) -> None:
        self.step = StepReader()
        self._flavour = flavour_of(model)
        self._flavour.check()
        trial = self._flavour.trial(model)
        self._pass = pass_through(model, forward)
        self.targets: Any = None
        if forward is None:
            self.targets = probe[1] if is_pair(model, probe) else None
            probe = fitted(model, probe)
            check_fits(model, probe)
        with refused(model, probe), _noted(trial, model):
            build(model, probe, forward, trial)
        self._model = weakref.ref(model)
        self._optimizer = getattr(model, "optimizer", None)
        self.probe, self._chosen, self._outputs = probe, layers, outputs
        self._trace(model, trial)

    def _trace(self, model: Model, trial: Trial) -> None:
        probe = self.probe
        self._layers = find_layers(model, self._chosen)
        self._variables = list(model.variables)  # held on to, so that no other takes on their ids
        self._ids = [id(variable) for variable in self._variables]
        self._sites: list[Site] = []
        self._unheard: dict[str, str] = {}
        trace = self._flavour.trace

        def alone(tensors: Any) -> Any:
            self._pass(model, tensors)
            return []

        with (
            refused(model, probe, lambda: trace(model, alone, probe, trial)),
            trial.without_calls(),
        ):
            self._run = trace(model, lambda tensors: self._listen(model, tensors), probe, trial)
        if not self._sites:
            raise not_called(model, own_layers(model, self._layers))
        probed = {id(v): v for site in self._sites for v in site.description.variables}
        self._needed = set(probed)
        self._readers = [self._flavour.reader(variable) for variable in probed.values()]

    def weights(self) -> list[Array]:
        """The weights of the layers that are read, as they are now."""
        return [self._flavour.to_array(read()) for read in self._readers]

    def reads(self, model: Model) -> bool:
        """Whether this is the model that was traced, as it was: a model that was compiled anew or
        has other variables may compute something else."""
        seen: Model = self._model()
        if seen is None or seen is not model:
            return False
        same_optimizer = getattr(model, "optimizer", None) is self._optimizer
        return same_optimizer and [id(v) for v in model.variables] == self._ids

    def read(self, model: Model, *, step: int) -> list[Snapshot]:
        """A snapshot of each call of each layer, in the order in which the model runs them.

        Raises:
            LstmProbeError: the model is no longer the one that the reader was made for.
        """
        return self.take(model, step=step).snapshots()

    def take(self, model: Model, *, step: int, epoch: float | None = None) -> Taken:
        """Take hold of the weights as they are now. Nothing is computed yet where the backend can
        compute with these weights later.

        A model that has got more variables since it was traced, as from a head that was called for
        the first time, is traced anew.

        Args:
            model: the model as it is now.
            step: how many steps it has been trained.
            epoch: how many epochs, if the training counts them.

        Raises:
            LstmProbeError: the model is no longer the one that the reader was made for.
        """
        ids = {id(variable) for variable in model.variables}
        if not ids.issuperset(self._ids):
            raise LstmProbeError(
                f"Model {model.name!r} has been rebuilt. Received: other variables than when "
                "training began. Expected: the same ones."
            )
        if len(ids) > len(self._ids):
            self._trace(model, self._flavour.trial(model))
        compute, values = self._run(self._needed)
        weights = dict(zip(self._ids, values, strict=True))
        return Taken(step, epoch, self._sites, weights, compute, dict(self._unheard))

    def rests(self, model: Model, snapshots: Sequence[Snapshot]) -> tuple[dict[str, Rest], str]:
        """The part of the model after each layer, on the weights that it has now.

        Args:
            model: the model.
            snapshots: what was seen of its layers.

        Returns:
            The rest of each layer that has one, by its name; and why others have none, in a
            sentence, or nothing.
        """
        from lstm_probe.models.keras.rest import rests_of  # few trainings ask for it

        def run() -> Any:
            return self._pass(model, self._flavour.tensors(self.probe))

        return rests_of(model, self._sites, snapshots, run, self._flavour.trial(model))

    def _listen(self, model: Model, probe: Any) -> Any:
        layers = listened_to(model, self._layers)
        with tapped(layers) as heard:
            result = self._pass(model, probe)
        if heard.missed:
            with unrolled(self._flavour), tapped(layers) as heard:
                result = self._pass(model, probe)
        self._sites = sites_of(model, self._layers, heard.calls)
        self._unheard = unheard(own_layers(model, self._layers), heard)
        outputs = outputs_of(result) if self._outputs else {}
        return [*(call.tensors() for call in heard.calls), outputs]


@dataclass(frozen=True)
class KerasSource:
    """A model as it is at one moment of its training, for the recorder to capture.

    Attributes:
        reader: reads it.
        model: the model. It is looked up anew for each capture: on JAX, layers that were held on to
            since the training began are no longer those that are trained.
        epoch: how many epochs have been done; None if the training has none.
    """

    reader: KerasReader
    model: Model
    epoch: float | None

    def rests(self, snapshots: Sequence[Snapshot]) -> tuple[dict[str, Rest], str]:
        """As of `KerasReader.rests`."""
        return self.reader.rests(self.model, snapshots)

    def take(self, step: int) -> Taken:
        """Take hold of the weights; `step` is the training step."""
        return self.reader.take(self.model, step=step, epoch=self.epoch)


@contextmanager
def _noted(trial: Trial, model: Model) -> Iterator[None]:
    """While the context lasts, each call of the model is noted: the last one comes after all that
    builds it."""
    call = flavour_of(model).call(model)

    def noting(*args: Any, **kwargs: Any) -> Any:
        trial.note()
        return call(*args, **kwargs)

    with overlaid(model, noting):
        yield
