"""Models that the child loads: analysed as in this process, and nothing it says is believed."""

from __future__ import annotations

import copy
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import keras
import numpy as np
import pytest
import samples

import lstm_probe
from lstm_probe import GruCell, LstmProbeError, SimpleRnnCell, analyse
from lstm_probe.cells import custom
from lstm_probe.models.explaining import explain_opened
from lstm_probe.models.files.child import pool, rests
from lstm_probe.models.files.child.allowance import allowance_for
from lstm_probe.models.files.child.packed import Packer, pack_probe, unpack_probe, unpack_snapshot
from lstm_probe.models.files.child.process import UnexpectedError
from lstm_probe.models.files.child.protocol import Frame
from lstm_probe.models.files.child.questions import ChildModel
from lstm_probe.models.inspection import open_model
from lstm_probe.weights import NamedWeights, from_keras

PROBE = np.random.default_rng(7).normal(size=(2, 6, 3)).astype(np.float32)


def several_kinds() -> Any:
    """Both directions, a convolution, and an activation without a name."""
    layers = keras.layers
    x = keras.Input((6, 3))
    both = layers.GRU(4, return_sequences=True, reset_after=False)
    h = layers.Bidirectional(both, name="both")(x)
    h = layers.LSTM(
        4, activation=layers.LeakyReLU(negative_slope=0.3), return_sequences=True, name="leaky"
    )(h)
    h = layers.SimpleRNN(4, go_backwards=True, return_sequences=True, name="plain")(h)
    images = layers.Reshape((6, 2, 2, 1))(h)
    convolved = layers.ConvLSTM2D(2, 2, padding="same", name="images")(images)
    return keras.Model(x, [layers.GlobalAveragePooling2D()(convolved), h])


def masked() -> Any:
    layers = keras.layers
    cells = layers.StackedRNNCells([layers.LSTMCell(4), layers.GRUCell(4)])
    stack = [layers.Masking(), layers.LSTM(4, return_sequences=True), layers.RNN(cells)]
    return keras.Sequential([keras.Input((6, 3)), *stack])


def assert_same(ours: Any, theirs: Any) -> None:
    assert list(ours) == list(theirs)
    for name, each in ours.items():
        other = theirs[name]
        assert str(each.parity.verdict) == str(other.parity.verdict) == "match"
        assert each.parity.float64.max_abs == pytest.approx(
            other.parity.float64.max_abs, rel=1e-3, abs=1e-12
        )
        for letter in each.trace.letters:
            np.testing.assert_allclose(
                each.trace.arrays[letter], other.trace.arrays[letter], rtol=1e-6, atol=1e-9
            )
        assert vars(each.snapshot).keys() == vars(other.snapshot).keys()
        np.testing.assert_array_equal(each.snapshot.x, other.snapshot.x)


@pytest.mark.parametrize(("build", "count"), [(several_kinds, 5), (masked, 3)])
def test_a_model_is_analysed_as_in_this_process(build, count, tmp_path):
    path = tmp_path / "model.keras"
    build().save(path)
    probe = PROBE.copy()
    probe[0, 4:] = 0
    found = lstm_probe.inspect(path, probe)
    assert len(found) == count
    assert_same(found, lstm_probe.inspect(path, probe, trusted=True))


def test_an_activation_without_a_name_is_computed_as_long_as_it_is_held(tmp_path):
    path = tmp_path / "model.keras"
    several_kinds().save(path)
    activation = lstm_probe.inspect(path, PROBE)["leaky"].snapshot.cell.activation
    assert callable(activation)
    x = np.linspace(-2, 2, 6)
    np.testing.assert_allclose(activation(x), np.where(x > 0, x, 0.3 * x), rtol=1e-6)
    assert copy.deepcopy(activation) is activation
    pool.end_child()
    with pytest.raises(LstmProbeError, match="ends the process"):
        activation(x)


def test_the_users_own_cells_are_known_by_name(tmp_path, monkeypatch):
    monkeypatch.setattr(custom, "_registered", dict(custom._registered))

    @lstm_probe.register_cell("SimpleRNNCell", ranges={"h": (-1, 1)})
    def mine(x: Any, states: Any, weights: Any) -> Any:
        kernels = x @ weights["kernel"] + states[0] @ weights["recurrent_kernel"]
        h = np.tanh(kernels + weights["bias"])
        return {"h": h}, [h]

    path = tmp_path / "model.keras"
    keras.Sequential([keras.Input((6, 3)), keras.layers.SimpleRNN(4, name="plain")]).save(path)
    (found,) = lstm_probe.inspect(path, PROBE).values()
    assert found.snapshot.cell is custom.registered_cell("SimpleRNNCell")
    assert str(found.parity.verdict) == "match"


