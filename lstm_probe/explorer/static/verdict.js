// What the comparison with the framework came to.

import { el } from "./dom.js";
import { number, parsed, short } from "./format.js";

const MARKS = { match: "✓", "reduced precision": "≈", mismatch: "✗" };
const CLASSES = { match: "good", "reduced precision": "fair", mismatch: "bad" };
const MOST_GUESSED = 4;

export function verdictChip(capture, layer) {
  const { meta, parity } = capture;
  const cell = `${String(meta.cell || "cell").slice(0, 40)}, ${capture.units === meta.shape?.[2] ? "" : `${capture.units} of `}${meta.shape?.[2] ?? capture.units} units, ${String(meta.dtype ?? "").slice(0, 20)}`;
  const head = el("div", { class: "layer-name" }, el("strong", {}, layer), el("span", {}, cell));
  const guessed = Array.isArray(meta.guessed) ? meta.guessed.slice(0, MOST_GUESSED) : [];
  const notes = guessed.map((text) => el("p", { class: "guessed" }, `Guessed: ${String(text).slice(0, 240)}`));
  if (!parity) return [head, ...notes, el("p", { class: "chip fair" }, "not recomputed: shown as the framework computed it")];
  const kind = parity.verdict?.kind;
  const largest = parsed(parity.max_abs);
  const chip = el("p", { class: `chip ${CLASSES[kind] ?? "fair"}`, title: String(parity.verdict?.text ?? "") }, `${MARKS[kind] ?? "?"} ${kind ?? "no verdict"}`);
  return [head, ...notes, el("div", { class: "verdict" }, chip, el("span", {}, `parity error ${largest === null ? "–" : number(largest, 3)}, tolerance ${short(parsed(parity.tolerance) ?? NaN)}`))];
}
