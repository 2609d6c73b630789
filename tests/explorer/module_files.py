"""What the tests of the page's modules read: files by NumPy, safetensors and matplotlib, and a log.

The tests in `js/` compare the modules with these files. Nothing here is computed as the modules do
it: the numbers come from the probe's own traces and from other libraries.
"""

from __future__ import annotations

import json
from dataclasses import replace
from importlib.resources import files
from pathlib import Path
from typing import Any
from unittest.mock import patch

import matplotlib
import numpy as np
import samples
from safetensors.numpy import save

from lstm_probe import Alert, Analysis, LstmCell, analyse
from lstm_probe.analysis.explained import explain_layer
from lstm_probe.explorer.page import write_page
from lstm_probe.explorer.page.shrink import Plan
from lstm_probe.logs import EventFile, RunLog
from lstm_probe.logs.stored.course import captures_value, point_of
from lstm_probe.logs.stored.format import as_json, evenly
from lstm_probe.logs.stored.reader import find_runs
from lstm_probe.logs.stored.values import gates_value
from lstm_probe.models.probe_data import ProbeData

_OUTPUT = 3
_MAPS = ("RdBu", "PuOr", "viridis", "cividis", "magma")


def copy_modules(folder: Path) -> None:
    """The modules of the page and of all its homes, as one folder of ES modules."""
    folder.mkdir()
    (folder / "package.json").write_text('{"type": "module"}')
    explorer = files("lstm_probe.explorer")
    for source in (explorer / name for name in ("static", "page", "server", "widget")):
        for entry in source.iterdir():
            if entry.name.endswith(".js"):
                (folder / entry.name).write_text(entry.read_text(encoding="utf-8"), "utf-8")


def write_files(folder: Path, rng: np.random.Generator) -> None:
    """Every file but the log."""
    _write_arrays(folder, rng)
    _write_halves(folder, rng)
    _write_capture(folder, rng)
    _write_colours(folder)
    sizes = [
        1,
        2,
        399,
        400,
        401,
        402,
        500,
        799,
        800,
        1197,
        1198,
        1597,
        *rng.integers(403, 9999, 40),
    ]
    _write(folder / "evenly.json", [[int(size), evenly(size, 400).tolist()] for size in sizes])


def write_logs(log_dir: Path, rng: np.random.Generator) -> None:
    """Runs that differ in what a source has to tell of them.

    `late` has a layer that is first in the model and last in the log, weights, names that have to
    be escaped, the probe's own data, and in one layer what the analyses found. `long` has more
    captures than a course takes, and units that the last captures lack. `narrow` has a projected h,
    and an alert that clears. `opaque` compared nothing. `bare` has captures without summaries, and
    `points` summaries without captures.
    """
    own = np.random.default_rng(8)  # the numbers of the other runs stay what they are
    data = ProbeData({"x": own.normal(size=(2, 7, 3))}, {"": np.array([1, 0])})
    with RunLog(log_dir / "late", detail="full", pictures=False, data=data) as log:
        for step, names in enumerate(
            [("upper é/1&c",), ("lower", "upper é/1&c"), ("lower", "</script>")]
        ):
            outputs = {"": own.normal(size=(2, 3))}
            analyses = [_analysis(rng, name, 10 * step) for name in names]
            log.write(analyses, step=10 * step, outputs=outputs)
        for step in (10, 20):
            one = samples.snapshot(own, batch=4, time=40, layer="lower", step=step)
            told = explain_layer(analyse(one), analyses=["ablation", "need", "stability"])
            log.write_explained({"lower": told}, step=step)
    with EventFile(log_dir / "long") as file:
        wide, narrow = (_analysis(rng, "memory", 0, units=units) for units in (6, 4))
        for step in range(431):
            one = wide if step < 300 else narrow
            file.write(
                [gates_value(one), captures_value(point_of([one.summary()], step=step))], step=step
            )
    with RunLog(log_dir / "narrow", pictures=False) as log:
        ill = Alert("dead_units", "projected", 7, "1 of 5", 0.2, 0.1, "a lower learning rate")
        for step in range(0, 40, 7):
            others = [replace(ill, step=21, state="cleared")] * (step == 21)
            alerts = [ill] * (step == 7)
            log.write([_projected(rng, step)], step=step, alerts=alerts, others=others)
    with EventFile(log_dir / "opaque") as file:
        for step in range(3):
            one = replace(_analysis(rng, "memory", step), parity=None)
            file.write(
                [gates_value(one), captures_value(point_of([one.summary()], step=step))], step=step
            )
    with EventFile(log_dir / "bare") as file:
        file.write([gates_value(_analysis(rng, "memory", 4))], step=4)
    with RunLog(log_dir / "points", detail="scalars", pictures=False) as log:
        log.write([_analysis(rng, "memory", 0)], step=0)