def test_quantised_layers_and_adapters_open(tmp_path):
    x = keras.Input((6,), dtype="int32")
    embedding = keras.layers.Embedding(50, 8)
    dense = keras.layers.Dense(8)
    h = keras.layers.LSTM(4, name="memory", return_sequences=True)(dense(embedding(x)))
    model = keras.Model(x, h)
    dense.quantize("int8")
    embedding.enable_lora(2)
    path = tmp_path / "model.keras"
    model.save(path)
    (found,) = lstm_probe.inspect(path, np.ones((1, 6), np.int32)).values()
    assert str(found.parity.verdict) == "match"


APART = """
import sys
import numpy as np
import lstm_probe
(found,) = lstm_probe.inspect(sys.argv[1], np.ones((1, 6, 3), np.float32)).values()
assert str(found.parity.verdict) == "match"
print(sorted({"h5py", "keras", "tensorflow", "tf_keras"} & set(sys.modules)))
"""


def test_no_framework_is_imported_here_for_a_file(tmp_path):
    path = tmp_path / "model.keras"
    keras.Sequential([keras.Input((6, 3)), keras.layers.LSTM(4)]).save(path)
    said = subprocess.run(
        [sys.executable, "-c", APART, str(path)], capture_output=True, text=True, cwd="/"
    )
    assert said.stdout == "[]\n", said.stderr
    assert said.stderr == ""


# What the child says -----------------------------------------------------------------------------


def never(*_: Any) -> Any:
    raise AssertionError("not here")


@pytest.mark.parametrize(
    "snapshot",
    [
        samples.snapshot(np.random.default_rng(1)),
        samples.snapshot(np.random.default_rng(1), reverse=True, step=7, layer="a/b"),
        samples.snapshot(np.random.default_rng(1), mask=np.arange(14).reshape(2, 7) < 9),
        samples.snapshot(
            np.random.default_rng(1),
            cell=GruCell(reset_after=True),
            weights=from_keras(np.ones((3, 12)), np.ones((4, 12)), np.ones((2, 12))),
            initial_state=(np.ones((2, 4)),),
        ),
        samples.snapshot(
            np.random.default_rng(1),
            cell=SimpleRnnCell("relu"),
            weights=from_keras(np.ones((3, 4)) / 9, np.ones((4, 4)) / 9, np.ones(4)),
        ),
    ],
    ids=["plain", "backwards", "masked", "gru", "simple"],
)
def test_a_snapshot_comes_through_as_it_was(snapshot):
    packer = Packer([])
    packed = packer.pack(snapshot)
    again = unpack_snapshot(packed, packer.arrays, remote=never, registered=never)
    ours, theirs = analyse(snapshot), analyse(again)
    assert ours.snapshot.cell == theirs.snapshot.cell
    for letter in ours.trace.letters:
        np.testing.assert_array_equal(ours.trace.arrays[letter], theirs.trace.arrays[letter])
    assert str(ours.parity.verdict) == str(theirs.parity.verdict)


def test_a_cell_that_nobody_knows_comes_through():
    seen = samples.snapshot(np.random.default_rng(1))
    named = NamedWeights({"a": np.ones((3, 2))}, 3, 5)
    unknown = type(seen)(**{**vars(seen), "cell": None, "weights": named})
    packer = Packer([])
    again = unpack_snapshot(packer.pack(unknown), packer.arrays, remote=never, registered=never)
    assert again.cell is None
    assert dict(again.weights.named()).keys() == {"a"}


