// All sequences of the probe at once: which are right, one unit over all of them, and its means by class
// and by label.

import { position } from "./capture.js";
import { Chart } from "./chart.js";
import { button, choice, el, fill, setOptions } from "./dom.js";
import { number } from "./format.js";
import { classesOf, meanOver, meansByLabel } from "./groups.js";
import { Heat } from "./heat.js";
import { outcomesOf } from "./outcomes.js";
import { gateScale } from "./scale.js";
import { block, Sheet } from "./sheet.js";

const MOST_ROWS = 512;
const MOST_LABELS = 30;
const MOST_CURVES = 6; // as many as there are colours
const HEATMAP = "Each row is a sequence of the probe. Click to go to one.";

export class ProbeView extends Sheet {
  #wrongOnly = false;

  constructor(app) {
    super(app);
    this.element.classList.add("probe-sheet");
    this.letter = "";
    this.gate = choice("Gate of the chosen unit", [], "", (letter) => this.#choose(letter), { caption: "Gate" });
    this.unit = el("input", { type: "number", min: 0, step: 1, "aria-label": "Unit", onchange: () => this.#typed() });
    this.controls = el("div", { class: "wide inputs" }, this.gate.element, el("label", { class: "field" }, el("span", {}, "Unit"), this.unit));
    this.only = button("Show only the sequences that are wrong", "Only wrong", () => this.#toggle(), { class: "toggle" });
    this.list = el("div", { class: "sequences" });
    this.heat = new Heat("One unit over all sequences and timesteps", 320);
    this.byClass = new Chart("Means by class", 260);
    this.byLabel = el("div", { class: "labels" });
    this.blocks = {
      list: block("Sequences", "", el("div", {}, this.only, this.list), true),
      heat: block("One unit over all sequences", HEATMAP, this.heat.element, true),
      byClass: block("By class", "", this.byClass.element, true),
      byLabel: block("By label", "", this.byLabel, true),
    };
  }

  render() {
    const { frame } = this;
    if (!frame) return;
    const { a } = frame;
    const letters = a.letters.filter((letter) => a.width(letter) === a.units);
    if (!letters.includes(this.letter)) this.letter = letters.includes("h") ? "h" : letters[0];
    setOptions(this.gate.select, letters.map((letter) => [letter, a.title(letter)]), this.letter);
    this.outcomes = outcomesOf(a, this.app.probe);
    this.u = position(a.unitIndices(), this.app.state.unit ?? a.unitIndices()[0]);
    this.unit.value = a.unitIndices()[this.u];
    const labelled = a.longestLabel !== null;
    const main = this.outcomes.find((outcome) => outcome.isClass) ?? null;
    this.classes = classesOf(main, a.batch, main?.hasTarget ? "target" : "given");
    const parts = [this.controls, this.blocks.heat.element, this.classes.length > 1 && this.blocks.byClass.element, labelled && this.blocks.byLabel.element, this.blocks.list.element].filter(Boolean);
    if (parts.length !== this.element.childElementCount || parts.some((part, index) => this.element.children[index] !== part)) fill(this.element, parts);
    this.#heat(a);
    if (this.classes.length > 1) this.#classes(a, main);
    if (labelled) this.#labels(a);
    this.#sequences(a);
  }

  draw() {
    this.heat.draw();
    this.byClass.draw();
  }

  #choose(letter) {
    this.letter = letter;
    this.render();
  }

  #typed() {
    const { a } = this.frame;
    if (!Number.isInteger(this.unit.valueAsNumber)) return;
    const units = a.unitIndices();
    this.app.pick(units[position(units, this.unit.valueAsNumber)], this.app.state.time ?? a.timesteps[0], this.frame.layer);
  }

  #toggle() {
    this.#wrongOnly = !this.#wrongOnly;
    this.render();
  }

  get #what() {
    const { a } = this.frame;
    return `unit ${a.unitIndices()[this.u]}, ${a.title(this.letter)}`;
  }

