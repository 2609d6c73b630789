"""Ten thousand captures: memory, threads, descriptors and figures do not grow."""

from __future__ import annotations

import sys
import threading
from pathlib import Path

import pytest
from process_size import descriptors, memory

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "faults"))
import recording

pytestmark = pytest.mark.long


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="Linux counts them in /proc")
@pytest.mark.parametrize("background", [False, True])
def test_nothing_grows_over_ten_thousand_captures(background: bool, tmp_path: Path) -> None:
    record, model = recording.recorder(tmp_path, background=background), recording.source()
    record.start(0, model)

    def capture(first: int, last: int) -> None:
        for step in range(first, last):
            record.capture(step, model)

    capture(1, 1000)  # caches fill
    before = memory(), threading.active_count(), descriptors()
    capture(1000, 10_001)
    after = memory(), threading.active_count(), descriptors()
    record.close()
    assert after[0] - before[0] < 5 * 2**20
    assert after[1:] == before[1:]
    assert record.report.due == 10_001
    assert record.report.failed == 0
