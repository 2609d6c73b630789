"""What a notebook shows of a trace or an analysis: tables and one picture."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable, Sequence
from html import escape

from lstm_probe.analysis.analysis import Analysis
from lstm_probe.analysis.explained import Explained
from lstm_probe.analysis.words.phrases import ONLY_H, without_parity
from lstm_probe.analysis.words.summary import GateSummary, LayerSummary
from lstm_probe.core.trace import GateTrace, title

__all__ = ["analysis_html", "explained_html", "trace_html"]

_STYLE = "border-collapse:collapse;margin:0 0 .6em 0;font-size:90%"
_LIST = "margin:0 0 .8em 0;padding-left:1.2em"
_KEY = (
    "Units over timesteps of the first sequence{name}. Gates: red 0 (closed), blue 1 (open); the "
    "others: red negative, blue positive. Masked steps are hatched, NaN is green."
)
_CELL = "text-align:left;padding:.15em .8em .15em 0;vertical-align:top"


def trace_html(trace: GateTrace) -> str:
    """A table of one line, and a picture of all gates of the first sequence.

    Example:
        >>> import numpy as np
        >>> trace = GateTrace({"h": np.zeros((1, 5, 2))}, {"h": (-1.0, 1.0)}, layer="a<b")
        >>> html = trace_html(trace)
        >>> "a&lt;b" in html, "data:image/png;base64," in html
        (True, True)
    """
    return f"<div>{_table([_facts(trace)])}{_picture(trace)}</div>"


def analysis_html(analysis: Analysis) -> str:
    """What the gates say, tables of parity and gate health, and a picture of the first sequence.

    Example:
        >>> import lstm_probe, numpy as np
        >>> weights = lstm_probe.weights.from_keras(np.zeros((3, 8)), np.zeros((2, 8)))
        >>> x, h = np.zeros((1, 5, 3)), np.zeros((1, 5, 2))
        >>> seen = lstm_probe.Snapshot(0, "m", lstm_probe.LstmCell(), weights, x=x, output=h)
        >>> "match" in analysis_html(lstm_probe.analyse(seen))
        True
    """
    trace, summary = analysis.trace, analysis.summary()
    facts = _facts(trace) | _parity(summary) | _units(summary)
    gates = [_gate(letter, gate) for letter, gate in summary.gates.items()]
    said = _sentences([answer.text for answer in analysis.answers()])
    return f"<div>{said}{_table([facts])}{_table(gates)}{_picture(trace)}</div>"


def _sentences(said: Sequence[str]) -> str:
    items = "".join(f"<li>{escape(sentence)}</li>" for sentence in said)
    return f'<ul style="{_LIST}">{items}</ul>' if items else ""


def explained_html(explained: Explained) -> str:
    """The sentences on a layer, by analysis, with what is missing.

    Example:
        >>> from lstm_probe.analysis.explained import Explained
        >>> html = explained_html(Explained("a<b", 3, {}, {"tracking": "One sequence."}))
        >>> "a&lt;b, step 3" in html, "<li>Not made: One sequence.</li>" in html
        (True, True)
    """
    parts = {
        name: [answer.text for answer in each.sentences()]
        for name, each in explained.findings.items()
    }
    parts |= {name: [f"Not made: {why}"] for name, why in explained.missing.items()}
    told = [*filter(None, [explained.asked_of]), *explained.notes]
    parts |= {"notes": told} if told else {}
    lists = "".join(
        f"<b>{escape(name)}</b><ul>{''.join(f'<li>{escape(each)}</li>' for each in texts)}</ul>"
        for name, texts in parts.items()
    )
    return f"<div><p>{escape(f'{explained.layer}, step {explained.step}')}</p>{lists}</div>"


def _facts(trace: GateTrace) -> dict[str, str]:
    batch, timesteps = trace[trace.letters[0]].shape[:2]
    return {
        "layer": trace.layer or "\N{EN DASH}",
        "cell": trace.cell or "\N{EN DASH}",
        "units": str(trace.units),
        "sequences × steps": f"{batch} × {timesteps}",
        **({} if trace.step is None else {"training step": str(trace.step)}),
    }


def _parity(summary: LayerSummary) -> dict[str, str]:
    if summary.parity is None:
        shown = f": {ONLY_H}" if summary.cell is None else ""
        return {"parity": without_parity(summary.cell) + shown}
    verdict = "" if summary.verdict is None else f": {summary.verdict}"
    return {"parity error": f"{summary.parity.max_abs:.1e}{verdict}"}


def _units(summary: LayerSummary) -> dict[str, str]:
    units = {"dead units": str(len(summary.dead)), "copies": str(len(summary.copies))}
    if summary.longest_horizon is not None:
        units["longest memory"] = f"{summary.longest_horizon:.3g} steps"
    if summary.gradient is not None:
        units["gradient reaches back"] = f"{summary.gradient.reach:.3g} steps"
    if summary.not_finite is not None:
        units["first NaN or infinity"] = str(summary.not_finite)
    return units


def _gate(letter: str, gate: GateSummary) -> dict[str, str]:
    return {
        "gate": title(letter),
        "mean": f"{gate.mean:.2f}",
        "below 0.1": f"{gate.shut:.0%}",
        "above 0.9": f"{gate.open:.0%}",
        "stuck units": str(gate.stuck),
    }


def _table(rows: Sequence[dict[str, str]]) -> str:
    if not rows:
        return ""
    lines = [_row("th", rows[0]), *(_row("td", row.values()) for row in rows)]
    return f'<table style="{_STYLE}">{"".join(lines)}</table>'


def _row(tag: str, words: Iterable[str]) -> str:
    cells = "".join(f'<{tag} style="{_CELL}">{escape(word)}</{tag}>' for word in words)
    return f"<tr>{cells}</tr>"


def _picture(trace: GateTrace) -> str:
    from lstm_probe.pictures.mosaic import paint_mosaic  # loads Pillow

    if 0 in trace[trace.letters[0]].shape:
        return ""
    picture = paint_mosaic(trace)
    what = escape(f"The gates of {trace.layer or 'the layer'}: units over timesteps")
    key = _KEY.format(name=f", {trace.sequence_names[0]}" if trace.sequence_names else "")
    return (
        f'<img alt="{what}" width="{picture.width}" height="{picture.height}" '
        f'src="data:image/png;base64,{b64encode(picture.data).decode()}">'
        f'<div style="font-size:80%;opacity:.7">{escape(key)}</div>'
    )
