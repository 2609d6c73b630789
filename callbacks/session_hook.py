"""`ProbeHook`: the probe for training loops that call `session.run`."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

import tensorflow as tf

from lstm_probe.analysis.alerts.board import OnAlert
from lstm_probe.analysis.analysis import Analysis
from lstm_probe.callbacks.recording.options import Options, check_kept_apart
from lstm_probe.callbacks.recording.shown import ShownInNotebooks
from lstm_probe.callbacks.schedule import Every, StepWatch
from lstm_probe.core.errors import LstmProbeError
from lstm_probe.core.switch import is_switched_on
from lstm_probe.core.warn import warn
from lstm_probe.logs.detail import MAX_BYTES, Detail
from lstm_probe.logs.report import Report
from lstm_probe.models.decoding import Decode
from lstm_probe.models.given_labels import GivenLabels, as_labels_of_feeds
from lstm_probe.models.session.feeds import checked_feeds, data_of_feeds, joined_feeds
from lstm_probe.models.session.reader import (
    SessionReader,
    SessionSource,
    check_session,
    graph_of,
)
from lstm_probe.models.session.runs import Run, as_run
from lstm_probe.models.targets import only_targets

if TYPE_CHECKING:
    from lstm_probe.callbacks.recording.recorder import Recorder

__all__ = ["ProbeHook"]

_log = logging.getLogger(__name__)


class ProbeHook(ShownInNotebooks, tf.compat.v1.train.SessionRunHook):
    """Shows in TensorBoard, while a session trains, every gate of a recurrent cell.

    In a `MonitoredTrainingSession(hooks=[hook])` it captures before the first step, whenever the
    global step crosses a multiple of `every`, and at the end. In a loop of your own, call
    `after_step(session, step)` after each training step and `end(session)` after the last one.
    Each capture runs the cell on the probe in a `session.run` of its own, after the update, and
    recomputes every gate with NumPy; the parity error is the largest difference between NumPy's
    hidden states and TensorFlow's.

    The training is not changed. Random ops that the outputs depend on are copied, so that their
    generators stay where they are. The probe runs without `tf.nn.dropout`, noise that is added, and
    a `DropoutWrapper` with a fixed keep probability; where a keep probability is a placeholder,
    `feed_dict` has to feed it 1.0. What stays random of the probe is said in `report`, and so are
    recurrent cells of the graph that no trace shows.

    In distributed training, give it to `chief_only_hooks`.

    Args:
        cell: a `BasicLSTMCell`, `LSTMCell`, `GRUCell` or `BasicRNNCell` of
            `tf.compat.v1.nn.rnn_cell`, also inside `MultiRNNCell` (each cell has a trace of its
            own) and wrappers, such as one of your own with attention; `(cell_fw, cell_bw)` for two
            directions; a `FusedCell`; a Keras 3 layer.
        inputs: the tensor that the cell was run on, or the list of tensors, one for each step:
            also those of a loop of yours that calls the cell.
        outputs: what `dynamic_rnn`, `static_rnn`, `bidirectional_dynamic_rnn`,
            `static_bidirectional_rnn` or the layer gave for it, without the states.
        feed_dict: the probe, for the tensors that it is fed to: `{x: x_test[:1]}`. Several probes
            are `{x: lstm_probe.Probes(train=x[:8], validation=x_val[:8])}`; everything that is fed
            by sequence is then such `Probes`, of the same names.
        log_dir: the logs go to `<log_dir>/lstm_probe`.
        every: as `ProbeCallback` takes it.
        time_major: as `dynamic_rnn` was given it.
        sequence_length: likewise.
        initial_state: likewise; a pair for two directions.
        detail: as `ProbeCallback` takes it, and so are the options that follow.
        on_alert: `"stop"` asks a monitored session to stop.
        max_overhead: the part of the training's time that captures may take.
        background: whether another thread does what follows the session's run on the probe.
        labels: a name for each timestep of the probe; one list for all sequences, or one for each.
        names: a name for each sequence of the probe.
        decode: makes the labels from the tokens that are fed.
        max_log_bytes: how large the log may grow.
        targets: what the model is to give for the probe, one for each sequence.
        log_data: False keeps what is fed, and the targets, out of the log.
        write_images: deprecated.
        enabled: False turns the hook into nothing.

    Raises:
        LstmProbeError: on construction or before the first step, if something does not fit. Later
            nothing is raised, also not when another session begins: what fails is warned of and
            counted.

    Example:
        >>> import keras, numpy as np, tempfile
        >>> with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        ...     x = tf.compat.v1.placeholder(tf.float32, [None, 5, 1])
        ...     cell = keras.layers.LSTM(3, return_sequences=True, name="memory")
        ...     outputs, probe = cell(x), {x: np.ones((1, 5, 1))}
        ...     hook = ProbeHook(
        ...         cell, inputs=x, outputs=outputs, feed_dict=probe, log_dir=tempfile.mkdtemp()
        ...     )
        ...     _ = session.run(tf.compat.v1.global_variables_initializer())
        ...     hook.after_step(session, 0)
        ...     hook.end(session)
        >>> hook.analyses["memory"].trace.f.shape
        (1, 5, 3)
    """

    def __init__(
        self,
        cell: Any,
        *,
        inputs: Any,
        outputs: Any,
        feed_dict: Mapping[Any, Any],
        log_dir: str | PathLike[str],
        every: Every = 100,
        time_major: bool = False,
        sequence_length: Any = None,
        initial_state: Any = None,
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
        write_images: bool | None = None,
        enabled: bool = True,
    ) -> None:
        super().__init__()
        self._recorder: Recorder | None = None
        if not is_switched_on(enabled):
            return
        from lstm_probe.callbacks.recording.recorder import Recorder  # TensorBoard, matplotlib

        self._cell = cell
        self._run: Run = as_run(inputs, outputs, time_major, sequence_length, initial_state)
        self._graph = graph_of(self._run)
        fed = joined_feeds(feed_dict, time_major=self._run.time_major)
        self._feeds = checked_feeds(self._graph, fed.feeds)
        self._watch = StepWatch(every, self._read_step, steady=True)
        # A session, and what reads its global step in half the time of `run`.
        self._step_reader: tuple[Any, Callable[[], Any]] = (None, int)
        options = Options(
            detail=detail,
            on_alert=on_alert,
            max_overhead=max_overhead,
            background=background,
            labels=as_labels_of_feeds(
                self._feeds.values(),
                labels,
                names=names,
                decode=decode,
                time_major=self._run.time_major,
                groups=fed.groups,
                texts=log_data is True,
            ),
            max_log_bytes=max_log_bytes,
            log_data=log_data,
            write_images=write_images,
        )
        check_kept_apart(log_data, decode)
        self._data = data_of_feeds(
            self._feeds,
            only_targets(fed.targets, targets),
            time_major=self._run.time_major,
            groups=fed.groups,
        )
        self._recorder = Recorder(log_dir, options)
        self._reader: SessionReader | None = None
        self._session: Any = None
        self._global_step: Any = None
        self._started = False
        # Steps: the first one, the last one captured, and the one that after_step was given.
        self._first = self._last = self._given = 0
        self._runs = 0

    @property
    def log_dir(self) -> Path | None:
        """Where the training's logs are; None of a probe that is switched off."""
        return None if self._recorder is None else self._recorder.log_dir

    @property
    def analyses(self) -> dict[str, Analysis]:
        """What the latest capture showed, by the name of the cell."""
        return {} if self._recorder is None else self._recorder.analyses

    @property
    def report(self) -> Report:
        """What has been captured so far; printed, it is a table."""
        return Report() if self._recorder is None else self._recorder.report

    def begin(self) -> None:
        """Add all ops that the captures need; the session calls it before the graph is final.

        Raises:
            LstmProbeError: something does not fit.
        """
        if self._recorder is None:
            return
        self._started = False
        if self._recorder.has_begun:
            self._recorder.guard.run("preparing another session", self._prepare)
        else:
            self._prepare()

    def after_create_session(self, session: Any, coord: Any) -> None:
        """Check everything, and capture before the first step; or go on after a recovery.

        Raises:
            LstmProbeError: something does not fit.
        """
        if self._recorder is None:
            return
        self._session = session
        if self._started:
            # A recovered session trains some steps again; their points are in the log already.
            self._recorder.guard.run("reading the global step", self._watch.start)
        elif self._recorder.has_begun:
            self._recorder.guard.run("beginning another session", self._start_counted)
        else:
            self._start_counted()

    def after_run(self, run_context: Any, run_values: Any) -> None:
        """Capture if the global step has crossed a multiple of `every`."""
        if self._recorder is None or not self._started:
            return
        self._runs += 1
        if self._watch.is_time():
            self._session = run_context.session
            step = self._recorder.guard.run("reading the global step", self._watch.look)
            if step is not None:
                self._capture(step)
        if self._recorder.asks_to_stop():
            run_context.request_stop()

    def after_step(self, session: Any, step: int, logs: Mapping[str, Any] | None = None) -> None:
        """The hook for a loop of your own: capture if `step` has crossed a multiple of `every`.

        The first call checks everything and captures in any case. Make it before the first
        training step, with step 0, to see the initial weights and to have mistakes reported early.

        Args:
            session: the session that trains.
            step: how many training steps have been done.
            logs: the loss and other numbers of this step, by name.

        Raises:
            LstmProbeError: in the first call, something does not fit; after an `end`, nothing is
                raised.
        """
        if self._recorder is None:
            return
        self._session = session
        training = self._recorder.training
        self._recorder.guard.run("noting what is logged", lambda: training.given(logs))
        if self._started:
            self._recorder.guard.run("looking at the step", lambda: self._look(int(step)))
            self._recorder.asks_to_stop()
        elif self._recorder.has_begun:
            self._recorder.guard.run("beginning anew", lambda: self._start_given(int(step)))
        else:
            self._start_given(int(step))

    def end(self, session: Any) -> None:
        """Capture the final weights, and close the log."""
        if self._recorder is None or not self._started:
            return
        self._session = session
        step = self._recorder.guard.run("reading the training step", self._read_step)
        if step is not None:
            self._warn_if_stuck(step)
            self._capture(step, last=True)
        self._started = False
        self._session, self._step_reader = None, (None, int)
        self._recorder.close()

    def _prepare(self) -> None:
        self._global_step = tf.compat.v1.train.get_global_step(self._graph)
        if self._reader is None:
            self._reader = self._make_reader()

    def _make_reader(self) -> SessionReader:
        try:
            return SessionReader(self._cell, self._run, self._feeds)
        except RuntimeError as error:
            if not self._graph.finalized:
                raise
            raise LstmProbeError(
                f"The graph takes no more ops. Received: a finalized graph ({error}). Expected: "
                "one that is still open. Make the hook, and call hook.begin(), before "
                "graph.finalize()."
            ) from error

    def _start_counted(self) -> None:
        """Begin in a session whose graph counts the steps."""
        if self._global_step is None:
            raise LstmProbeError(
                "The graph has no global step. Received: none. Expected: the step that the "
                "training counts. Pass global_step=tf.compat.v1.train.get_or_create_global_step() "
                "to optimizer.minimize."
            )
        self._start(self._watch.start())

    def _start_given(self, step: int) -> None:
        """Begin in a loop of the user's own, which counts the steps."""
        if self._reader is None:
            self._prepare()
        self._global_step = None
        self._given = step
        self._start(self._watch.start())

    def _start(self, step: int) -> None:
        assert self._recorder is not None
        check_session(self._session, self._graph)
        self._first = self._last = step
        self._runs = 0
        self._recorder.start(step, self._source(check=True), self._data)
        self._started = True

    def _look(self, step: int) -> None:
        self._given = max(step, self._given)
        if self._watch.crossed(step):
            self._capture(step)

    def _capture(self, step: int, *, last: bool = False) -> None:
        # TensorBoard hides what lies before a step that went back.
        assert self._recorder is not None
        if step > self._last or (last and step == self._last):
            self._last = step
            self._recorder.capture(step, self._source(), last=last)

    def _source(self, *, check: bool = False) -> SessionSource:
        assert self._reader is not None
        return SessionSource(self._reader, self._session, self._global_step, check)

    def _read_step(self) -> int:
        if self._global_step is None:
            return self._given
        session, read = self._step_reader
        if session is not self._session:  # the first, or one that was recovered
            read = self._session.make_callable(self._global_step)
            self._step_reader = self._session, read
        return int(read())

    def _warn_if_stuck(self, step: int) -> None:
        if self._global_step is not None and step == self._first and self._runs > 1:
            warn(
                _log,
                "lstm_probe captured nothing after the first step: the global step stayed at %d "
                "during %d runs. Pass global_step=tf.compat.v1.train.get_or_create_global_step() "
                "to optimizer.minimize.",
                step,
                self._runs,
            )
