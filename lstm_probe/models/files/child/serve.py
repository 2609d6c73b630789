"""The child's side: it takes one question after the other until nobody asks any more."""

from __future__ import annotations

import os
import queue
import shutil
import sys
import threading
import traceback
from collections.abc import Callable, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import numpy as np

from lstm_probe.core.errors import LstmProbeError
from lstm_probe.models.files.child.held import hold_back, hold_back_files
from lstm_probe.models.files.child.packed import Packer, unpack_probe
from lstm_probe.models.files.child.protocol import Frame, read_frame, write_frame

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from lstm_probe.analysis.rest import Rest
    from lstm_probe.core.activations import Activation
    from lstm_probe.models.files.keras_files import Plan
    from lstm_probe.models.files.keras_model import KerasModel

__all__ = ["main"]

_LARGEST_QUESTION = 2**40
#: What frameworks say when there is no more memory, whatever class of error they raise.
_OUT_OF_MEMORY = (
    "ResourceExhausted", "RESOURCE_EXHAUSTED", "OOM when", "bad_alloc", "Unable to allocate",
    "Failed to allocate", "not enough memory", "std::length_error",
)  # fmt: skip


def main() -> None:
    """Answer questions from the standard input on the standard output, until it ends."""
    asked, answers = _streams()
    write_frame(answers, Frame({"event": "import ends"}))
    _Server(answers).serve(_questions(asked))


def _streams() -> tuple[IO[bytes], IO[bytes]]:
    """Both pipes, out of reach of what frameworks print: that goes where errors go."""
    asked, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    return asked, answers


def _questions(stream: IO[bytes]) -> queue.SimpleQueue[Frame]:
    """The questions as they come. When the parent has gone, this process ends at once, whatever it
    is computing, and leaves nothing behind."""
    waiting: queue.SimpleQueue[Frame] = queue.SimpleQueue()

    def read() -> None:
        try:
            while (frame := read_frame(stream, largest=_LARGEST_QUESTION)) is not None:
                waiting.put(frame)
        finally:
            shutil.rmtree(os.getcwd(), ignore_errors=True)
            os._exit(0)

    threading.Thread(target=read, daemon=True).start()
    return waiting


class _Server:
    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self._models: dict[int, KerasModel] = {}
        self._functions: dict[int, list[Activation]] = {}
        self._rests: dict[int, Mapping[str, Rest]] = {}
        self._opened = 0

    def serve(self, questions: queue.SimpleQueue[Frame]) -> None:
        while True:
            question = questions.get()
            write_frame(self._stream, self._answer(question))

    def _answer(self, question: Frame) -> Frame:
        said = question.said
        for number in said["forget"]:
            self._models.pop(number, None)
            self._functions.pop(number, None)
            self._rests.pop(number, None)
        hold_back_files(said["limits"]["size"])
        ask: Callable[[Frame], Frame] = getattr(self, f"_on_{said['ask']}")
        try:
            return ask(question)
        except Exception as error:
            return Frame({"error": _described(error)})

    @contextmanager
    def _importing(self, limits: Mapping[str, float]) -> Iterator[None]:
        """What a framework takes to be imported is not the file's doing."""
        write_frame(self._stream, Frame({"event": "import begins"}))
        yield
        write_frame(self._stream, Frame({"event": "import ends"}))
        hold_back(limits)

    def _on_open(self, question: Frame) -> Frame:
        from lstm_probe.models.files.keras_files import WeightsAloneError, loading
        from lstm_probe.models.opened import StoredCells

        said = question.said
        _stand_in_for(said["registered"])
        try:
            plan = _plan(said)
        except WeightsAloneError as error:
            return Frame({"stored": True, "note": str(error)})
        with self._importing(said["limits"]), loading(plan.path, plan.package):
            pass
        model: Any = plan.build()
        if isinstance(model, StoredCells):  # of which the parent needs no framework
            return Frame({"stored": True})
        self._opened += 1
        self._models[self._opened] = model
        takes = model.takes
        return Frame(
            {
                "model": self._opened,
                "kind": model.kind,
                "step": model.step,
                "notes": model.notes,
                "takes": asdict(takes),
            }
        )

    def _on_contents(self, question: Frame) -> Frame:
        said = question.said
        hold_back(said["limits"])
        contents = self._models[said["model"]].contents()
        layers = [
            {**vars(each), "shapes": [[k, list(v)] for k, v in each.shapes.items()]}
            for each in contents.layers
        ]
        return Frame({"layers": layers, "probe": list(contents.probe)})

    def _on_outputs(self, question: Frame) -> Frame:
        said = question.said
        hold_back(said["limits"])
        model = self._models[said["model"]]
        model.step = said["step"]
        packer = Packer(self._functions.setdefault(said["model"], []))
        snapshots = model.snapshots(unpack_probe(said["probe"], question.arrays))
        packed = [packer.pack(each) for each in snapshots]
        return Frame({"snapshots": packed}, packer.arrays)

    def _on_rests(self, question: Frame) -> Frame:
        """Which layers the model can be run on from, on the probe of the last `outputs`."""
        said = question.said
        hold_back(said["limits"])
        self._rests[said["model"]], why = self._models[said["model"]].rests({})
        return Frame({"rests": list(self._rests[said["model"]]), "why": why})

    def _on_rest(self, question: Frame) -> Frame:
        return Frame({}, [self._rest(question).rows(*question.arrays)])

    def _on_rest_back(self, question: Frame) -> Frame:
        return Frame({}, [self._rest(question).gradient(*question.arrays)])

    def _rest(self, question: Frame) -> Rest:
        said = question.said
        hold_back(said["limits"])
        return self._rests[said["model"]][said["layer"]]

    def _on_function(self, question: Frame) -> Frame:
        function = self._functions[question.said["model"]][question.said["number"]]
        return Frame({}, [np.asarray(function(question.arrays[0]))])

    def _on_weights(self, question: Frame) -> Frame:
        from lstm_probe.models.files.keras_weights import read_keras_weights

        said = question.said
        hold_back(said["limits"])
        read = read_keras_weights(Path(said["path"]), said["kind"])
        answer = {
            "names": list(read.arrays),
            "paths": list(map(list, read.paths.items())),
            "shapes": list(map(list, read.shapes.items())),
            "order": [[name, *at] for name, at in read.order.items()],
            "step": read.step,
            "version": read.version,
        }
        return Frame(answer, list(read.arrays.values()))

    def _on_step(self, question: Frame) -> Frame:
        from lstm_probe.models.files.keras_files import step_of

        hold_back(question.said["limits"])
        return Frame({"step": step_of(Path(question.said["path"]))})

    def _on_try(self, question: Frame) -> Frame:
        from lstm_probe.models.files.hdf5 import read_through

        hold_back(question.said["limits"])
        try:
            read_through(Path(question.said["path"]), question.said["member"])
        except Exception:  # who reads the file next says what is wrong with it
            return Frame({})
        return Frame({})

    def _on_run(self, question: Frame) -> Frame:
        from lstm_probe.models.files.onnx_session import NotLoadedError, run_graph

        said = question.said
        with self._importing(said["limits"]):
            import onnxruntime  # noqa: F401
        model, *values = question.arrays
        feed = dict(zip(said["inputs"], values, strict=True))
        try:
            results = run_graph(Path(said["shown"]), model.tobytes(), said["wanted"], feed)
        except NotLoadedError as error:
            return Frame({"not_loaded": str(error)})
        return Frame({}, results)


