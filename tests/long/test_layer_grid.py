"""Parity over more than 500 layers against live Keras, and mutants that it must notice."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import keras
import mutants
import numpy as np
import pytest
from layer_grid import BOUNDS, Config, build, configs

from lstm_probe import Snapshot, analyse
from lstm_probe.callbacks import capture

pytestmark = pytest.mark.long

COUNT = 560
#: Layers of so many configurations share a model: it is traced once for all of them.
GROUP = 20


def snapshots_of(group: list[Config]) -> Iterator[tuple[Config, Snapshot]]:
    """Capture the layers of a group with one pass through one model."""
    built = {config: build(config) for config in group}
    inputs = [tensor for _, tensors, _, _ in built.values() for tensor in tensors]
    outputs = [output for _, _, output, _ in built.values()]
    probe = [array for _, _, _, arrays in built.values() for array in arrays]
    model = keras.Model(inputs, outputs)
    owners = {
        id(inner): config
        for config, (layer, *_) in built.items()
        for inner in layer._flatten_layers()
    }
    names = {
        (inner.path or inner.name): owners[id(inner)]
        for inner in model._flatten_layers()
        if id(inner) in owners
    }
    for name, snapshot in capture(model, probe).items():
        base = name.split("/cell_")[0]
        yield names[base], snapshot


@pytest.fixture(scope="module")
def grid() -> list[tuple[Config, Snapshot]]:
    # Batches of one size: the probe of a model has one. Half precisions are all in there.
    by_batch: dict[int, list[Config]] = {}
    for config in configs(COUNT):
        by_batch.setdefault(config.batch, []).append(config)
    groups = [
        same[start : start + GROUP]
        for same in by_batch.values()
        for start in range(0, len(same), GROUP)
    ]
    return [pair for group in groups for pair in snapshots_of(group)]


def test_parity_holds_over_the_whole_grid(
    grid: list[tuple[Config, Snapshot]], record_property: pytest.FixtureRequest
) -> None:
    worst: dict[str, float] = dict.fromkeys(BOUNDS, 0.0)
    failures = []
    for config, snapshot in grid:
        parity = analyse(snapshot).parity
        assert parity is not None, config
        error = parity.float64.max_abs
        worst[config.dtype] = max(worst[config.dtype], error)
        if not error < BOUNDS[config.dtype]:
            failures.append((error, snapshot.layer, config))
    record_property("worst", worst)  # type: ignore[operator]
    assert not failures, f"{len(failures)} of {len(grid)}: {failures[:5]}"
    assert len({config.number for config, _ in grid}) == COUNT
    print(f"{len(grid)} traces of {COUNT} layers, worst errors {worst}")  # noqa: T201


def test_every_option_occurs(grid: list[tuple[Config, Snapshot]]) -> None:
    for option in ("cell", "wrapper", "mask", "state", "dtype", "activation", "units", "time"):
        counts = Counter(getattr(config, option) for config, _ in grid)
        assert min(counts.values()) >= 3, (option, counts)
    flags = Counter(flag for config, _ in grid for flag in config.flags)
    assert min(flags.values()) >= 10, flags


@pytest.mark.parametrize("name", mutants.MUTANTS)
def test_every_mutant_is_noticed(name: str, grid: list[tuple[Config, Snapshot]]) -> None:
    applied = noticed = 0
    for config, snapshot in grid:
        if config.dtype not in ("float32", "float64"):
            continue
        mutant = mutants.MUTANTS[name](snapshot)
        if mutant is None:
            continue
        applied += 1
        parity = analyse(mutant).parity
        assert parity is not None
        noticed += not parity.float64.max_abs < 10 * BOUNDS[config.dtype]
        if applied >= 40:
            break
    assert applied >= 1, "no layer of the grid to apply it to"
    assert noticed >= max(1, applied // 4), f"{noticed} of {applied} noticed"


def test_half_precisions_notice_full_weights(grid: list[tuple[Config, Snapshot]]) -> None:
    """A mutant of its own: nothing else tells that the weights are those computed with."""
    halves = [s for c, s in grid if c.dtype == "mixed_bfloat16"]
    for snapshot in halves:
        for _, array in snapshot.weights.named():
            bits = np.ascontiguousarray(array, np.float32).view(np.uint32)
            assert not (bits & 0xFFFF).any()
