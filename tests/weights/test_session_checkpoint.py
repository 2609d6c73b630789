"""Weights by name: from a Saver's checkpoint and from a session."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
import session_graphs as graphs
import tensorflow as tf
from session_graphs import cells, tf1

from lstm_probe import LstmProbeError
from lstm_probe.weights import from_keras, from_tf1, from_tf1_gru, from_tf1_rnn
from lstm_probe.weights.checkpoint import from_checkpoint, from_session, from_variables
from lstm_probe.weights.gates import GateWeights

pytestmark = pytest.mark.filterwarnings("ignore:.tf.nn.rnn_cell:UserWarning")
STACK = "rnn/multi_rnn_cell/cell_"


def assert_same(ours: GateWeights, theirs: GateWeights) -> None:
    assert type(ours) is type(theirs)
    for name in ("kernel", "recurrent_kernel", "bias", "peepholes", "projection"):
        one, other = getattr(ours, name, None), getattr(theirs, name, None)
        assert (one is None) == (other is None)
        if one is not None and other is not None:
            np.testing.assert_array_equal(one, other)


def test_each_cell_is_read_from_checkpoint_and_session(
    tmp_path: Path, rng: np.random.Generator
) -> None:
    with tf.Graph().as_default(), tf1.Session() as session:
        x = tf1.placeholder("float32", [None, 6, 4])
        stack = cells.MultiRNNCell(
            [
                cells.BasicLSTMCell(5),
                cells.LSTMCell(4, use_peepholes=True, num_proj=3),
                cells.GRUCell(5),
                cells.BasicRNNCell(8),
            ]
        )
        outputs, _ = tf1.nn.dynamic_rnn(stack, x, dtype="float32")
        keras.layers.LSTM(3, name="memory")(outputs)
        loss = tf.reduce_mean(outputs)
        tf1.train.AdamOptimizer().minimize(loss)  # its slots are called kernel/Adam
        graphs.randomise(session, rng)
        path = tf1.train.Saver().save(session, str(tmp_path / "model.ckpt"), global_step=600)
        basic, lstm, gru, rnn = (session.run(cell.variables) for cell in stack._cells)
        memory = [v for v in tf1.global_variables() if v.name.startswith("memory/")][:3]
        wanted = {
            f"{STACK}0/basic_lstm_cell": from_tf1(*basic),
            f"{STACK}1/lstm_cell": from_tf1(
                *lstm[:2], w_f_diag=lstm[2], w_i_diag=lstm[3], w_o_diag=lstm[4], projection=lstm[5]
            ),
            f"{STACK}2/gru_cell": from_tf1_gru(*gru),
            f"{STACK}3/basic_rnn_cell/": from_tf1_rnn(*rnn),
            "memory/lstm_cell": from_keras(*session.run(memory)),
        }
        for prefix, theirs in wanted.items():
            assert_same(from_session(session, prefix), theirs)
    for prefix, theirs in wanted.items():
        assert_same(from_checkpoint(path, prefix), theirs)
        assert_same(from_checkpoint(tmp_path, prefix), theirs)


def test_the_error_lists_the_cells_when_the_prefix_is_wrong(tmp_path: Path) -> None:
    arrays = {"a/cell/kernel": np.zeros((3, 8)), "b/gates/kernel": None, "c/bias": None}
    with pytest.raises(LstmProbeError, match=r"Received: 'rnn'. Expected one of 'a/cell', 'b'"):
        from_variables(arrays, "rnn")
    with pytest.raises(LstmProbeError, match=r"no checkpoint. Received: .*absent"):
        from_checkpoint(tmp_path / "absent", "rnn")


def test_the_layout_can_be_named_when_the_scope_does_not_tell(rng: np.random.Generator) -> None:
    arrays = {"mine/kernel": rng.normal(size=(12, 8)), "mine/bias": rng.normal(size=8)}
    assert_same(from_variables(arrays, "mine", reads=from_tf1_rnn), from_tf1_rnn(*arrays.values()))
    assert_same(from_variables(arrays, "mine"), from_tf1(*arrays.values()))


#: Reads cells where TensorFlow cannot be imported, and writes their kernels to a file.
WITHOUT_TENSORFLOW = """
import sys
sys.modules["tensorflow"] = None
import numpy as np
from lstm_probe import LstmProbeError, weights
folder, *cells = sys.argv[1:]
try:
    read = {cell: weights.from_checkpoint(folder + "/" + cell.split()[0], cell.split()[1])
            for cell in cells}
    np.savez(folder + "/read.npz", **{cell: each.kernel for cell, each in read.items()})
