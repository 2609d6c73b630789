// All sequences of the probe at once: which are right, one unit over all of them, and its means.

import { position } from "./capture.js";
import { Chart } from "./chart.js";
import { button, choice, el, fill, setOptions } from "./dom.js";
import { clip, number } from "./format.js";
import { classesOf, mean, meanOver, meansByLabel } from "./groups.js";
import { Heat } from "./heat.js";
import { outcomesOf } from "./outcomes.js";
import { gateScale } from "./scale.js";
import { block, Sheet } from "./sheet.js";

const MOST_ROWS = 512;
const MOST_LABELS = 30;
const MOST_CURVES = 6; // as many as there are colours

export class ProbeView extends Sheet {
  wrongOnly = false;
  by = "class";

  constructor(app) {
    super(app);
    this.element.classList.add("probe-sheet");
    this.letter = "";
    this.gate = choice("Gate of the chosen unit", [], "", (letter) => this.#set({ letter }), { caption: "Gate" });
    this.unit = el("input", { type: "number", min: 0, step: 1, "aria-label": "Unit", onchange: () => this.#typed() });
    this.grouping = choice("Group the sequences by", ["class", "probe"], this.by, (by) => this.#set({ by }), { caption: "Group by" });
    this.controls = el("div", { class: "wide inputs" }, this.gate.element, el("label", { class: "field" }, el("span", {}, "Unit"), this.unit), this.grouping.element);
    this.only = button("Show only the sequences that are wrong", "Only wrong", () => this.#set({ wrongOnly: !this.wrongOnly }), { class: "toggle" });
    this.list = el("div", { class: "sequences" });
    this.heat = new Heat("One unit over all sequences and timesteps", 320);
    this.means = new Chart("Means by group", 260);
    this.byLabel = el("div", { class: "labels" });
    const titled = (content) => block("", "", content, true);
    this.blocks = { list: titled(el("div", {}, this.only, this.list)), heat: titled(this.heat.element), means: titled(this.means.element), byLabel: titled(this.byLabel) };
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
    const classes = classesOf(main, a.batch, main?.hasTarget ? "target" : "given");
    this.probes = a.probes.length > 1 ? a.probes : [];
    this.grouping.element.hidden = classes.length < 2 || !this.probes.length;
    this.of = this.probes.length && (this.by === "probe" || classes.length < 2) ? "probe" : "class";
    this.groups = this.of === "probe" ? this.probes : classes.length > 1 ? classes : [];
    const parts = [this.controls, this.blocks.heat.element, this.groups.length && this.blocks.means.element, labelled && this.blocks.byLabel.element, this.blocks.list.element].filter(Boolean);
    if (parts.length !== this.element.childElementCount || parts.some((part, index) => this.element.children[index] !== part)) fill(this.element, parts);
    this.#heat(a);
    if (this.groups.length) this.#means(a, main);
    if (labelled) this.#labels(a);
    this.#sequences(a);
  }

  draw() {
    this.heat.draw();
    this.means.draw();
  }

  #set(values) {
    Object.assign(this, values);
    this.render();
  }

  #typed() {
    const { a } = this.frame;
    if (!Number.isInteger(this.unit.valueAsNumber)) return;
    const units = a.unitIndices();
    this.app.pick(units[position(units, this.unit.valueAsNumber)], this.app.state.time ?? a.timesteps[0], this.frame.layer);
  }

  get #what() {
    const { a } = this.frame;
    return `unit ${a.unitIndices()[this.u]}, ${a.title(this.letter)}`;
  }

  #heat(a) {
    // Sequences of one class or probe stand together, so that a unit that tells them apart shows it.
    const { of, groups } = this;
    const grouped = groups.flatMap(({ sequences }) => sequences);
    const rows = [...new Set([...grouped, ...a.sequences.keys()])];
    const grouping = groups.length > 0;
    const scale = gateScale(this.app.state, this.letter, [a]);
    const stored = a.meta.shape?.[0] > a.batch ? ` The log holds the gates of ${a.batch} of its ${a.meta.shape[0]} sequences.` : "";
    this.blocks.heat.show("One unit over all sequences", `Each row is a sequence of the probe. Click to go to one.${grouping ? ` Sequences of a ${of} stand together.` : ""}${stored}`);
    this.heat.height = Math.max(120, Math.min(420, 70 + 14 * a.batch));
    this.heat.show({
      title: this.#what,
      rows: rows.length,
      columns: a.time,
      value: (row, t) => a.value(this.letter, rows[row], t, this.u),
      map: this.app.state.map,
      scale,
      blank: (row, t) => !a.counts(rows[row], t),
      rowName: grouping ? null : (row) => (a.nameOf(rows[row]) ?? a.called(rows[row])).slice(0, 6),
      left: of === "probe" ? 110 : undefined,
      groups: grouping && [...groups.map(({ name, sequences }) => ({ name: clip(String(name), 12), count: sequences.length })), { name: "–", count: a.batch - grouped.length }].filter(({ count }) => count),
      columnName: (t) => String(a.timesteps[t]),
      text: (row, t) => [`sequence ${a.titleOf(rows[row])}, timestep ${a.timesteps[t]}${a.label(rows[row], t) ? ` “${a.label(rows[row], t)}”` : ""}`, a.counts(rows[row], t) ? `${this.letter} ${number(a.value(this.letter, rows[row], t, this.u))}` : "masked", ...this.outcomes.map((outcome) => outcome.text(rows[row])).filter(Boolean)],
      xLabel: "timestep",
      yLabel: grouping ? `${of} of the sequence` : "sequence",
      pick: (row, t) => this.app.state.set({ sequence: rows[row], unit: a.unitIndices()[this.u], time: a.timesteps[t] }),
    });
  }

  #means(a, outcome) {
    const { of, groups } = this;
    const largest = [...groups].sort((one, other) => other.sequences.length - one.sequences.length).slice(0, MOST_CURVES);
    const shown = groups.filter((each) => largest.includes(each));
    const more = groups.length > shown.length ? ` The ${shown.length} largest of ${groups.length}.` : "";
    const whose = of === "probe" ? "named probe" : outcome.hasTarget ? "target" : "class that the model gives";
    this.blocks.means.show(`By ${of}`, `The mean of ${this.#what} over the sequences of each ${whose}; masked steps do not count.${more}`);
    this.means.show({
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
    const probes = this.probes.map(({ sequences }) => new Map(meansByLabel(a, this.letter, this.u, sequences).map(({ label, mean }) => [label, mean])));
    const inEach = (label) => probes.map((means) => el("td", { class: "value" }, number(means.get(label), 3)));
    const half = MOST_LABELS / 2;
    const rows = found.length > MOST_LABELS ? [...found.slice(0, half), ...found.slice(-half)] : found;
    this.blocks.byLabel.show("By label", `The mean of ${this.#what} over all timesteps with a label, the largest first.${rows.length < found.length ? ` The first and the last ${half} of ${found.length} labels.` : ""}`);
    fill(this.byLabel, el("table", { class: "plain" }, el("thead", {}, el("tr", {}, ["label", "timesteps", "mean", ...this.probes.map(({ name }) => name)].map((text) => el("th", { scope: "col" }, text)))), el("tbody", {}, rows.map(({ label, count, mean }) => el("tr", {}, el("th", { scope: "row" }, label), el("td", { class: "value" }, String(count)), el("td", { class: "value" }, number(mean, 3)), inEach(label))))));
  }

  #sequences(a) {
    const judged = this.outcomes.find((outcome) => outcome.isClass && outcome.hasTarget && outcome.output) ?? null;
    const all = Array.from(a.sequences.keys());
    this.blocks.list.show("Sequences", [this.#share(judged ?? this.outcomes.find(isNumber), all), judged?.rule, this.#without].filter(Boolean).join(" "));
    this.only.hidden = !judged;
    this.only.setAttribute("aria-pressed", String(this.wrongOnly));
    const rows = all.filter((b) => !this.wrongOnly || !judged || (judged.right(b) ?? 1) < 1).slice(0, MOST_ROWS);
    const columns = this.outcomes.flatMap((outcome) => {
      const whole = outcome.steps === null;
      return [outcome.hasTarget && [`target ${outcome.name}`, (b) => (whole ? outcome.targetText(b) : "each step")], outcome.output && [`gives ${outcome.name}`, (b) => (whole ? outcome.givenText(b) : outcome.text(b))], isNumber(outcome) && ["off by", (b) => number(outcome.error(b), 3)]].filter(Boolean);
    });
    if (all.some((b) => a.nameOf(b))) columns.unshift(["name", (b) => a.nameOf(b) ?? "", "name"]);
    const heads = ["", ...columns.map(([head]) => head), ...(judged ? [""] : [])];
    fill(this.list, el("table", { class: "plain pick" }, el("thead", {}, el("tr", {}, heads.map((text) => el("th", { scope: "col" }, text)))), el("tbody", {}, rows.map((b) => this.#row(a, b, judged, columns)))));
  }

  /** How the model does on all sequences, and on those of each named probe. */
  #share(outcome, all) {
    if (!outcome) return "";
    const of = (sequences) => {
      const found = sequences.map((b) => (outcome.isClass ? outcome.right(b) : outcome.error(b))).filter((each) => each !== null);
      return outcome.isClass ? `${found.filter((each) => each === 1).length} of ${found.length}` : number(mean(found), 3);
    };
    const each = this.probes.map(({ name, sequences }) => `${of(sequences)} of ${name}`).join(", ");
    return `${outcome.isClass ? `${of(all)} right` : `Off by ${of(all)}, on average,`} at this step${each && `: ${each}`}.`;
  }

  /** Why there is no target or output. */
  get #without() {
    if (this.outcomes.length) return "";
    return "Give the probe as (x, y), or targets=y, to see what the model gives beside what it is to give. The log has neither, or the layer reads other sequences.";
  }

  #row(a, b, judged, columns) {
    const right = judged?.right(b) ?? null;
    return el(
      "tr",
      { class: b === Math.min(this.app.state.sequence, a.batch - 1) ? "chosen" : null },
      el("th", { scope: "row" }, button(`Choose sequence ${a.called(b)}`, a.called(b), () => this.app.state.set({ sequence: b }), { class: "link" })),
      columns.map(([, text, kind = "value"]) => el("td", { class: kind }, text(b))),
      judged ? el("td", { class: right === null ? null : right === 1 ? "right" : "wrong" }, right === null ? "" : right === 1 ? "✓ right" : right === 0 || judged.steps === null ? "✗ wrong" : `${Math.round(100 * right)} % right`) : null,
    );
  }
}

/** Whether what is given and the target are numbers, of which the difference is told. */
function isNumber(outcome) {
  return !outcome.isClass && outcome.steps === null && outcome.output !== null && outcome.hasTarget;
}