BAD: dict[str, Any] = {
    "no snapshots": None,
    "a text": "x",
    "a number of no array": {"x": 99},
    "a negative number": {"x": -1},
    "an array that does not fit": {"x": 2},
    "a mask of numbers": {"mask": 0},
    "a step that is none": {"step": "7"},
    "a flag that is none": {"reverse": 1},
    "a dtype that is none": {"dtype": "object"},
    "a cell that is none": {"cell": {"name": "os.system", "options": {}}},
    "an option that is none": {"cell": {"name": "lstm", "options": {"__class__": "x"}}},
    "an activation that is none": {"cell": {"name": "lstm", "options": {"activation": "evil"}}},
    "a cell that nobody registered": {"cell": {"registered": "Evil"}},
    "weights that are none": {"weights": {"type": "Popen", "arrays": {}}},
    "weights without arrays": {"weights": {"type": "LstmWeights", "arrays": {}}},
    "weights of another cell": {"cell": {"name": "gru", "options": {}}},
    "a name without an end": {"layer": "x" * 100_000},
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_no_snapshot_is_refused_in_one_line(name):
    packer = Packer([])
    packed = packer.pack(samples.snapshot(np.random.default_rng(1)))
    bad = BAD[name]
    said = {"snapshots": bad if not isinstance(bad, dict) else [{**packed, **bad}]}
    model = {"model": 1, "kind": "a model", "step": 0, "notes": []}
    takes = {"dtype": "float32", "words": 2, "vocabulary": [], "separator": None}
    opened = ChildModel(
        Answering(Frame(said, packer.arrays)),  # type: ignore[arg-type]
        Frame({**model, "takes": takes}),
    )
    with pytest.raises(LstmProbeError) as refused:
        opened.analyses(PROBE)
    assert str(refused.value).count("\n") == 0


class Answering:
    """In place of what asks the child."""

    path = Path("m.keras")

    def __init__(self, answer: Frame) -> None:
        self.answer, self.child = answer, self
        self.users: set[Any] = set()

    def __call__(self, *_: Any, **__: Any) -> Frame:
        return self.answer

    def forget(self, _: int) -> None:
        pass


# What the child says of the rest of a model ------------------------------------------------------


class Scripted(Answering):
    """In place of what asks the child: answers each kind of question as it is told."""

    def __init__(self, **answers: Any) -> None:
        super().__init__(Frame({}))
        self.answers = {"rests": Frame({"rests": ["memory"], "why": ""}), **answers}
        self.allowance = allowance_for(Path(__file__))
        self.asked: list[str] = []

    def __call__(self, question: Frame, **_: Any) -> Frame:
        self.asked.append(question.said["ask"])
        answer = self.answers[question.said["ask"]]
        if isinstance(answer, BaseException):
            raise answer
        return answer(*question.arrays) if callable(answer) else answer


def explained_with(child: Scripted, **asked: Any) -> Any:
    """What is found of a layer, of a child that says nonsense of its rest alone."""
    packer = Packer([])
    packed = packer.pack(samples.snapshot(np.random.default_rng(1), batch=9))
    child.answers["outputs"] = Frame({"snapshots": [packed]}, packer.arrays)
    said = {"model": 1, "kind": "a model", "step": 0, "notes": []}
    takes = {"dtype": "float32", "words": 2, "vocabulary": [], "separator": None}
    opened = ChildModel(child, Frame({**said, "takes": takes}))  # type: ignore[arg-type]
    asked.setdefault("analyses", ["ablation", "tracking", "attribution"])
    return explain_opened(opened, PROBE, target=np.zeros(9), **asked)["memory"]


def rows(h: Any, width: int = 1) -> Frame:
    return Frame({}, [h[:, -1, :width].astype(np.float32)])


def growing(h: Any, seen: list[int] = []) -> Frame:  # noqa: B006  # counts its calls
    seen.append(1)
    return rows(h, 1 if len(seen) < 4 else 3)


NO_REST: dict[str, Any] = {
    "nothing": (Frame({}), "gives no numbers. Received: arrays of nothing"),
    "several": (
        lambda h: Frame({}, [h, h]),
        "gives no numbers. Received: arrays of float64, float",
    ),
    "texts": (Frame({}, [np.array(["x"] * 9)]), "gives no numbers. Received: arrays of <U1"),
    "a scalar": (Frame({}, [np.float32(1) * np.ones(())]), "something else. Received: shape ()"),
    "fewer rows": (
        lambda h: rows(h[:2]),
        "something else. Received: shape (2, 1). Expected: (9, 'outputs')",
    ),
    "another width": (growing, "something else. Received: shape (9, 3). Expected: (9, 1)"),
    "no columns": (lambda h: rows(h, 0), "gives something else. Received: shape (9, 0)"),
    "NaN": (lambda h: Frame({}, [np.full((9, 1), np.nan)]), "is not finite. Received: 9 of 9"),
    "infinite": (lambda h: Frame({}, [np.full((9, 1), np.inf)]), "is not finite"),
    "an error of ours": (UnexpectedError("KeyError: 1"), "does not answer as it should. Received"),
    "an error of the system": (OSError(5, "Input/output error"), "Input/output error"),
    "a refusal": (LstmProbeError("The child has ended."), "The child has ended."),
}


@pytest.mark.parametrize("name", NO_REST)
def test_nonsense_of_the_rest_leaves_the_other_analyses(name):
    answer, words = NO_REST[name]
    found = explained_with(Scripted(rest=answer))
    assert not found.missing
    assert list(found.findings) == ["ablation", "tracking", "attribution"]
    assert words in " ".join(found.notes)
    assert all("\n" not in note for note in found.notes)
    assert found.findings["ablation"].output_norm is None
    assert found.findings["attribution"].word == "unit"
    assert "asked of the model" not in str(found)


def test_nonsense_of_the_gradient_ends_attribution_at_h():
    def back(h: Any, by_output: Any) -> Frame:
        return Frame({}, [h[:, :1]])

    found = explained_with(Scripted(rest=rows, rest_back=back))
    (note,) = found.notes
    assert note.startswith("Attribution ends at the layer's own h. The gradient of the rest")
    assert found.findings["ablation"].loss is not None
    assert "asked of the model itself" in str(found)


@pytest.mark.parametrize(
    "said",
    [{}, {"rests": 7, "why": ""}, {"rests": None, "why": ""}, {"rests": ["memory"]}],
    ids=["nothing", "a number", "none", "no reason"],
)
def test_an_answer_that_names_no_rests_is_none(said):
    found = explained_with(Scripted(rests=Frame(said)))
    assert "model after its layers is not run. The process" in found.notes[0]
    assert found.findings["ablation"].output_norm is None


def test_a_reason_is_no_more_than_words():
    why = "\x1b[31mred\nand " + "long " * 1000
    found = explained_with(Scripted(rests=Frame({"rests": ["absent"], "why": why})))
    assert len(found.notes[0]) <= 1000
    assert found.notes[0].isprintable()


def test_the_rest_is_asked_about_only_for_what_takes_it():
    child = Scripted(rest=rows)
    explained_with(child, analyses=["tracking"])
    assert child.asked == ["outputs"]


def test_all_questions_about_a_rest_have_a_limit_together(monkeypatch):
    now = iter(range(0, 10**6, 20))  # each look at the clock comes 20 s after the last
    monkeypatch.setattr(rests, "time", SimpleNamespace(monotonic=lambda: next(now)))
    child = Scripted(rest=rows)
    found = explained_with(child)
    assert child.asked.count("rest") < 15
    assert "takes longer than a file may. Received: no answer after 240 s" in found.notes[0]
    assert "--timeout" in found.notes[0]
    assert not found.missing


@pytest.mark.long
def test_a_child_that_hangs_or_dies_is_said_once_and_not_asked_again(tmp_path):
    path = tmp_path / "model.keras"
    stack = [keras.layers.LSTM(4, return_sequences=True, name="memory"), keras.layers.GRU(3)]
    keras.Sequential([keras.Input((6, 3)), *stack, keras.layers.Dense(1)]).save(path)
    opened = open_model(path)
    assert isinstance(opened, ChildModel)
    found = opened.analyses(PROBE)
    opened._asked.allowance = replace(opened._asked.allowance, clock=1.0)
    os.kill(opened._asked.child._process.pid, signal.SIGSTOP)
    began = time.monotonic()
    rests_, why = opened.rests(found)
    assert rests_ == {}
    assert "is not run." in why
    assert "takes longer than a file may" in why
    rests_, why = opened.rests(found)
    assert rests_ == {}
    assert "ends the process that reads it" in why
    assert time.monotonic() - began < 5


@pytest.mark.parametrize(
    "probe", [PROBE, {"a": PROBE, "b": [PROBE, PROBE]}, [PROBE]], ids=["one", "dict", "list"]
)
def test_a_probe_comes_through_in_its_structure(probe):
    arrays: list[Any] = []
    packed = pack_probe(probe, arrays)
    again = unpack_probe(packed, arrays)
    assert type(again) is type(probe)
    np.testing.assert_equal(again, probe)