def write_reports(log_dir: Path, folder: Path) -> None:
    """The report of the logs, with the gates as they were logged; and one in steps of one byte."""
    runs = find_runs(log_dir)
    facts = write_page(folder / "report.html", runs)
    assert str(facts.plan) == "gates as logged"
    assert facts.weights
    with patch("lstm_probe.explorer.page.page.PLANS", (Plan(one_byte=True),)):
        write_page(folder / "coarse.html", {name: runs[name] for name in runs if "narrow" in name})


def _analysis(rng: np.random.Generator, layer: str, step: int, *, units: int = 5) -> Analysis:
    weights = samples.lstm_weights(rng, 3, units)
    exact = samples.snapshot(rng, weights=weights, layer=layer, step=step, epoch=step / 4)
    output = exact.output + rng.normal(0, 1e-15, exact.output.shape)
    return analyse(replace(exact, output=output))


def _projected(rng: np.random.Generator, step: int, **fields: Any) -> Analysis:
    weights = replace(
        samples.lstm_weights(rng, 3, 7),
        kernel=rng.normal(0, 4, (3, 4, 7)),  # so that gates saturate
        recurrent_kernel=rng.normal(0, 0.5, (_OUTPUT, 4, 7)),
        projection=rng.normal(0, 0.5, (7, _OUTPUT)),
    )
    fields = {"layer": "projected", "cell": LstmCell(), **fields}
    snapshot = samples.snapshot(rng, weights=weights, step=step, time=9, **fields)
    noise = rng.normal(0, 1e-15, (2, 9, _OUTPUT))
    return analyse(replace(snapshot, output=snapshot.output + noise))


def _write_arrays(folder: Path, rng: np.random.Generator) -> None:
    """A file by the safetensors library, and the values in it."""
    arrays = {
        "halves": rng.normal(size=(2, 3, 5)).astype(np.float16),
        "singles": rng.normal(size=(7,)).astype(np.float32),
        "doubles": np.array([[np.nan, np.inf, -np.inf], [0.1, -1e300, 5e-324]]),
        "bytes é": rng.integers(-128, 128, (3, 3)).astype(np.int8),
        "codes": rng.integers(0, 256, 11).astype(np.uint8),
        "numbers": rng.integers(-(2**31), 2**31, (2, 1, 2, 2)).astype(np.int32),
        "empty": np.zeros((0, 4), np.float32),
    }
    meta = {"format": 1, "layer": "é <b>", "error": "nan"}
    (folder / "arrays.safetensors").write_bytes(save(arrays, {"lstm_probe": json.dumps(meta)}))
    expected = {
        name: {"shape": array.shape, "values": array.ravel().tolist()}
        for name, array in arrays.items()
    }
    _write(folder / "arrays.json", {"arrays": expected, "meta": meta})


