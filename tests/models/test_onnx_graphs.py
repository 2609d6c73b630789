"""Recurrent nodes in every graph of an ONNX model, against what ONNX Runtime gives for them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from helpers_cells import naive_lstm

import lstm_probe
from lstm_probe.core.errors import LstmProbeError
from lstm_probe.models import open_model
from lstm_probe.models.files import onnx_file
from lstm_probe.models.files.onnx_nodes import weights_of

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")
helper, numpy_helper = onnx.helper, onnx.numpy_helper
FLOAT, INT64, BOOL = onnx.TensorProto.FLOAT, onnx.TensorProto.INT64, onnx.TensorProto.BOOL
UNITS = 4


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(11)


def arrays(rng, *, size=3, directions=1, rows=4, end="", bias=True):
    shapes = {"W": (directions, rows * UNITS, size), "R": (directions, rows * UNITS, UNITS)}
    shapes |= {"B": (directions, 2 * rows * UNITS)} if bias else {}
    return {
        name + end: rng.normal(0, 0.6, shape).astype(np.float32) for name, shape in shapes.items()
    }


def node(output, x="x", kind="LSTM", end="", name="", weights="WRB", **attributes):
    names = [x, *(each + end for each in weights)]
    return helper.make_node(kind, names, [output], name, hidden_size=UNITS, **attributes)


def value(name, kind=FLOAT, shape=None):
    return helper.make_tensor_value_info(name, kind, shape)


def save(path: Path, nodes, inputs, outputs, held, *, functions=(), opset=14, ir_version=8) -> Path:
    graph = helper.make_graph(
        nodes, "g", inputs, [value(name) for name in outputs],
        [numpy_helper.from_array(np.asarray(array), name) for name, array in held.items()],
    )  # fmt: skip
    opsets = [helper.make_opsetid("", opset), helper.make_opsetid("own", 1)]
    opsets.append(helper.make_opsetid("com.microsoft", 1))
    model = helper.make_model(
        graph, opset_imports=opsets, ir_version=ir_version, functions=list(functions)
    )
    onnx.save(model, path)
    return path


def load(path):
    """The arrays of a file."""
    return [(each.name, numpy_helper.to_array(each)) for each in onnx.load(path).graph.initializer]


def runtime(path, feed):
    return onnxruntime.InferenceSession(path).run(None, feed)


def shown(path, feed):
    opened = open_model(path)
    return opened.analyses(feed), opened.notes


def assert_matches(analysis, y, direction=0):
    """`y` is `(time, directions, batch, units)`."""
    assert str(analysis.parity.verdict) == "match"
    np.testing.assert_allclose(analysis.trace.h, y[:, direction].transpose(1, 0, 2), atol=2e-6)


@pytest.mark.parametrize("chosen", [True, False])
def test_the_branch_that_runs_is_shown(tmp_path, rng, chosen):
    """Both branches call their values the same."""
    held = {**arrays(rng), **arrays(rng, end="2")}
    branches = [
        helper.make_graph([node("inner", end=end, name=name)], name, [], [value("inner")])
        for name, end in (("yes", ""), ("no", "2"))
    ]
    choose = helper.make_node("If", ["c"], ["y"], then_branch=branches[0], else_branch=branches[1])
    inputs = [value("x", FLOAT, ["t", "b", 3]), value("c", BOOL, [])]
    path = save(tmp_path / "m.onnx", [choose], inputs, ["y"], held)
    feed = {"x": rng.normal(size=(5, 2, 3)).astype(np.float32), "c": np.array(chosen)}
    found, notes = shown(path, feed)
    runs, rests = ("yes", "no") if chosen else ("no", "yes")
    assert list(found) == [runs]
    assert_matches(found[runs], runtime(path, feed)[0])
    assert notes == [
        f"{rests} is not shown: the graph of the If that holds it is not run for this probe"
    ]


def test_a_branch_within_a_branch_reads_what_the_graph_around_it_makes(tmp_path, rng):
    held = {**arrays(rng), **arrays(rng, size=4, end="2"), "first": np.array([1])}
    empty = helper.make_node("Identity", ["h"], ["same"])
    innermost = helper.make_graph([node("z", x="h", end="2", name="deep")], "a", [], [value("z")])
    other = helper.make_graph(
        [helper.make_node("Unsqueeze", ["h", "first"], ["same"])], "b", [], [value("same")]
    )
    nested = helper.make_node("If", ["c"], ["w"], then_branch=innermost, else_branch=other)
    outer = helper.make_graph([nested], "o", [], [value("w")])
    rest = helper.make_graph(
        [empty, helper.make_node("Unsqueeze", ["same", "first"], ["v"])], "r", [], [value("v")]
    )
    nodes = [
        node("y", name="low"),
        helper.make_node("Squeeze", ["y", "first"], ["h"]),
        helper.make_node("If", ["c"], ["out"], then_branch=outer, else_branch=rest),
    ]
    inputs = [value("x", FLOAT, ["t", "b", 3]), value("c", BOOL, [])]
    path = save(tmp_path / "m.onnx", nodes, inputs, ["out", "y"], held)
    feed = {"x": rng.normal(size=(5, 2, 3)).astype(np.float32), "c": np.array(True)}
    found, notes = shown(path, feed)
    out, y = runtime(path, feed)
    assert list(found) == ["low", "deep"]
    assert_matches(found["low"], y)
    assert_matches(found["deep"], out)
    assert notes == []


def loop(rng, body_nodes, *, carried="x_out", scanned=("y",)):
    body = helper.make_graph(
        body_nodes, "body",
        [value("i", INT64, []), value("go", BOOL, []), value("x_in", FLOAT)],
        [value("go_out", BOOL, []), value(carried), *(value(each) for each in scanned)],
    )  # fmt: skip
    return helper.make_node(
        "Loop", ["n", "", "x"], ["last", *(f"all_{s}" for s in scanned)], body=body
    )


def test_the_steps_of_a_loop_are_shown_as_sequences(tmp_path, rng):
    held = {**arrays(rng, size=UNITS), "n": np.array(3), "one": np.array([1])}
    body = [
        node("y", x="x_in", name="step"),
        helper.make_node("Squeeze", ["y", "one"], ["x_out"]),
        helper.make_node("Identity", ["go"], ["go_out"]),
    ]
    inputs = [value("x", FLOAT, ["t", "b", UNITS])]
    path = save(tmp_path / "m.onnx", [loop(rng, body)], inputs, ["last", "all_y"], held)
    x = rng.normal(size=(5, 2, UNITS)).astype(np.float32)
    found, notes = shown(path, x)
    _, ys = runtime(path, {"x": x})  # (steps, time, 1, batch, units)
    steps = ys.transpose(1, 2, 0, 3, 4).reshape(5, 1, 6, UNITS)
    assert_matches(found["step"], steps)
    assert notes == ["step is in the body of a Loop, whose steps are shown as sequences"]


def test_a_loop_that_never_runs_is_named(tmp_path, rng):
    held = {**arrays(rng, size=UNITS), "n": np.array(0), "one": np.array([1])}
    body = [
        node("y", x="x_in", name="step"),
        helper.make_node("Squeeze", ["y", "one"], ["x_out"]),
        helper.make_node("Identity", ["go"], ["go_out"]),
    ]
    inputs = [value("x", FLOAT, ["t", "b", UNITS])]
    path = save(tmp_path / "m.onnx", [loop(rng, body)], inputs, ["last"], held)
    with pytest.raises(LstmProbeError, match="step is not shown: the graph of the Loop that holds"):
        lstm_probe.inspect(path, np.ones((5, 2, UNITS), np.float32))


def test_what_changes_its_shape_in_a_loop_hides_no_other_node(tmp_path, rng):
    held = {
        **arrays(rng, size=UNITS),
        "n": np.array(3),
        "zero": np.array([0]),
        "one": np.array([1]),
    }
    held |= {"end": np.array([1000])}
    body = [
        node("y", x="x_in", name="shrinking"),
        helper.make_node("Slice", ["x_in", "one", "end", "zero"], ["x_out"]),
        helper.make_node("Identity", ["go"], ["go_out"]),
    ]
    nodes = [node("good", x="x", name="good"), loop(rng, body, scanned=())]
    inputs = [value("x", FLOAT, ["t", "b", UNITS])]
    path = save(tmp_path / "m.onnx", nodes, inputs, ["last", "good"], held)
    x = rng.normal(size=(5, 2, UNITS)).astype(np.float32)
    found, notes = shown(path, x)
    assert list(found) == ["good"]
    assert_matches(found["good"], runtime(path, {"x": x})[1])
    assert len(notes) == 1
    assert "shrinking is not shown: it is in the body of a Loop" in notes[0]
    assert "changes from step to step" in notes[0]


def test_the_body_of_a_scan_is_shown(tmp_path, rng):
    held = {**arrays(rng), "one": np.array([1])}
    body = helper.make_graph(
        [node("y", x="part", name="scanned")], "body", [value("part", FLOAT)], [value("y")]
    )
    scan = helper.make_node(
        "Scan", ["x"], ["ys"], body=body, num_scan_inputs=1, scan_output_axes=[1]
    )
    inputs = [value("x", FLOAT, ["s", "t", "b", 3])]
    path = save(tmp_path / "m.onnx", [scan], inputs, ["ys"], held)
    x = rng.normal(size=(4, 5, 2, 3)).astype(np.float32)
    found, _ = shown(path, x)
    (ys,) = runtime(path, {"x": x})  # (time, steps, 1, batch, units)
    steps = ys.transpose(0, 2, 1, 3, 4).reshape(5, 1, 8, UNITS)
    assert_matches(found["scanned"], steps)


def function(name, nodes):
    opsets = [helper.make_opsetid("", 14), helper.make_opsetid("own", 1)]
    return helper.make_function("own", name, ["x", "W", "R", "B"], ["y"], nodes, opsets)


def test_functions_stand_where_they_are_called(tmp_path, rng):
    held = {**arrays(rng), **arrays(rng, end="2"), "one": np.array([1])}
    inner = function("Inner", [node("y", name="memory")])
    outer = function(
        "Outer", [helper.make_node("Inner", ["x", "W", "R", "B"], ["y"], domain="own")]
    )
    nodes = [
        helper.make_node("Outer", ["x", "W", "R", "B"], ["a"], domain="own"),
        helper.make_node("Inner", ["x", "W2", "R2", "B2"], ["b"], domain="own"),
    ]
    inputs = [value("x", FLOAT, ["t", "b", 3])]
    functions = [outer, inner]
    path = save(tmp_path / "m.onnx", nodes, inputs, "ab", held, functions=functions)
    x = rng.normal(size=(5, 2, 3)).astype(np.float32)
    found, _ = shown(path, x)
    assert len(found) == 2
    for analysis, theirs in zip(found.values(), runtime(path, {"x": x}), strict=True):
        assert_matches(analysis, theirs)


@pytest.mark.parametrize("kind", ["itself", "each other", "too often"])
def test_functions_that_never_end_are_refused(tmp_path, rng, kind):
    def calling(*names):
        return [helper.make_node(n, ["x", "W", "R", "B"], ["y"], domain="own") for n in names]

    if kind == "itself":
        functions = [function("F0", [*calling("F0"), node("z")])]
    elif kind == "each other":
        functions = [function("F0", [*calling("F1"), node("z")]), function("F1", calling("F0"))]
    else:
        functions = [function(f"F{k}", calling(*[f"F{k + 1}"] * 10)) for k in range(9)]
        functions.append(function("F9", [node("y")]))
    inputs = [value("x", FLOAT, ["t", "b", 3])]
    path = save(tmp_path / "m.onnx", calling("F0"), inputs, "y", arrays(rng), functions=functions)
    with pytest.raises(LstmProbeError, match="functions call each other too often"):
        lstm_probe.inspect(path, np.ones((5, 2, 3), np.float32))


@pytest.mark.parametrize("kind", ["QInt8", "QUInt8"])
@pytest.mark.parametrize("per_channel", [False, True])
@pytest.mark.parametrize("direction", ["forward", "reverse", "bidirectional"])
def test_weights_of_eight_bits_are_those_that_the_runtime_computes_with(
    tmp_path, rng, direction, per_channel, kind
):
    from onnxruntime.quantization import QuantType, quantize_dynamic

    directions = 2 if direction == "bidirectional" else 1
    inputs = [value("x", FLOAT, ["t", "b", 3])]
    nodes = [node("y", name="memory", direction=direction)]
    whole = save(tmp_path / "w.onnx", nodes, inputs, "y", arrays(rng, directions=directions))
    path = tmp_path / "m.onnx"
    quantize_dynamic(
        whole, path, op_types_to_quantize=["LSTM"], per_channel=per_channel,
        weight_type=getattr(QuantType, kind),
        reduce_range=True,  # else the runtime's sums saturate on processors without VNNI
    )  # fmt: skip
    x = rng.normal(size=(5, 2, 3)).astype(np.float32)
    found, notes = shown(path, x)
    (y,) = runtime(path, {"x": x})
    assert len(found) == len(notes) == directions
    for index, analysis in enumerate(found.values()):
        assert analysis.parity is None
        assert np.abs(analysis.trace.h - y[:, index].transpose(1, 0, 2)).max() < 0.03
        assert "rounds its inputs and states to eight bits" in notes[index]


def test_dequantised_weights_are_read_with_and_without_the_runtime(tmp_path, rng, monkeypatch):
    plain = arrays(rng)
    held = {"B": plain["B"]}
    nodes = []
    for name in "WR":
        scale = np.abs(plain[name]).max() / 127
        held[f"{name}_q"] = np.round(plain[name] / scale).astype(np.int8)
        held |= {f"{name}_scale": np.float32(scale), f"{name}_zero": np.int8(0)}
        parts = [f"{name}_q", f"{name}_scale", f"{name}_zero"]
        nodes.append(helper.make_node("DequantizeLinear", parts, [name]))
    inputs = [value("x", FLOAT, ["t", "b", 3])]
    path = save(tmp_path / "m.onnx", [*nodes, node("y", name="memory")], inputs, "y", held)
    x = rng.normal(size=(5, 2, 3)).astype(np.float32)
    assert_matches(shown(path, x)[0]["memory"], runtime(path, {"x": x})[0])
    without_runtime(monkeypatch)
    alone = lstm_probe.inspect(path, x)["memory"]
    y = runtime(path, {"x": x})[0]
    np.testing.assert_allclose(alone.trace.h, y[:, 0].transpose(1, 0, 2), atol=1e-6)


@pytest.mark.parametrize("size", [0, -1, "batch"])
def test_sizes_that_are_not_known_are_any_size(tmp_path, rng, size):
    inputs = [value("x", FLOAT, [size, size, 3])]
    path = save(tmp_path / "m.onnx", [node("y", name="memory")], inputs, "y", arrays(rng))
    x = rng.normal(size=(5, 2, 3)).astype(np.float32)
    twin = [value("x", FLOAT, ["t", "b", 3])]  # ONNX Runtime does not know that 0 is any size
    twin_path = save(tmp_path / "twin.onnx", [node("y")], twin, "y", dict(load(path)))
    assert_matches(shown(path, x)[0]["memory"], runtime(twin_path, {"x": x})[0])
    with pytest.raises(LstmProbeError, match=r"Expected: \(any, any, 3\) for its input 'x'"):
        lstm_probe.inspect(path, np.ones((5, 2, 4), np.float32))


def test_each_direction_has_its_own_three_activations(tmp_path, rng):
    names = ["Sigmoid", "Tanh", "Relu", "HardSigmoid", "Softsign", "Tanh"]
    inputs = [value("x", FLOAT, ["t", "b", 3])]
    nodes = [node("y", name="mixed", direction="bidirectional", activations=names)]
    path = save(tmp_path / "m.onnx", nodes, inputs, "y", arrays(rng, directions=2))
    x = rng.normal(size=(9, 2, 3)).astype(np.float32)
    found, _ = shown(path, x)
    (y,) = runtime(path, {"x": x})
    for index, end in enumerate(("forward", "backward")):
        assert_matches(found[f"mixed/{end}"], y, index)
        assert found[f"mixed/{end}"].gradient is not None


@pytest.mark.parametrize("clip", [0.3, 1.0, 50.0])
@pytest.mark.parametrize("kind", ["LSTM", "GRU", "RNN"])
def test_a_clip_acts_where_the_runtime_clips(tmp_path, rng, kind, clip):
    rows = {"LSTM": 4, "GRU": 3, "RNN": 1}[kind]
    held = arrays(rng, rows=rows)
    if kind == "LSTM":
        held["B"][:, 2 * UNITS : 3 * UNITS] += 3  # an open forget gate, so that c grows
    inputs = [value("x", FLOAT, ["t", "b", 3])]
    nodes = [node("y", kind=kind, name="memory", clip=clip)]
    path = save(tmp_path / "m.onnx", nodes, inputs, "y", held)
    x = rng.normal(0, 2, size=(30, 2, 3)).astype(np.float32)
    found, _ = shown(path, x)
    assert_matches(found["memory"], runtime(path, {"x": x})[0])
    if kind == "LSTM" and clip <= 1:  # else there is nothing to see
        assert np.abs(found["memory"].trace.c).max() > clip


@pytest.mark.parametrize("kind", ["LSTM", "GRU"])
def test_the_batch_may_come_first(tmp_path, rng, kind):
    """ONNX Runtime computes layout 0 alone: it is the truth for the same numbers."""
    held = arrays(rng, rows=4 if kind == "LSTM" else 3, directions=2)
    states = ["h0", "c0"] if kind == "LSTM" else ["h0"]
    own = {name: rng.normal(size=(2, 2, UNITS)).astype(np.float32) for name in states}
    outputs = ["y", "h", "c"][: 1 + len(states)]
    for layout in (0, 1):
        shape = [2, 5, 3] if layout else [5, 2, 3]
        names = ["x", "W", "R", "B", "", *states]
        made = helper.make_node(
            kind, names, outputs, "memory", hidden_size=UNITS, direction="bidirectional",
            **({"layout": 1} if layout else {}),
        )  # fmt: skip
        given = {k: v.swapaxes(0, 1) if layout else v for k, v in own.items()}
        inputs = [value("x", FLOAT, shape)]
        save(tmp_path / f"{layout}.onnx", [made], inputs, outputs, {**held, **given})
    x = rng.normal(size=(2, 5, 3)).astype(np.float32)
    y, *_ = runtime(tmp_path / "0.onnx", {"x": x.swapaxes(0, 1).copy()})
    found, _ = shown(tmp_path / "1.onnx", x)
    for index, end in enumerate(("forward", "backward")):
        assert_matches(found[f"memory/{end}"], y, index)


def test_a_model_that_the_runtime_does_not_load_is_shown_alone(tmp_path, rng):
    held = arrays(rng)
    nodes = [node("y", name="memory"), helper.make_node("Strange", ["y"], ["z"], domain="own")]
    inputs = [value("x", FLOAT, [5, 2, 3])]
    path = save(tmp_path / "m.onnx", nodes, inputs, "z", held)
    x = rng.normal(size=(5, 2, 3)).astype(np.float32)
    found, notes = shown(path, x)
    i, o, f, g = np.split(held["W"][0].T, 4, axis=1)
    kernel = np.hstack([i, f, g, o])
    i, o, f, g = np.split(held["R"][0].T, 4, axis=1)
    recurrent = np.hstack([i, f, g, o])
    i, o, f, g = np.split(held["B"][0].reshape(2, -1).sum(axis=0), 4)
    theirs = naive_lstm(x.swapaxes(0, 1), kernel, recurrent, np.hstack([i, f, g, o]))
    np.testing.assert_allclose(found["memory"].trace.h, theirs["h"], atol=1e-6)
    assert found["memory"].parity is None
    assert any("ONNX Runtime does not load" in note and "Strange" in note for note in notes)


def test_a_node_that_cannot_be_shown_hides_no_other(tmp_path, rng):
    nodes = [node("y", name="good"), node("z", name="odd", kind="RNN", end="2", weights="WR")]
    nodes[1].attribute.append(helper.make_attribute("activations", ["Tanh", "Tanh", "Tanh"]))
    held = {**arrays(rng), **arrays(rng, rows=1, end="2", bias=False)}
    path = save(tmp_path / "m.onnx", nodes, [value("x", FLOAT, [5, 2, 3])], "yz", held)
    found, notes = shown(path, np.ones((5, 2, 3), np.float32))
    assert list(found) == ["good"]
    assert any(each.startswith("odd is not shown: ") for each in notes)


def without_runtime(monkeypatch):
    found = onnx_file.find_spec
    monkeypatch.setattr(
        onnx_file, "find_spec", lambda name: None if name == "onnxruntime" else found(name)
    )


def test_what_the_file_does_not_tell_is_said_without_the_runtime(tmp_path, rng, monkeypatch):
    held = {**arrays(rng, size=4), **arrays(rng, size=4, end="2"), "one": np.array([1])}
    held |= {"M": rng.normal(size=(3, 4)).astype(np.float32)}
    held |= {"first": rng.normal(size=(1, 16, 3)).astype(np.float32)}
    nodes = [
        helper.make_node("LSTM", ["x", "first", "R", "B"], ["a"], "low", hidden_size=UNITS),
        helper.make_node("Squeeze", ["a", "one"], ["s"]),
        node("b", x="s", name="above"),
        helper.make_node("MatMul", ["x", "M"], ["m"]),
        node("c", x="m", end="2", name="behind"),
    ]
    path = save(tmp_path / "m.onnx", nodes, [value("x", FLOAT, ["t", "b", 3])], "abc", held)
    x = rng.normal(size=(5, 2, 3)).astype(np.float32)
    y, z, _ = runtime(path, {"x": x})
    without_runtime(monkeypatch)
    found, notes = shown(path, x)
    assert list(found) == ["low", "above"]
    for name, theirs in (("low", y), ("above", z)):
        h = theirs[:, 0].transpose(1, 0, 2)
        np.testing.assert_allclose(found[name].trace.h, h, atol=1e-6)
    assert any("behind is not run: what it reads is computed by MatMul" in note for note in notes)


def test_words_are_drawn_from_the_table_that_the_graph_looks_them_up_in(tmp_path, rng):
    held = {**arrays(rng), "table": rng.normal(size=(40, 3)).astype(np.float32)}
    nodes = [helper.make_node("Gather", ["table", "w"], ["x"]), node("y", name="memory")]
    path = save(tmp_path / "m.onnx", nodes, [value("w", INT64, ["t", "b"])], "y", held)
    drawn = open_model(path).random_probe((50, 20), rng)
    assert drawn.max() == 39
    assert drawn.min() == 0


def test_a_function_that_is_called_like_an_operator_is_no_recurrent_node(tmp_path, rng):
    inner = function("LSTM", [node("y", name="memory")])
    nodes = [helper.make_node("LSTM", ["x", "W", "R", "B"], ["y"], "call", domain="own")]
    inputs = [value("x", FLOAT, ["t", "b", 3])]
    path = save(tmp_path / "m.onnx", nodes, inputs, "y", arrays(rng), functions=[inner])
    x = rng.normal(size=(5, 2, 3)).astype(np.float32)
    found, notes = shown(path, x)
    assert len(found) == 1
    assert notes == []
    assert_matches(next(iter(found.values())), runtime(path, {"x": x})[0])


def test_what_a_node_with_the_batch_first_gives_is_read_by_others(tmp_path, rng):
    held = {**arrays(rng, directions=2), **arrays(rng, size=2 * UNITS, end="2")}
    held |= {"joined": np.array([0, 0, -1])}
    for layout in (0, 1):
        options = {"layout": 1} if layout else {}
        nodes = [
            node("a", name="low", direction="bidirectional", **options),
            # (time, directions, batch, units), or (batch, time, directions, units)
            helper.make_node(
                "Transpose", ["a"], ["b"], perm=[0, 1, 2, 3] if layout else [0, 2, 1, 3]
            ),
            helper.make_node("Reshape", ["b", "joined"], ["c"]),
            node("y", x="c", end="2", name="top", **options),
        ]
        inputs = [value("x", FLOAT, [2, 5, 3] if layout else [5, 2, 3])]
        save(tmp_path / f"{layout}.onnx", nodes, inputs, "y", held)
    x = rng.normal(size=(2, 5, 3)).astype(np.float32)
    (y,) = runtime(tmp_path / "0.onnx", {"x": x.swapaxes(0, 1).copy()})
    assert_matches(shown(tmp_path / "1.onnx", x)[0]["top"], y)


@pytest.mark.parametrize("per_row", [False, True])
def test_whole_numbers_stand_for_what_is_above_their_zero(rng, per_row):
    """The operator keeps its weights transposed: (directions, columns, rows)."""
    plain = arrays(rng, directions=2)
    names = ["x", "W", "R", "B", "", "", "", ""]
    values = {"B": plain["B"]}
    for name in "WR":
        shape = (2, 16) if per_row else (2,)
        scale = rng.uniform(0.01, 0.02, shape).astype(np.float32)
        zero = rng.integers(100, 150, shape).astype(np.uint8)
        whole = rng.integers(0, 255, plain[name].swapaxes(1, 2).shape).astype(np.uint8)
        spread = (slice(None), None, slice(None)) if per_row else (slice(None), None, None)
        plain[name] = ((whole.astype(float) - zero[spread]) * scale[spread]).swapaxes(1, 2)
        values |= {name: whole, f"{name}_scale": scale, f"{name}_zero": zero}
        names += [f"{name}_scale", f"{name}_zero"]
    made = helper.make_node(
        "DynamicQuantizeLSTM", names, ["y"], domain="com.microsoft", direction="bidirectional"
    )
    for direction in (0, 1):
        ours = weights_of(made, values, direction)
        theirs = lstm_probe.weights.from_onnx(
            plain["W"], plain["R"], b=plain["B"], direction=direction
        )
        np.testing.assert_allclose(ours.kernel, theirs.kernel, rtol=1e-5)
        np.testing.assert_allclose(ours.recurrent_kernel, theirs.recurrent_kernel, rtol=1e-5)
