"""The command line: every command on every kind of file, its outputs, and bad inputs."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import keras
import numpy as np
import trained
from command_line import run
from described import note_analysis, picture
from logs import note_log
from model_files import write_files
from observations import Observations, attempt

import lstm_probe
from lstm_probe.callbacks import ProbeCallback

__all__ = ["observe"]

_COMMANDS = ("inspect", "replay", "diff", "report", "export", "watch")
_PROBE = ("--probe", "probe.npy")


def observe(seen: Observations) -> None:
    """Help, models, rows of checkpoints, logs, and what is refused."""
    for command in ("", *_COMMANDS):
        words = [command] if command else []
        seen.note("command", f"{command} --help", run(*words, "--help"))
        seen.note("command", f"{command} alone", run(*words))
    seen.note("command", "version", run("--version"))
    files = write_files()
    _note_inspect(seen, files)
    _note_models(seen)
    _note_logs(seen)
    _note_bad_inputs(seen)


def _note_inspect(seen: Observations, files: dict[str, tuple[str, ...]]) -> None:
    for name, options in files.items():
        seen.note("command", f"inspect {name}", run("inspect", name, *_PROBE, *options))
        found = run("inspect", name, "--random", "2,6,3", "--json", "--check", *options)
        seen.note("command", f"inspect {name} json", found)
        given: dict[str, Any] = {}
        if "--config" in options:
            given["config"] = options[-1]
        if "--cell" in options:
            given["cell"] = dict([options[-1].split("=")])
        found = attempt(
            lambda name=name, given=given: lstm_probe.inspect(name, "probe.npy", **given)
        )
        if "refused" in found:
            seen.note("refusal", f"inspect {name}", found)
            continue
        for layer, analysis in found.items():
            note_analysis(seen, f"{name}/{layer}", analysis)
    more = ("--layer", "memory", "--log-dir", "inspected", "--plot", "gates.png")
    seen.note("command", "inspect to a log", run("inspect", "model.keras", *_PROBE, *more))
    seen.note("pixels", "inspect", picture(Path("gates.png").read_bytes()))
    note_log(seen, "inspected", Path("inspected"))


def _note_models(seen: Observations) -> None:
    for detail in ("gates", "full"):
        words = ("replay", "row", *_PROBE, "-o", f"replayed_{detail}", "--detail", detail)
        seen.note("command", f"replay {detail}", run(*words))
        note_log(seen, f"replayed {detail}", Path(f"replayed_{detail}"))
    pairs = {
        "two models": ("model.keras", "later.keras", *_PROBE),
        "two models json": ("model.keras", "later.keras", *_PROBE, "--json"),
        "a model with itself": ("model.keras", "model.keras", *_PROBE),
        "two kinds": ("model.keras", "model.h5", *_PROBE, "--json"),
        "logs": ("replayed_gates", "replayed_full", "--json"),
        "strangers": ("model.keras", "model.onnx", *_PROBE),
    }
    for name, words in pairs.items():
        seen.note("command", f"diff {name}", run("diff", *words))


def _note_logs(seen: Observations) -> None:
    x, y = trained.data()
    probe = ProbeCallback(x[:2], "trained", every=3, max_overhead=None, detail="full")
    options: dict[str, Any] = {"shuffle": False, "verbose": 0, "callbacks": [probe]}
    trained.model(keras).fit(x, y, batch_size=8, **options)
    seen.note("command", "watch", run("watch", ".", "--once"))
    seen.note("command", "watch json", run("watch", ".", "--json"))
    for ending, read in _READERS.items():
        for name, words in {"all": (), "some": ("--layer", "reader", "--gate", "h")}.items():
            target = f"{name}{ending}"
            said = run("export", "trained", "-o", target, *words)
            seen.note("command", f"export {target}", said)
            if Path(target).is_file():
                seen.note("export", target, read(target))
    seen.note("command", "report", run("report", "trained", "-o", "report.html"))
    page = Path("report.html").read_text()
    seen.note("text", "report", {"title": "<title>" in page, "data": page.count("<script")})
    for ending in ("png", "svg", "pdf"):
        words = ("trained", "--layer", "reader", "-o", f"sheet.{ending}")
        seen.note("command", f"report {ending}", run("report", *words))
    seen.note("pixels", "report", picture(Path("sheet.png").read_bytes()))


def _npz(path: str) -> Any:
    with np.load(path) as file:
        return {k: v.tolist() if v.dtype.kind in "US" else v for k, v in file.items()}


def _csv(path: str) -> Any:
    with Path(path).open(newline="") as file:
        header, *rows = csv.reader(file)
    return {"header": header, "count": len(rows), "rows": [",".join(row) for row in rows[::97]]}


def _parquet(path: str) -> Any:
    import pandas as pd

    frame = pd.read_parquet(path)
    columns = {name: frame[name].to_numpy() for name in frame.columns}
    return {
        "dtypes": str(frame.dtypes),
        "columns": {k: v.tolist() if v.dtype.kind == "O" else v for k, v in columns.items()},
    }


def _nc(path: str) -> Any:
    import xarray as xr

    with xr.open_datatree(path) as tree:
        groups = {node.path: node.to_dataset() for node in tree.subtree}
        return {
            name: {
                "attributes": {k: str(v) for k, v in group.attrs.items()},
                "variables": {
                    str(k): {
                        "dims": list(map(str, v.dims)),
                        "attributes": {a: str(b) for a, b in v.attrs.items()},
                        "values": v.values.tolist() if v.dtype.kind == "O" else v.values,
                    }
                    for k, v in group.variables.items()
                },
            }
            for name, group in groups.items()
        }


_READERS = {".npz": _npz, ".csv": _csv, ".parquet": _parquet, ".nc": _nc}


def _note_bad_inputs(seen: Observations) -> None:
    Path("empty.keras").write_bytes(b"")
    Path("text.onnx").write_text("no model")
    Path("words.npy").write_text("no array")
    Path("empty").mkdir()
    np.savez("strange.npz", a=np.zeros((2, 2)))
    bad = {
        "no model": ("inspect", "nowhere.keras", *_PROBE),
        "no probe": ("inspect", "model.keras"),
        "two probes": ("inspect", "model.keras", *_PROBE, "--random", "1,6,3"),
        "wrong probe": ("inspect", "model.keras", "--random", "1,6,4"),
        "wrong shape": ("inspect", "model.keras", "--random", "1,x"),
        "damaged probe": ("inspect", "model.keras", "--probe", "words.npy"),
        "weights alone": ("inspect", "model.weights.h5", *_PROBE),
        "no such layer": ("inspect", "model.keras", *_PROBE, "--layer", "other"),
        "cell option": ("inspect", "lstm.npz", *_PROBE, "--cell", "forget_bias"),
        "unknown cell option": ("inspect", "lstm.npz", *_PROBE, "--cell", "colour=red"),
        "plot": ("inspect", "model.keras", *_PROBE, "--plot", "gates.gif"),
        "empty file": ("inspect", "empty.keras", *_PROBE),
        "text": ("inspect", "text.onnx", *_PROBE),
        "strange arrays": ("inspect", "strange.npz", *_PROBE),
        "no option": ("inspect", "model.keras", "--colour", "red"),
        "no command": ("look",),
        "replay nothing": ("replay", "empty", *_PROBE, "-o", "nothing"),
        "replay detail": ("replay", "row", *_PROBE, "-o", "nothing", "--detail", "much"),
        "watch nothing": ("watch", "nowhere", "--once"),
        "watch empty": ("watch", "empty", "--once"),
        "export ending": ("export", "trained", "-o", "gates.txt"),
        "export layer": ("export", "trained", "-o", "x.npz", "--layer", "other"),
        "export gate": ("export", "trained", "-o", "x.npz", "--gate", "q"),
        "export nothing": ("export", "empty", "-o", "x.npz"),
        "export several": ("export", ".", "-o", "x.npz"),
        "export nowhere": ("export", "trained", "-o", "nowhere/x.npz"),
        "report ending": ("report", "trained", "-o", "report.txt"),
        "report run": ("report", "trained", "-o", "x.html", "--run", "other"),
        "diff nothing": ("diff", "model.keras"),
    }
    for name, words in bad.items():
        seen.note("command", f"bad {name}", run(*words))
