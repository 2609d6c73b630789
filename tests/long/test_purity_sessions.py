"""No capture of a session changes a bit of its training, whatever noise its graph draws."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from purity_sessions import GRAPHS, differences
from session_graphs import tf1

pytestmark = [pytest.mark.long, pytest.mark.filterwarnings("ignore:.tf.nn.rnn_cell:UserWarning")]


@pytest.fixture(params=["functions", "single ops"])
def _loops(request: pytest.FixtureRequest) -> Iterator[None]:
    """Loops are functions, or made of single ops as under disable_v2_behavior()."""
    if request.param == "single ops":
        tf1.disable_control_flow_v2()
    yield
    tf1.enable_control_flow_v2()


@pytest.mark.usefixtures("_loops")
@pytest.mark.parametrize("name", GRAPHS)
def test_nothing_is_left_of_a_capture(name: str, tmp_path: Path) -> None:
    control, probed = differences(name, tmp_path)
    assert control == []
    assert probed == []