  /** What stands for a sequence on an axis. */
  #name(b) {
    const { a } = this.frame;
    return a.names?.[b] ?? String(a.sequences[b]);
  }

  #heat(a) {
    // Sequences of one class stand together, so that a unit that tells them apart shows it.
    const grouped = this.classes.flatMap(({ sequences }) => sequences);
    const rows = [...grouped, ...Array.from({ length: a.batch }, (_, b) => b).filter((b) => !grouped.includes(b))];
    const grouping = this.classes.length > 1;
    const scale = gateScale(this.app.state, this.letter, [a]);
    const stored = a.meta.shape?.[0] > a.batch ? ` The log holds the gates of ${a.batch} of its ${a.meta.shape[0]} sequences.` : "";
    this.blocks.heat.show("One unit over all sequences", `${HEATMAP}${grouping ? " Sequences of a class stand together." : ""}${stored}`);
    this.heat.height = Math.max(120, Math.min(420, 70 + 14 * a.batch));
    this.heat.show({
      title: this.#what,
      rows: rows.length,
      columns: a.time,
      value: (row, t) => a.value(this.letter, rows[row], t, this.u),
      map: this.app.state.map,
      scale,
      blank: (row, t) => !a.counts(rows[row], t),
      rowName: grouping ? null : (row) => this.#name(rows[row]).slice(0, 6),
      groups: grouping ? [...this.classes.map(({ name, sequences }) => ({ name: String(name), count: sequences.length })), { name: "–", count: a.batch - grouped.length }].filter(({ count }) => count) : null,
      columnName: (t) => String(a.timesteps[t]),
      text: (row, t) => [`sequence ${a.sequences[rows[row]]}${a.names ? ` “${a.names[rows[row]]}”` : ""}, timestep ${a.timesteps[t]}${a.label(rows[row], t) ? ` “${a.label(rows[row], t)}”` : ""}`, a.counts(rows[row], t) ? `${this.letter} ${number(a.value(this.letter, rows[row], t, this.u))}` : "masked", ...this.outcomes.map((outcome) => outcome.text(rows[row])).filter(Boolean)],
      xLabel: "timestep",
      yLabel: grouping ? "class of the sequence" : "sequence",
      pick: (row, t) => this.app.state.set({ sequence: rows[row], unit: a.unitIndices()[this.u], time: a.timesteps[t] }),
    });
  }

  #classes(a, outcome) {
    const shown = [...this.classes].sort((one, other) => other.sequences.length - one.sequences.length).slice(0, MOST_CURVES).sort((one, other) => one.name - other.name);
    const more = this.classes.length > shown.length ? ` The ${shown.length} largest of ${this.classes.length} classes.` : "";
    const whose = outcome.hasTarget ? "target" : "class that the model gives";
    this.blocks.byClass.show("By class", `The mean over the sequences of each ${whose}, of ${this.#what}, at each timestep; masked steps do not count.${more}`);
    this.byClass.show({
      xs: Array.from(a.timesteps),
      series: shown.map(({ name, sequences }, index) => ({ name: `${name} (${sequences.length})`, colour: index, values: meanOver(a, this.letter, this.u, sequences) })),
      xLabel: "timestep",
      counted: true,
      legend: true,
      at: this.app.state.time,
      names: (t) => `timestep ${a.timesteps[t]}`,
      pick: (t) => this.app.pick(a.unitIndices()[this.u], a.timesteps[t], this.frame.layer),
    });
  }

  #labels(a) {
    const found = meansByLabel(a, this.letter, this.u);
    const half = MOST_LABELS / 2;
    const rows = found.length > MOST_LABELS ? [...found.slice(0, half), ...found.slice(-half)] : found;
    this.blocks.byLabel.show("By label", `The mean of ${this.#what} over all timesteps with a label, the largest first.${rows.length < found.length ? ` The first and the last ${half} of ${found.length} labels.` : ""}`);
    fill(this.byLabel, el("table", { class: "plain" }, el("thead", {}, el("tr", {}, ["label", "timesteps", "mean"].map((text) => el("th", { scope: "col" }, text)))), el("tbody", {}, rows.map(({ label, count, mean }) => el("tr", {}, el("th", { scope: "row" }, label), el("td", { class: "value" }, String(count)), el("td", { class: "value" }, number(mean, 3)))))));
  }

  #sequences(a) {
    const judged = this.outcomes.find((outcome) => outcome.isClass && outcome.hasTarget && outcome.output) ?? null;
    const all = Array.from({ length: a.batch }, (_, b) => b);
    const isWrong = (b) => judged?.right(b) !== null && judged?.right(b) < 1;
    const right = judged ? all.filter((b) => judged.right(b) === 1).length : 0;
    const known = judged ? all.filter((b) => judged.right(b) !== null).length : 0;
    const rule = judged?.rule ? ` A class is ${judged.rule}.` : "";
    this.blocks.list.show("Sequences", [judged ? `${right} of ${known} right at this step.${rule}` : "", this.#without].filter(Boolean).join(" "));
    this.only.hidden = !judged;
    this.only.setAttribute("aria-pressed", String(this.#wrongOnly));
    const rows = all.filter((b) => !this.#wrongOnly || !judged || isWrong(b)).slice(0, MOST_ROWS);
    const heads = ["", a.names ? "name" : null, ...this.outcomes.flatMap((outcome) => [outcome.hasTarget && `target ${outcome.name}`, outcome.output && `gives ${outcome.name}`]), judged && ""].filter((head) => head !== null && head !== false);
    fill(this.list, el("table", { class: "plain pick" }, el("thead", {}, el("tr", {}, heads.map((text) => el("th", { scope: "col" }, text)))), el("tbody", {}, rows.map((b) => this.#row(a, b, judged)))));
  }

  /** Why there is no target or output. */
  get #without() {
    if (this.outcomes.length) return "";
    return "Give the probe as (x, y), or targets=y, to see what the model gives beside what it is to give. The log has neither, or this layer reads other sequences than the probe has.";
  }

  #row(a, b, judged) {
    const chosen = b === Math.min(this.app.state.sequence, a.batch - 1);
    const right = judged?.right(b) ?? null;
    const cells = this.outcomes.flatMap((outcome) => [outcome.hasTarget && (outcome.steps === null ? outcome.targetText(b) : "each step"), outcome.output && (outcome.steps === null ? outcome.givenText(b) : outcome.text(b))]).filter((each) => each !== false && each !== null);
    const pick = () => this.app.state.set({ sequence: b });
    return el(
      "tr",
      { class: chosen ? "chosen" : null },
      el("th", { scope: "row" }, button(`Choose sequence ${a.sequences[b]}`, String(a.sequences[b]), pick, { class: "link" })),
      a.names ? el("td", { class: "name" }, a.names[b]) : null,
      cells.map((text) => el("td", { class: "value" }, text)),
      judged ? el("td", { class: right === null ? null : right === 1 ? "right" : "wrong" }, right === null ? "" : right === 1 ? "✓ right" : right === 0 || judged.steps === null ? "✗ wrong" : `${Math.round(100 * right)} % right`) : null,
    );
  }
}
