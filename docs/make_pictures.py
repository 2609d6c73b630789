"""The pictures of *Reading the gates*, from the trainings of `examples/diagnose_keras.py`.

python docs/make_pictures.py
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
DOCS = Path(__file__).resolve().parent
sys.path.insert(0, str(DOCS.parent / "examples"))

import diagnose_keras
import numpy as np
from diagnose_keras import Diagnosis
from matplotlib.figure import Figure
from PIL import Image

import lstm_probe
from lstm_probe.pictures import HeatmapPainter
from lstm_probe.pictures.mosaic import paint_mosaic

PICTURES = DOCS / "pictures"
#: Which array shows an illness best.
SHOWN = {"short_memory": "f", "saturated_gates": "o", "dead_units": "h"}
SEED = 0


def main() -> None:
    PICTURES.mkdir(exist_ok=True)
    for case in diagnose_keras.cases():
        with diagnose_keras.folder(None) as logs:
            ill = diagnose_keras.diagnose(case, case.ill, case.ill_rate, SEED, f"{logs}/ill")
            cured = diagnose_keras.diagnose(
                case, case.cured, case.cured_rate, SEED, f"{logs}/cured"
            )
        for label, found in (("ill", ill), ("cured", cured)):
            print(f"{case.rule}, {label}: accuracy {found.accuracy:.0%}")
            print("".join(f"    {alert}\n" for alert in found.alerts), end="")
            if case.rule in SHOWN:
                save_heatmap(found.analysis, SHOWN[case.rule], f"{case.rule}_{label}.png")
        if case.rule in ("vanishing_gradient", "short_memory"):
            save_gradients(ill, cured, f"{case.rule}_gradient.png")
        if case.rule == "saturated_gates":
            (PICTURES / "healthy.png").write_bytes(paint_mosaic(cured.analysis.trace).data)
            (PICTURES / "saturated.png").write_bytes(paint_mosaic(ill.analysis.trace).data)
        if case.rule == "short_memory":
            save_marks(cured.analysis)


def save_heatmap(analysis: lstm_probe.Analysis, letter: str, name: str) -> None:
    trace = analysis.trace
    png = HeatmapPainter().paint(
        trace[letter][0],
        interval=trace.ranges[letter],
        letter=letter,
        layer=trace.layer,
        step=trace.step,
    )
    (PICTURES / name).write_bytes(png.data)


def save_gradients(ill: Diagnosis, cured: Diagnosis, name: str) -> None:
    """How strongly the last state depends on each earlier one, on a logarithmic scale."""
    figure = Figure(figsize=(6.4, 3.0), layout="constrained")
    axes = figure.add_subplot()
    for label, found, colour in (("ill", ill, "#b2182b"), ("cured", cured, "#2166ac")):
        gradient = found.analysis.gradient
        assert gradient is not None
        norms = gradient.hidden if gradient.cell is None else gradient.cell
        axes.semilogy(norms.max(axis=0), color=colour, label=label)
        letter = gradient.memory
    axes.axhline(2.0**-24, color="0.5", linestyle=":", label="below, float32 adds it to 1 in vain")
    derivative = rf"$|\partial {letter}_T / \partial {letter}_t|$"
    axes.set(xlabel="timestep $t$", ylabel=derivative, ylim=(1e-30, 1e3))
    axes.legend(frameon=False)
    figure.savefig(PICTURES / name, dpi=110)
    with Image.open(PICTURES / name) as picture:
        picture.convert("RGB").quantize(32).save(PICTURES / name, optimize=True)


def save_marks(analysis: lstm_probe.Analysis) -> None:
    """Padding, and a NaN in the input: what is marked in a heatmap."""
    x = analysis.snapshot.x[:1, :40].astype(np.float64)
    x[0, 12] = np.nan
    mask = np.arange(40)[None] < 32
    weights = analysis.snapshot.weights
    assert isinstance(weights, lstm_probe.weights.LstmWeights)
    trace = lstm_probe.lstm(x, weights, mask=mask)
    png = HeatmapPainter().paint(
        trace.f[0], interval=(0.0, 1.0), letter="f", layer="memory", mask=mask[0]
    )
    (PICTURES / "marks.png").write_bytes(png.data)


if __name__ == "__main__":
    main()
