"""`ProbeCallback`: the probe for `model.fit`, of Keras 3 and of tf_keras (Keras 2)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lstm_probe.analysis.alerts.board import OnAlert
from lstm_probe.analysis.analysis import Analysis
from lstm_probe.analysis.explained import Explained
from lstm_probe.callbacks.keras_config import (
    current,
    described_probe,
    described_schedule,
    probe_from,
    schedule_from,
)
from lstm_probe.callbacks.recording.options import Options, check_kept_apart
from lstm_probe.callbacks.recording.shown import ShownInNotebooks
from lstm_probe.callbacks.recording.steps import TrainingSteps
from lstm_probe.callbacks.schedule import Every, StepWatch
from lstm_probe.core.switch import is_switched_on
from lstm_probe.logs.detail import MAX_BYTES, Detail
from lstm_probe.logs.report import Report
from lstm_probe.models.decoding import Decode
from lstm_probe.models.given_labels import GivenLabels, as_labels
from lstm_probe.models.keras.flavour import callback_class, deserialised, flavour_of, registered
from lstm_probe.models.keras.forward import ForwardFunction
from lstm_probe.models.keras.reader import KerasReader, KerasSource
from lstm_probe.models.keras.refusals import check_forward
from lstm_probe.models.named_probes import Probes
from lstm_probe.models.probe import Probe, given_probe
from lstm_probe.models.probe_data import data_of_probe
from lstm_probe.models.targets import only_targets

__all__ = ["ProbeCallback"]

if TYPE_CHECKING:
    from keras.callbacks import Callback

    from lstm_probe.callbacks.recording.recorder import Recorder
else:
    Callback = callback_class()


@registered
class ProbeCallback(ShownInNotebooks, Callback):
    """Shows in TensorBoard, while `model.fit` runs, every gate of a model's recurrent layers.

    The same callback serves models of Keras 3 (`keras`, `tf.keras`) and of Keras 2 (`tf_keras`, or
    `tf.keras` where `TF_USE_LEGACY_KERAS=1`). Where several workers train together, the chief
    captures and the others do nothing.

    Captures before the first training step, whenever `optimizer.iterations` crosses a multiple of
    `every`, and at the end of `fit`. Each capture reads the weights, lets the model compute the
    probe, recomputes every gate with NumPy, and logs pictures, histograms and the parity error: the
    largest difference between NumPy's hidden states and the model's own. The training is not
    changed: weights, losses, states and random numbers are bit for bit those without the probe.

    A callback that is given to `fit` again and again sees all of it as one training with one log.
    The ends of later fits are captured as `max_overhead` allows; `close` captures the last weights
    of all.

    Args:
        probe: a fixed input for the model, `(batch, time, features)` or what else it takes: the
            same sequence is looked at every time. Pictures show the first of the batch,
            statistics all. Arrays and tensors of any framework, strings, tables of pandas' and
            paths of `.npy` and `.npz` files are taken; a list or dictionary of them for a model
            with several inputs, or whose `call` has several arguments; sequences of different
            lengths, where the model masks padding or takes ragged tensors. Of a
            `tf.data.Dataset`, a `PyDataset` or a `DataLoader`, the inputs of the first batch are
            taken; targets of a batch or of a tuple `(inputs, targets)` are shown beside what the
            model gives. Several probes, such as some of the training and some of the validation,
            are told apart as `lstm_probe.Probes(train=(x[:8], y[:8]), validation=(x_val[:8],
            y_val[:8]))`.
        log_dir: the logs go to `<log_dir>/lstm_probe`.
        every: the interval between captures, in training steps; or a schedule, such as
            `lstm_probe.callbacks.schedule.Logarithmic()`, or a function that tells for a step
            whether to capture.
        layers: which layers, by name; all recurrent layers by default.
        detail: how much is logged. `"scalars"`: the numbers. `"explorer"`: also every gate of every
            timestep, for the tab Gates. `"gates"`: also heatmaps of them, for the tab Images.
            `"full"`: also the weights, the gates in float32 (otherwise in float16, which has three
            digits), and pictures of saturation and of gradients.
        on_alert: what to do when a layer falls ill (saturated gates, a vanishing gradient, NaN, a
            parity mismatch and others): `"log"` a warning, log it and `"stop"` the training after
            the current batch if its loss stands still too, or a function that is called with the
            `Alert`; or `lstm_probe.AlertRules`, which also set thresholds and choose rules. An
            alert is raised when an illness has been seen at three captures in a row, and again
            only after it has cleared.
        max_overhead: the part of the training's time that captures may take: the interval is
            stretched where they would take more. Two seconds in all are always allowed. None for
            no limit.
        background: whether the training only waits while the weights are read, and another thread
            does the rest of a capture. That shortens the wait, but it is the same work for the
            processor.
        labels: a name for each timestep of the probe, such as the words of a sentence: one list
            for all sequences, or one list for each, of which shorter ones are padded as the probe
            is. They stand on the axes of the tab Gates and of pictures, and in what is exported.
        names: a name for each sequence of the probe.
        decode: makes the labels from the tokens of the probe, in place of `labels`: a vocabulary
            (a list of words, or a dict of words by number), a function that gives the word for a
            number, or the model's own `StringLookup` or `TextVectorization` layer.
        max_log_bytes: how large the log may grow, 1 GiB by default; from there on only numbers are
            logged. None for no limit.
        targets: what the model is to give for the probe: classes as whole numbers, or values, one
            for each sequence, with the batch first; a dict or a list of them for several outputs.
            They stand beside what the model gives, in the tab Gates. A tuple `(inputs, targets)` as
            the probe says the same where the model takes one input.
        log_data: whether the probe's inputs and targets are logged, once, and what the model gives
            for it at each capture; of texts, their words as labels and names. False keeps them out
            of a log that is sent around.
        analyses: what to work out of the layers at the end of the training: some of `ablation`,
            `tracking`, `attribution`, `need`, `stability` and `geometry`, as `lstm_probe.explain`
            does. It is logged in sentences, drawn in the view Computes of the tab Gates, and kept
            in `explained`. A probe of several sequences says more.
        analyses_every: at every how many captures the analyses are made too, the first among them,
            as `max_overhead` allows; the training waits for them. None, the default, makes them at
            the end alone.
        forward: how to run the model on the probe, for a model that has no `call` or whose
            training calls it in another way: a function of the model and the probe, such as
            `lambda model, probe: model.generator(probe)`. By default the model is called, with
            `training=False`.
        write_images: deprecated: `detail` says whether heatmaps are drawn.
        enabled: False turns the callback into nothing, as `LSTM_PROBE=off` in the environment does
            with every callback and hook: nothing is checked, imported, captured or logged.

    Raises:
        LstmProbeError: on construction or when training begins, before the first step, if
            something does not fit. Later nothing is raised, also not when another `fit` begins:
            what fails is warned of and counted.

    Example:
        >>> import keras, numpy as np, tempfile
        >>> model = keras.Sequential([keras.Input((5, 1)), keras.layers.LSTM(3, name="memory")])
        >>> model.compile("adam", "mse")
        >>> x, y, log_dir = np.ones((8, 5, 1)), np.ones((8, 3)), tempfile.mkdtemp()
        >>> probe = ProbeCallback(x[:1], log_dir, every=1)
        >>> history = model.fit(x, y, batch_size=4, verbose=0, callbacks=[probe])
        >>> probe.report.captured, probe.analyses["memory"].trace.f.shape
        (3, (1, 5, 3))
    """

    # What tf_keras asks of its callbacks; Keras 3 does not ask.
    _supports_tf_logs = True  # the logs are converted where they are read, at captures
    _chief_worker_only = None

    def __init__(
        self,
        probe: Probe,
        log_dir: str | PathLike[str],
        *,
        every: Every = 100,
        layers: Sequence[str] | None = None,
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
        forward: ForwardFunction | None = None,
        write_images: bool | None = None,
        enabled: bool = True,
    ) -> None:
        super().__init__()
        self._config: dict[str, Any] = {
            "log_dir": str(log_dir),
            "every": described_schedule(every),
            "layers": layers,
            "detail": detail,
            "on_alert": on_alert,
            "max_overhead": max_overhead,
            "background": background,
            "labels": labels,
            "max_log_bytes": max_log_bytes,
        }
        if names is not None:
            self._config["names"] = names
        if decode is not None:
            self._config["decode"] = decode
        if targets is not None:
            self._config["targets"] = targets
        if not log_data:
            self._config["log_data"] = False
        if analyses:
            self._config["analyses"] = list(analyses)
        if analyses_every is not None:
            self._config["analyses_every"] = analyses_every
        if forward is not None:
            self._config["forward"] = forward
        if write_images is not None:
            self._config["write_images"] = write_images
        if not enabled:
            self._config["enabled"] = False
        self._probe = probe
        self._named = probe if isinstance(probe, Probes) else None
        self._is_watching = False
        self._recorder: Recorder | None = None
        self._reader: KerasReader | None = None
        if not is_switched_on(enabled):
            return
        from lstm_probe.callbacks.recording.recorder import Recorder  # TensorBoard, matplotlib

        given = given_probe(probe, ragged=True)
        self._probe, self._groups = given.inputs, given.groups
        self._targets = only_targets(given.targets, targets)
        if given.groups:
            self._named = Probes(given.parts)
        elif self._targets:
            self._config["targets"] = self._targets
        found = as_labels(
            self._probe,
            labels,
            names=names,
            decode=decode,
            groups=given.groups,
            texts=log_data is True,
        )
        if found is not None and self._config.pop("decode", None) is not None:
            # What decodes may be a function, which a configuration cannot hold.
            self._config["labels"] = [list(row) for row in found.rows]
        check_forward(forward)
        self._forward = forward
        self._layers = [layers] if isinstance(layers, str) else layers
        self._watch = StepWatch(every, self._read_step, steady=True)
        options = Options(
            detail=detail,
            on_alert=on_alert,
            max_overhead=max_overhead,
            background=background,
            labels=found,
            max_log_bytes=max_log_bytes,
            log_data=log_data,
            analyses=analyses,
            analyses_every=analyses_every,
            write_images=write_images,
        )
        check_kept_apart(log_data, decode)
        self._logs_data = options.data
        self._recorder = Recorder(log_dir, options)
        self._steps = TrainingSteps()
        # The index of the last batch that was trained: it tells the steps of an execution, but
        # begins anew with each epoch, and overshoots its end.
        self._batch = -1
        self._in_a_loop = False
        self._given_step: int | None = None
        self._epoch: int | None = None

    def get_config(self) -> dict[str, Any]:
        """What the callback was made with, as `keras.saving.serialize_keras_object` wants it.

        Example:
            >>> import keras, numpy as np
            >>> probe = ProbeCallback(np.ones((1, 5, 1)), "logs", every=10)
            >>> again = keras.saving.deserialize_keras_object(
            ...     keras.saving.serialize_keras_object(probe)
            ... )
            >>> again.get_config()["every"], again.get_config()["probe"].shape
            (10, (1, 5, 1))
        """
        held = self._probe if self._named is None else self._named
        return {"probe": described_probe(held), **self._config}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> ProbeCallback:
        """A callback that is made as `get_config` says."""
        given = {name: deserialised(value) for name, value in config.items()}
        probe, every = probe_from(given["probe"]), schedule_from(given["every"])
        return cls(**{**current(given), "probe": probe, "every": every})

    @property
    def log_dir(self) -> Path | None:
        """Where the training's logs are; None of a probe that is switched off."""
        return None if self._recorder is None else self._recorder.log_dir

    @property
    def analyses(self) -> dict[str, Analysis]:
        """What the latest capture showed, by layer name."""
        return {} if self._recorder is None else self._recorder.analyses

    @property
    def explained(self) -> Mapping[str, Explained]:
        """What the layers compute at the end of the training, by name, as `analyses` asked."""
        return {} if self._recorder is None else self._recorder.explained

    @property
    def report(self) -> Report:
        """What has been captured so far; printed, it is a table."""
        return Report() if self._recorder is None else self._recorder.report

    def step(
        self, model: Any, step: int | None = None, *, logs: Mapping[str, Any] | None = None
    ) -> None:
        """For training loops without `fit`: to be called before the first step and after each.

        The first call checks everything, as the beginning of `fit` does, and captures; later ones
        capture when it is due. `close` ends it.

        Args:
            model: the model, which may have been trained by `train_on_batch` or in any other way.
            step: how many steps it has been trained; by default its optimizer's count, or that of
                the calls if it has none.
            logs: the loss and other numbers of this step, by name: they are logged beside the
                gates, and tell whether an illness holds the training up.

        Raises:
            LstmProbeError: at the first call only, if something does not fit; after a `close`,
                nothing.

        Example:
            >>> import keras, numpy as np, tempfile
            >>> model = keras.Sequential([keras.Input((5, 1)), keras.layers.LSTM(3, name="lstm")])
            >>> model.compile("adam", "mse")
            >>> x, y = np.ones((8, 5, 1)), np.ones((8, 3))
            >>> probe = ProbeCallback(x[:1], tempfile.mkdtemp(), every=2)
            >>> probe.step(model)
            >>> for _ in range(4):
            ...     loss = model.train_on_batch(x, y)
            ...     probe.step(model)
            >>> probe.close()
            >>> probe.report.captured
            3
        """
        if self._recorder is None:
            return
        self._given_step = step
        if self._in_a_loop:
            self._recorder.training.given(logs)
            self._train(0)
            return
        self.set_model(model)
        self._begin_training(epoch=None)
        self._in_a_loop = True

    def close(self) -> None:
        """Capture the last weights, if that has not been done, and close the log: after a loop of
        calls of `step`, or of fits that share the callback."""
        if self._recorder is None or self._reader is None:
            return
        step = self._recorder.guard.run("reading the training step", self._read_step)
        if step is not None:
            self._recorder.finish(step, self._source)
        self._recorder.close()
        self._is_watching = self._in_a_loop = False
        self._reader = self._given_step = None

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Check everything, and capture before the first step."""
        self._begin_training(epoch=0)

    def _begin_training(self, epoch: int | None) -> None:
        if self._recorder is None:
            return
        self._epoch, self._batch, self._is_watching = epoch, -1, False
        if self._recorder.has_begun:
            self._recorder.guard.run("beginning another fit", self._begin)
        else:
            self._begin()

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Take note of the epoch."""
        self._epoch, self._batch = epoch, -1

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Capture if the step has crossed a multiple of `every`."""
        if self._recorder is not None:
            self._recorder.training.running(logs, batch + 1)
        self._train(batch)

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Take note of what the validation has found."""
        if self._recorder is not None:
            self._recorder.training.validated(logs)

    def _train(self, batch: int) -> None:
        if self._recorder is None or not self._is_watching:
            return
        trained = batch - self._batch if batch > self._batch else batch + 1
        self._batch = batch
        self._steps.train(trained)
        if self._watch.is_time(trained) or self._given_step is not None:
            step = self._recorder.guard.run("reading the training step", self._look)
            if step is not None:
                self._recorder.capture(step, self._source)
        if self._recorder.asks_to_stop():
            self.model.stop_training = True

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        """Capture the final weights, and close the log until the next `fit`."""
        if self._recorder is None or not self._is_watching:
            return
        step = self._recorder.guard.run("reading the training step", self._read_step)
        if step is not None:
            self._recorder.capture(step, self._source, last=True)
        self._is_watching = False
        self._recorder.close()

    def __getstate__(self) -> dict[str, Any]:
        """A copy reads its own model: what this one has traced stays here."""
        return {**self.__dict__, "_reader": None, "_is_watching": False}

    def _implements_train_batch_hooks(self) -> bool:
        return True

    def _implements_test_batch_hooks(self) -> bool:
        return False

    def _implements_predict_batch_hooks(self) -> bool:
        return False

    def _begin(self) -> None:
        assert self._recorder is not None
        flavour = flavour_of(self.model)
        flavour.check()
        if not flavour.is_chief(self.model):
            return
        if self._reader is None or not self._reader.reads(self.model):
            self._reader = KerasReader(
                self.model, self._probe, self._layers, self._forward, outputs=self._logs_data
            )
        self._steps.begin(self._reader.step(self.model), self._reader.weights)
        targets = only_targets(self._reader.targets, self._targets)
        data = data_of_probe(self._reader.probe, targets, self._groups)
        step = self._watch.start()
        if step > 0:
            self._epoch = None  # how many there have been is said only when the next one begins
        self._recorder.start(step, self._source, data)
        self._is_watching = True

    @property
    def _source(self) -> KerasSource:
        assert self._reader is not None
        return KerasSource(self._reader, self.model, self._epochs_done)

    def _look(self) -> int | None:
        """The step if a capture is due."""
        step = self._given_step
        if step is None:
            return self._watch.look()
        return step if self._watch.crossed(step) else None

    @property
    def _epochs_done(self) -> float | None:
        """With the part of the epoch that is under way, where its length is known."""
        if self._epoch is None:
            return None
        batches = (self.params or {}).get("steps")  # not known of a generator's first epoch
        return self._epoch + (min((self._batch + 1) / batches, 1.0) if batches else 0.0)

    def _read_step(self) -> int:
        if self._given_step is not None:
            return self._given_step
        assert self._reader is not None
        return self._steps.now(self._reader.step(self.model), self._reader.weights)