except LstmProbeError as error:
    print(error)
"""


def read_without_tensorflow(folder: Path, *cells: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_TENSORFLOW, str(folder), *cells],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One cell in several checkpoints, and one cell whose kernel is stored in slices."""
    folder = tmp_path_factory.mktemp("checkpoints")
    with tf.Graph().as_default(), tf1.Session() as session:
        kernel = tf1.get_variable("cell/kernel", [6, 8])
        bias = tf1.get_variable("cell/bias", [8])
        split = tf1.fixed_size_partitioner(2)
        tf1.get_variable("sliced/kernel", [6, 8], partitioner=split)
        graphs.randomise(session, np.random.default_rng(0))
        tf1.train.Saver([kernel, bias], write_version=1).save(session, str(folder / "v1"))
        tf1.train.Saver().save(session, str(folder / "v2"))
        tf1.train.Saver(sharded=True).save(session, str(folder / "sharded"))
        np.save(folder / "kernel.npy", session.run(kernel))
    one = tf.Module()
    one.kernel = tf.Variable(np.load(folder / "kernel.npy"), name="cell/kernel")
    tf.train.Checkpoint(module=one).write(str(folder / "objects"))
    return folder


def test_tensorflow_is_not_needed_when_the_checkpoint_has_format_v2(checkpoints: Path) -> None:
    cells = ["v2 cell", "sharded cell", "objects cell", ". cell"]
    assert read_without_tensorflow(checkpoints, *cells) == ""
    theirs = from_tf1(np.load(checkpoints / "kernel.npy")).kernel
    with np.load(checkpoints / "read.npz") as read:
        assert sorted(read) == sorted(cells)
        for kernel in read.values():
            np.testing.assert_array_equal(kernel, theirs)


@pytest.mark.parametrize("cell", ["v1 cell", "v2 sliced", "absent cell"])
def test_the_error_asks_for_tensorflow_when_nothing_else_reads_it(
    checkpoints: Path, cell: str
) -> None:
    name = checkpoints / cell.split()[0]
    said = read_without_tensorflow(checkpoints, cell)
    assert said.startswith("There is no checkpoint that can be read without TensorFlow. ")
    assert f"Received: {str(name)!r}. Expected: a path as tf.compat.v1" in said


def test_tensorflow_reads_it_when_the_bundle_reader_cannot(checkpoints: Path) -> None:
    assert_same(
        from_checkpoint(checkpoints / "v1", "cell"), from_checkpoint(checkpoints / "v2", "cell")
    )
    sliced = tf.train.load_checkpoint(str(checkpoints / "v2")).get_tensor("sliced/kernel")
    assert_same(from_checkpoint(checkpoints / "v2", "sliced"), from_tf1(sliced))


def test_the_error_says_what_is_wrong_when_a_checkpoint_is_damaged(
    checkpoints: Path, tmp_path: Path
) -> None:
    for path in checkpoints.glob("v2.*"):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    data = tmp_path / "v2.data-00000-of-00001"
    data.write_bytes(b"\0" * data.stat().st_size)
    with pytest.raises(LstmProbeError, match="Received: a variable whose checksum is wrong"):
        from_checkpoint(tmp_path / "v2", "cell")
