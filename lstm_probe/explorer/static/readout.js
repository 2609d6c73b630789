// What one cell holds, in words and numbers: for the tooltip and the inspector.

import { position } from "./capture.js";
import { el } from "./dom.js";
import { trueDigits } from "./format.js";
import { LARGEST_HALF } from "./half.js";

/** Everything about one unit at one timestep, given by their positions among the stored ones. */
export function readCell(capture, sequence, t, u, letter = null) {
  const units = capture.unitIndices(letter ?? capture.letters[0]);
  const gates = capture.letters.map((each) => {
    const value = capture.value(each, sequence, t, positionIn(capture, each, units[u]));
    return { letter: each, title: capture.title(each), value, within: capture.within(each, value) };
  });
  const place = positionIn(capture, "h", units[u]);
  const h = capture.gates.has("h") ? capture.value("h", sequence, t, place) : null;
  // A masked step is not compared: frameworks repeat the last output there, or give zeros.
  const error = h === null || !capture.counts(sequence, t) ? null : capture.errorAt(sequence, t, place);
  return {
    unit: units[u],
    timestep: capture.timesteps[t],
    label: capture.label(sequence, t),
    counts: capture.counts(sequence, t),
    gates,
    error,
    framework: error === null ? null : h + error,
    within: error === null ? 0 : capture.within("h", h) + capture.errorWithin(error),
    errorWithin: error === null ? 0 : capture.errorWithin(error),
  };
}

/** A projected h has other units than the gates: those of the same index are shown. */
function positionIn(capture, letter, unit) {
  const units = capture.unitIndices(letter);
  const place = position(units, unit);
  return units[place] === unit ? place : -1;
}

export function place(cell) {
  const label = cell.label ? ` “${cell.label}”` : "";
  return `unit ${cell.unit}, timestep ${cell.timestep}${label}${cell.counts ? "" : " (masked)"}`;
}

/** The value of a gate, with the digits that are true. */
export function shown({ value, within }) {
  // A number beyond float16's range is stored as the last one of it.
  if (Math.abs(value) === LARGEST_HALF && within > 1) return `${value < 0 ? "≤ −" : "≥ "}6.55e4`;
  return trueDigits(value, within);
}

/** How exactly a capture holds what the table shows. */
export function precisionNote(capture) {
  if (capture.letters.some((letter) => capture.quantum(`gates/${letter}`))) return "This report keeps gates in steps of 1/255 of their range; only the digits that are true are shown.";
  if (capture.precision === "float32") return "The log holds these numbers in float32.";
  return "The log holds these numbers in float16; only the digits that are true are shown. detail=\"full\" logs float32.";
}

/** A table of the gates' values; with two captures also the second one and the difference. */
export function gateTable(cell, other = null, highlighted = null) {
  const rows = cell.gates.map((gate, index) => {
    const theirs = other?.gates.find((each) => each.letter === gate.letter) ?? { value: null, within: 0 };
    const difference = theirs.value === null || gate.value === null ? "–" : trueDigits(theirs.value - gate.value, theirs.within + gate.within);
    return el(
      "tr",
      { class: gate.letter === highlighted ? "chosen" : null, "data-gate": gate.letter },
      el("th", { scope: "row", class: `series-${index % 6}` }, gate.letter),
      el("td", { class: "name" }, gate.title.replace(new RegExp(` ${escaped(gate.letter)}$`), "")),
      el("td", { class: "value" }, shown(gate)),
      other ? el("td", { class: "value" }, shown(theirs)) : null,
      other ? el("td", { class: "value" }, difference) : null,
    );
  });
  if (cell.framework !== null) {
    const blanks = other ? [el("td"), el("td")] : [];
    rows.push(el("tr", { class: "apart", "data-gate": "framework" }, el("th", { scope: "row" }, "h"), el("td", { class: "name" }, "framework"), el("td", { class: "value" }, trueDigits(cell.framework, cell.within)), ...blanks));
    rows.push(el("tr", { "data-gate": "error" }, el("th", { scope: "row" }), el("td", { class: "name" }, "error"), el("td", { class: "value" }, trueDigits(cell.error, cell.errorWithin, 3)), ...blanks.map(() => el("td"))));
  }
  const head = other ? el("thead", {}, el("tr", {}, ["", "", "A", "B", "B − A"].map((text) => el("th", { scope: "col" }, text)))) : null;
  return el("table", { class: "gates" }, head, el("tbody", {}, rows));
}

function escaped(text) {
  return text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
}
