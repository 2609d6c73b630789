"""What kernel and page say to each other: replies to questions, and captures that nobody asked for.

While a cell runs, as `fit` does, the kernel hears no question. So the page is told of new captures
as they appear, and answers its reader from those. All of it is said in the words of the routes: an
address, such as `capture?run=a&layer=memory&step=7`, and the bytes that it would be answered with.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from threading import Lock
from typing import Any, Final, TypeAlias
from urllib.parse import parse_qsl, quote

from lstm_probe.core.errors import LstmProbeError
from lstm_probe.explorer.answers import Answers
from lstm_probe.explorer.captures import Captures
from lstm_probe.explorer.requests import WHOLE, Query
from lstm_probe.explorer.routes import Routes

__all__ = ["MOST_BYTES", "Conversation"]

_Send: TypeAlias = "Callable[[dict[str, Any], list[bytes]], object]"
#: So many bytes of captures are said unasked at a time; the newest come first.
MOST_BYTES: Final = 8_000_000
#: Of the captures there are when the page opens, so many steps are said at once.
_FIRST_STEPS = 12
#: What the gates say is found from the whole course of a run, so it is said of so many steps alone.
_WITH_SENTENCES = 3
#: Telling takes at most this part of the processor's time, so that a training does not feel it.
_PART = 0.02
_PLAIN = "!'()*-._~"
#: Longer questions than any name needs.
_LONGEST = 10_000


class Conversation:
    """One page's conversation with its kernel. Several threads may call it.

    Args:
        captures: where the captures are.
        send: says a message, with bytes beside it, to the page.
        run: the name of the run that is opened first; None if there is none of its own yet.
    """

    def __init__(
        self, captures: Captures, send: _Send, *, run: Callable[[], str | None] = lambda: None
    ) -> None:
        self._captures, self._send, self._run = captures, send, run
        self._routes = Routes(Answers(captures), host="The kernel")
        self._lock = Lock()
        self._told: dict[str, dict[str, list[int]]] = {}
        self._next = 0.0

    def opening(self) -> dict[str, bytes]:
        """What the page knows from the start, by address: it may open while the kernel is busy."""
        with self._lock:
            self._told = self._known()
            own = self._run()
            first = own if own in self._told else min(self._told, default=None)
            if first is None:
                return dict(self._replies(["runs"]))
            steps = self._told[first]
            wanted = {layer: list(reversed(each[-_FIRST_STEPS:])) for layer, each in steps.items()}
            return dict(self._documents([first])) | dict(self._newest({first: wanted}))

    def heard(self, content: Any) -> None:
        """Reply to a question: `{"ask": number, "address": text}`."""
        if not isinstance(content, Mapping) or not isinstance(content.get("address"), str):
            return
        address = content["address"][:_LONGEST]
        self._send({"heard": content.get("ask")}, [])  # an answer may take a while
        status, data = self._reply(address)
        self._send({"reply": content.get("ask"), "address": address, "status": status}, [data])

    def tell(self) -> None:
        """Say what has appeared since the last time, unless that was just now."""
        with self._lock:
            if time.monotonic() < self._next:
                return
            start = time.thread_time()
            known = self._known()
            grown = [
                run for run in {**known, **self._told} if known.get(run) != self._told.get(run)
            ]
            if grown:
                new = {
                    run: {
                        layer: [s for s in reversed(steps) if s not in self._had(run, layer)]
                        for layer, steps in known[run].items()
                    }
                    for run in grown
                    if run in known
                }
                said = dict(self._documents(list(new))) | dict(self._newest(new))
                self._told = known
                message = {"grown": grown, "addresses": list(said), "open": self._run()}
                self._send(message, list(said.values()))
            self._next = time.monotonic() + (time.thread_time() - start) / _PART

    def _had(self, run: str, layer: str) -> set[int]:
        return set(self._told.get(run, {}).get(layer, ()))

    def _known(self) -> dict[str, dict[str, list[int]]]:
        """The steps of each layer of each run."""
        found = {}
        try:
            for run in self._captures.runs(WHOLE):
                found[run["name"]] = self._captures.layers(WHOLE, run["name"])
        except LstmProbeError:  # the directory or a run has gone meanwhile
            pass
        return found

    def _documents(self, runs: list[str]) -> Iterator[tuple[str, bytes]]:
        """What is listed of some runs, in few words."""
        routes = ("layers", "timeline", "alerts")
        each = [f"{route}?{_parameters(run=run)}" for run in runs for route in routes]
        yield from self._replies(["runs", *each])

    def _newest(self, new: Mapping[str, Mapping[str, list[int]]]) -> Iterator[tuple[str, bytes]]:
        """Captures, the newest of every layer first, as far as they may be said at a time."""
        room = MOST_BYTES
        wanted = sorted(
            ((rank, run, layer, step) for run, layers in new.items()
             for layer, steps in layers.items() for rank, step in enumerate(steps)),
            key=lambda each: each[0],
        )  # fmt: skip
        for rank, run, layer, step in wanted:
            place = _parameters(run=run, layer=layer, step=step)
            routes = ("capture", "sentences") if rank < _WITH_SENTENCES else ("capture",)
            for address, data in self._replies([f"{route}?{place}" for route in routes]):
                room -= len(data)
                if room < 0:
                    return
                yield address, data

    def _replies(self, addresses: list[str]) -> Iterator[tuple[str, bytes]]:
        for address in addresses:
            status, data = self._reply(address)
            if status == 200:
                yield address, data

    def _reply(self, address: str) -> tuple[int, bytes]:
        route, _, parameters = address.partition("?")
        if f"/{route}" not in self._routes.addresses:
            return 404, b'{"error": "There is no such address."}'
        query = Query(dict(parse_qsl(parameters, keep_blank_values=True)))
        reply = self._routes.reply(f"/{route}", "GET", query)
        if route == "runs" and reply.status == 404:
            return 200, b'{"runs": []}'  # a training that has not begun has no directory yet
        return reply.status, reply.content


def _parameters(**values: str | int) -> str:
    """As the page writes them, so that it finds what it was told."""
    # These are what encodeURIComponent leaves as they are.
    return "&".join(f"{name}={quote(str(value), safe=_PLAIN)}" for name, value in values.items())