def _write_halves(folder: Path, rng: np.random.Generator) -> None:
    """Every float16 as float32, and the float16 that NumPy finds for numbers of all sizes."""
    every = np.arange(65536, dtype=np.uint16).view(np.float16)
    (folder / "halves.f32").write_bytes(every.astype("<f4").tobytes())
    signs, sizes = rng.choice([-1.0, 1.0], 5000), 10.0 ** rng.uniform(-8, 4.81, 5000)
    near = np.nextafter(2.0 ** rng.integers(-14, 16, 200), rng.choice([0.0, 1e9], 200))
    numbers = np.concatenate([signs * sizes, near, every[np.isfinite(every)].astype(float)])
    numbers = numbers[np.abs(numbers) <= 65504] + 0.0  # no -0
    (folder / "numbers.f64").write_bytes(numbers.astype("<f8").tobytes())
    (folder / "numbers.u16").write_bytes(numbers.astype(np.float16).tobytes())


def _write_capture(folder: Path, rng: np.random.Generator) -> None:
    """A stored capture with a mask, labels and a projected h, and what its trace says."""
    mask = rng.random((2, 9)) < 0.7
    mask[:, 0] = True
    one = _projected(rng, 12, mask=mask, zero_output_for_mask=False)
    labels = [f"word {index}" for index in range(9)]
    one = replace(one, trace=replace(one.trace, labels=(tuple(labels),) * 2))
    value = gates_value(one)
    (folder / "capture.safetensors").write_bytes(value.tensor.string_val[0])
    trace = one.trace
    _write_sentences(folder, one)
    gates = {letter: trace[letter].astype(np.float16).tolist() for letter in trace.letters}
    health = one.health
    kept = np.where(mask[0], trace["f"][0].T.astype(np.float16), np.nan)
    orders = {
        "mean": np.argsort(-np.nansum(kept, axis=1, dtype=np.float64), kind="stable"),
        "saturation": np.argsort(
            -(health.gates["f"].low + health.gates["f"].high).astype(np.float32), kind="stable"
        ),
        "horizon": np.argsort(-health.horizon.astype(np.float32), kind="stable"),
        "similarity": _chain(kept[:, mask[0]].astype(np.float64)),
    }
    expected = {
        "letters": list(trace.letters),
        "gates": gates,
        "mask": mask,
        "labels": labels,
        "error": np.where(mask[:, :, None], one.snapshot.output - trace.h, 0.0),
        "orders": orders,
        "horizon": health.horizon.astype(np.float32),
        "parity": one.parity.float64.max_abs,
        "verdict": one.parity.verdict.kind,
    }
    _write(folder / "capture.json", expected)


def _write_sentences(folder: Path, one: Analysis) -> None:
    """A capture whose sequences have labels and names of their own, with gates in float32 too."""
    words = [[f"{whose}{t}" for t in range(9)] for whose in ("good", "bad")]
    words[1][6:] = ["", "", ""]
    names = ("praise", "blame")
    trace = replace(one.trace, labels=tuple(map(tuple, words)), sequence_names=names)
    value = gates_value(replace(one, trace=trace), float32=True)
    (folder / "sentences.safetensors").write_bytes(value.tensor.string_val[0])
    exact = {letter: trace[letter].astype(np.float32).tolist() for letter in trace.letters}
    _write(folder / "sentences.json", {"words": words, "names": names, "exact": exact})


def _chain(curves: np.ndarray) -> list[int]:
    """From unit 0 always to the unit whose correlation with the present one is largest."""
    alike = np.corrcoef(curves)
    chain = [0]
    while len(chain) < len(curves):
        left = [unit for unit in range(len(curves)) if unit not in chain]
        chain.append(max(left, key=lambda unit: alike[chain[-1], unit]))
    return chain


def _write_colours(folder: Path) -> None:
    """Matplotlib's colours at 512 places of each map, as bytes."""
    places = np.linspace(0, 1, 512)
    colours = {
        name: np.round(matplotlib.colormaps[name](places)[:, :3] * 255).astype(int)
        for name in _MAPS
    }
    _write(folder / "colours.json", colours)


def _write(path: Path, value: Any) -> None:
    path.write_text(as_json(value), encoding="utf-8")