def _plan(said: Mapping[str, Any]) -> Plan:
    path, layers = Path(said["path"]), said["layers"]
    config = None if said["config"] is None else Path(said["config"])
    if said["reader"] == "keras":
        from lstm_probe.models.files.keras_files import plan_keras

        return plan_keras(path, layers)
    if said["reader"] == "hdf5":
        from lstm_probe.models.files.keras_files import plan_hdf5

        return plan_hdf5(path, config=config, layers=layers)
    from lstm_probe.models.files.checkpoints import plan_checkpoint, plan_saved_model

    if config is not None:
        return plan_checkpoint(path, config, layers)
    return plan_saved_model(path, layers)


def _stand_in_for(kinds: Sequence[str]) -> None:
    """The user's cells are registered in the parent: here are their names, so that their arrays are
    kept by name."""
    from lstm_probe.cells import register_cell

    for kind in kinds:
        register_cell(kind, ranges={"h": None})(lambda x, states, weights: ({}, []))


def _described(error: Exception) -> dict[str, Any]:
    """An error as the parent raises it again."""
    told = "".join(traceback.format_exception(error))[-20_000:]
    chain: list[BaseException] = [error]
    while (cause := chain[-1].__cause__ or chain[-1].__context__) is not None:
        chain.append(cause)
    first = chain[-1]
    if any(isinstance(each, MemoryError) for each in chain) or _is_out_of_memory(chain):
        return {"kind": "memory", "text": str(error), "trace": told}
    if isinstance(error, LstmProbeError):
        return {"kind": "refused", "text": str(error), "trace": told}
    if isinstance(first, OSError) and first.errno is not None:
        place = None if first.filename is None else str(first.filename)
        text = first.strerror or str(first)
        return {
            "kind": "system", "number": first.errno, "place": place, "text": text, "trace": told
        }  # fmt: skip
    return {"kind": "other", "text": f"{type(error).__name__}: {error}", "trace": told}


def _is_out_of_memory(chain: Sequence[BaseException]) -> bool:
    said = [f"{type(each).__name__}: {each}" for each in chain]
    return any(word in each for word in _OUT_OF_MEMORY for each in said)


if __name__ == "__main__":
    sys.exit("This is started by lstm_probe itself.")
