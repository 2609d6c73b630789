"""Several processes train one model: the first captures, and no process waits for another."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from event_reading import captured_steps

WORKER = Path(__file__).with_name("torch_worker.py")
TAG = "memory/l0/parity/max_abs_error"


def launched(log_dir: Path, kind: str) -> dict[int, str]:
    """What each of two processes says."""
    done = subprocess.run(
        [
            sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2",
            str(WORKER), str(log_dir), kind,
        ],
        capture_output=True, text=True, timeout=240, check=False, cwd=log_dir,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return {int(rank): said for rank, said in re.findall(r"rank (\d) (.*)", done.stdout)}


def test_the_first_process_of_a_distributed_training_captures(tmp_path: Path) -> None:
    without, probed = launched(tmp_path, "ddp without"), launched(tmp_path, "ddp")
    assert captured_steps(tmp_path, TAG) == [0, 2, 4, 6]
    assert "captured 4 layers memory/l0,memory/l1 " in probed[0]
    assert "captured 0 layers none " in probed[1]
    for rank in (0, 1):  # nothing is changed in any of them
        assert without[rank].split("state ")[1] == probed[rank].split("state ")[1]


def test_the_first_process_is_known_before_the_others_are(tmp_path: Path) -> None:
    assert launched(tmp_path, "early") == {0: "captured 1", 1: "captured 0"}


@pytest.mark.parametrize("kind", ["fsdp1", "fsdp2"])
def test_a_model_in_parts_is_refused_in_every_process(kind: str, tmp_path: Path) -> None:
    assert launched(tmp_path, kind) == {0: "refused True", 1: "refused True"}
    assert not list(tmp_path.glob("lstm_probe*"))
