"""Parity over a grid of PyTorch's modules, against the executed module and an independent loop."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import mutants
import numpy as np
import pytest
import torch
from torch_grid import BOUNDS, Config, build, configs, expected

from lstm_probe import Snapshot, analyse
from lstm_probe.models.torch.reader import capture_torch

# PyTorch says so of its own kernels.
pytestmark = pytest.mark.filterwarnings("ignore:LSTM with projections is not supported with oneDNN")

COUNT = 256


@pytest.fixture(scope="module")
def grid() -> list[tuple[Config, list[Snapshot]]]:
    made = [(config, build(config)) for config in configs(COUNT)]
    return [(config, capture_torch(module, probe)) for config, (module, probe, *_) in made]


def test_parity_holds_against_the_executed_module(
    grid: list[tuple[Config, list[Snapshot]]],
) -> None:
    worst, failures, count = dict.fromkeys(BOUNDS, 0.0), [], 0
    for config, snapshots in grid:
        both = 2 if config.both else 1
        assert len(snapshots) == (1 if config.is_cell else config.layers * both), config
        for snapshot in snapshots:
            parity, count = analyse(snapshot).parity, count + 1
            assert parity is not None
            error = parity.float64.max_abs
            worst[config.dtype] = max(worst[config.dtype], error)
            if not error < BOUNDS[config.dtype] or str(parity.verdict) != "match":
                failures.append((error, str(parity.verdict), snapshot.layer, config))
    print(f"{count} layers of {COUNT} modules, worst errors {worst}")  # noqa: T201
    assert not failures, f"{len(failures)} of {count}: {failures[:3]}"
    assert count >= 400


def test_what_is_shown_is_what_an_independent_loop_computes(
    grid: list[tuple[Config, list[Snapshot]]],
) -> None:
    for config, snapshots in grid:
        module, _, lengths, given = build(config)
        loop = expected(config, module, given, lengths)
        names = {s.layer: s for s in snapshots}
        assert set(names) == set(loop), config
        for name, h in loop.items():
            valid = np.arange(h.shape[1]) < np.array(lengths)[:, None]
            for shown in (analyse(names[name]).trace.h, names[name].output):
                assert shown.shape == h.shape, config
                assert np.abs(shown - h)[valid].max() < BOUNDS[config.dtype], (name, config)


def test_every_option_occurs(grid: list[tuple[Config, list[Snapshot]]]) -> None:
    drawn = [name for name in Config.__dataclass_fields__ if name not in ("number", "proj")]
    for option in drawn:
        counts = Counter(getattr(config, option) for config, _ in grid)
        assert min(counts.values()) >= 8, (option, counts)
    assert sum(config.proj > 0 for config, _ in grid) >= 8


@pytest.mark.parametrize("name", [name for name in mutants.MUTANTS if "Keras 2" not in name])
def test_every_mutant_is_noticed(name: str, grid: list[tuple[Config, list[Snapshot]]]) -> None:
    applied = noticed = 0
    for config, snapshots in grid:
        for snapshot in (
            snapshots if not config.proj else ()
        ):  # whose arrays the mutants do not know
            mutant = mutants.MUTANTS[name](snapshot)
            if mutant is None or applied >= 60:
                continue
            applied += 1
            parity = analyse(mutant).parity
            assert parity is not None
            noticed += not parity.float64.max_abs < 10 * BOUNDS[config.dtype]
    if applied == 0:
        pytest.skip("PyTorch has no layer to apply it to")
    assert noticed >= max(1, applied // 4), f"{noticed} of {applied} noticed"


@pytest.mark.parametrize("broken", ["padding reversed too", "layers exchanged", "states exchanged"])
def test_what_readers_of_pytorch_get_wrong_is_noticed(
    broken: str, grid: list[tuple[Config, list[Snapshot]]]
) -> None:
    applied = noticed = 0
    for config, snapshots in grid:
        for mutant in _broken(broken, snapshots):
            applied += 1
            parity = analyse(mutant).parity
            assert parity is not None
            noticed += not parity.float64.max_abs < 10 * BOUNDS[config.dtype]
    assert applied >= 8
    assert noticed >= 0.9 * applied, f"{noticed} of {applied}"


def _broken(how: str, snapshots: list[Snapshot]) -> list[Snapshot]:
    if how == "padding reversed too":  # the padded array is turned, instead of each sequence
        return [
            replace(s, mask=None)
            for s in snapshots
            if s.reverse and s.mask is not None and not s.mask.all()
        ]
    if how == "layers exchanged":
        below, above = snapshots[:1], snapshots[1:2]
        same = below and above and below[0].weights.input_size == above[0].weights.input_size
        return [replace(below[0], weights=above[0].weights)] if same else []
    first = next((s for s in snapshots if s.initial_state is not None and len(s.x) > 1), None)
    if first is None or first.initial_state is None:
        return []
    return [replace(first, initial_state=tuple(s[::-1] for s in first.initial_state))]


def test_half_precisions_match_within_their_rounding() -> None:
    for dtype in (torch.float16, torch.bfloat16):
        torch.manual_seed(3)
        module = torch.nn.LSTM(3, 8, 2, batch_first=True).to(dtype)
        for snapshot in capture_torch(module, torch.randn(2, 9, 3, dtype=dtype)):
            parity = analyse(snapshot).parity
            assert parity is not None
            assert str(parity.verdict) == "match", (dtype, snapshot.layer)
            assert snapshot.dtype == str(dtype).removeprefix("torch.")
