"""A trial pass: what it changes in Python is put back, and looked after in all later passes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any, TypeAlias

from lstm_probe.core.errors import LstmProbeError
from lstm_probe.models.purity.kept import Kept, Names, has_changed, is_restored
from lstm_probe.models.purity.random_states import RandomStates, restored
from lstm_probe.models.purity.walk import Keeper, Walk

__all__ = ["Look", "Trial"]

#: Shows a walk where a framework's own objects hold state.
Look: TypeAlias = Callable[[Walk], None]


class Trial:
    """Watches the passes through one model.

    Args:
        model: the model.
        keepers: as of `Walk`.
        internal: as of `Walk`.
        look: looks at what else a pass may change.
        calls_to_build: how often this Keras calls a model to build it, in its training as well,
            before it calls it to compute.
    """

    def __init__(
        self,
        model: Any,
        *,
        keepers: Sequence[Keeper] = (),
        internal: frozenset[str] = frozenset(),
        look: Look | None = None,
        calls_to_build: int = 0,
    ) -> None:
        self._model = model
        self._keepers = keepers
        self._internal = internal
        self._look = look
        self._to_build = calls_to_build
        self._seen: list[Kept] = []
        self._names: list[Names] = []
        self._unbuilt: list[Kept] = []
        self._entries: list[RandomStates] = []

    def note(self) -> None:
        """The model is called, in a pass that builds it.

        What building it changes stays, as it would without the probe; what the calls after that
        change is put back when `seeing` has shown what that is.
        """
        self._entries.append(RandomStates.now())
        if len(self._entries) <= self._to_build + 1:
            self._unbuilt = self._walk().kept

    @contextmanager
    def attempt(self) -> Iterator[None]:
        """If the context fails, which is to build the model, put back what its calls have drawn,
        counted and collected: it is tried in another way.

        Layers and variables that it has made stay, as the next pass will not make them again.
        """
        random, held = RandomStates.now(), self._walk().kept
        try:
            yield
        except Exception:
            random.restore()
            self._entries, self._unbuilt = [], []
            for each in held:
                if has_changed(each):
                    is_restored(_counters(each) if isinstance(each, Names) else each)
            raise

    def without_calls(self) -> AbstractContextManager[None]:
        """As of `RandomStates`, since the calls that built the model."""
        *_, entry = [RandomStates.now(), *self._entries[: self._to_build + 1]]
        after = self._entries[self._to_build + 1 :]
        return entry.without_calls(after[0] if after else None)

    @contextmanager
    def seeing(self, ops: list[str]) -> Iterator[None]:
        """Put back all that the context changes, and remember where it was.

        Args:
            ops: the names of the ops that run the user's Python, and of those that were seen to
                use something up; known when the context ends.

        Raises:
            LstmProbeError: the context has changed something that cannot be put back.
        """
        kept, stuck = self._walk().kept, []
        self._names = [each for each in kept if isinstance(each, Names)]
        try:
            yield
        finally:
            for each in kept:
                if has_changed(each):
                    names = each.names_changed() if isinstance(each, Names) else ()
                    self._seen.append(each.narrowed(names) if isinstance(each, Names) else each)
                    if not is_restored(each):
                        stuck.append(each.where)
            self._undo_building()
        if stuck:
            raise self._refusal(f"{', '.join(ops[:3]) or 'its call'} moves {stuck[0]} on")

    def check(self, used_up: Sequence[str]) -> None:
        """Refuse a pass that has used something up.

        Args:
            used_up: the names of the ops that have.

        Raises:
            LstmProbeError: there are any.
        """
        if used_up:
            raise self._refusal(f"{', '.join(used_up[:3])} uses up what the training reads")

    @contextmanager
    def undone(self) -> Iterator[None]:
        """Put back what the context changes, of all that the trial has changed."""
        walk = Walk(self._keepers, self._internal)
        # What a name stands for may differ later where it did not in the trial: a layer that notes
        # whether it is trained changes nothing until it has been.
        walk.kept += [each.now() for each in self._names]
        for each in self._seen:
            if isinstance(each, Names):
                walk.names(each.where, each.owner, each.only or ())
            else:
                walk.value(each.where, each.owner)
        try:
            with restored():
                yield
        finally:
            for kept in walk.kept:
                if has_changed(kept):
                    is_restored(kept)

    def _walk(self) -> Walk:
        walk = Walk(self._keepers, self._internal)
        for layer in self._model._flatten_layers():
            walk.layer(layer)
        if self._look is not None:
            self._look(walk)
        return walk

    def _undo_building(self) -> None:
        """Put back what the calls of layers changed while the model was built."""
        seen = [each for each in self._seen if not isinstance(each, Names)]
        owners = {id(each.owner) for each in seen}
        names: dict[int, set[str]] = {}
        for each in self._seen:
            if isinstance(each, Names):
                names.setdefault(id(each.owner), set()).update(each.only or ())
        for kept in self._unbuilt:
            if isinstance(kept, Names):
                kept.narrowed(filter(kept.covers, names.get(id(kept.owner), ()))).restore()
            elif id(kept.owner) in owners:
                kept.restore()
        self._unbuilt = []

    def _refusal(self, what: str) -> LstmProbeError:
        return LstmProbeError(
            "A capture would change the training: a pass through model "
            f"{self._model.name!r} does what cannot be undone. Received: {what}. Expected: a call "
            "with training=False that changes nothing which outlasts it. Do that in the layer "
            "only `if training:`, give the probe to a model that begins after the layer, or switch "
            "the probe off with LSTM_PROBE=off."
        )


def _counters(names: Names) -> Names:
    """Those of the names that stand for other numbers or words than before."""
    now = names.now().before
    return names.narrowed(
        name
        for name in names.names_changed()
        if all(isinstance(each.get(name), (int, float, str)) for each in (names.before, now))
    )
