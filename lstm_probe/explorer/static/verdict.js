// What the comparison with the framework came to.

import { el } from "./dom.js";
import { number, parsed, short } from "./format.js";

const MARKS = { match: "✓", "reduced precision": "≈", mismatch: "✗" };
const CLASSES = { match: "good", "reduced precision": "fair", mismatch: "bad" };

export function verdictChip(capture, layer) {
  const { meta, parity } = capture;
  const cell = `${String(meta.cell || "cell").slice(0, 40)}, ${capture.units === meta.shape?.[2] ? "" : `${capture.units} of `}${meta.shape?.[2] ?? capture.units} units, ${String(meta.dtype ?? "").slice(0, 20)}`;
  const head = el("div", { class: "layer-name" }, el("strong", {}, layer), el("span", {}, cell));
  if (!parity) return [head, el("p", { class: "chip fair" }, "not recomputed: shown as the framework computed it")];
  const kind = parity.verdict?.kind;
  const largest = parsed(parity.max_abs);
  const chip = el("p", { class: `chip ${CLASSES[kind] ?? "fair"}`, title: String(parity.verdict?.text ?? "") }, `${MARKS[kind] ?? "?"} ${kind ?? "no verdict"}`);
  return [head, el("div", { class: "verdict" }, chip, el("span", {}, `parity error ${largest === null ? "–" : number(largest, 3)}, tolerance ${short(parsed(parity.tolerance) ?? NaN)}`))];
}
