// Computes: what the analyses of `ProbeCallback(analyses=[...])` say of a layer, in sentences and pictures.

import { Chart } from "./chart.js";
import { DIVERGING } from "./colour.js";
import { button, el, fill } from "./dom.js";
import { clip, number, parsed, whole } from "./format.js";
import { Heat } from "./heat.js";
import { failure, message } from "./messages.js";
import { linear } from "./scale.js";
import { Scatter } from "./scatter.js";
import { block, Sheet } from "./sheet.js";

export const ANALYSES = ["ablation", "tracking", "attribution", "need", "stability", "geometry"];
const TITLES = { ablation: "Which units matter", tracking: "What follows which series", attribution: "Where it comes from", need: "What the task needs", stability: "How the state moves", geometry: "How the states lie" };
const NOTES = {
  ablation: "when a unit is clamped to its mean over the probe, or to zero, and the recurrence is run again. Click one to choose it.",
  tracking: "Units that follow a series beyond chance come first, three of each series at most. R² is of sequences that the line was not fitted to, r the correlation, p how often shuffled sequences give as much.",
  attribution: "Integrated gradients: blue raises what is attributed, red lowers it. Rows are features of the input.",
  need: "How strongly the target depends on the input some steps earlier, and after how many steps each unit has forgotten: the lags that matter are the dashed lines there.",
  stability: "Eigenvalues of one step’s Jacobian: within the circle a direction fades, on it it is held, outside it grows; away from the horizontal axis it turns. A Lyapunov exponent above 0: small changes grow.",
  geometry: "The way of h on its first two principal axes, from ring to dot: thick the chosen sequence with its timesteps, in the colours of the classes.",
};
const SIMILARITY = "Linear CKA of h; 1 is the same.";
const SMALLEST = 1e-9;
const LONGEST = 1e6;
/** So many units are listed that follow a series, and so many series that no unit follows. */
const FOLLOWING = 3;
const OTHERS = 6;
/** So often, after each capture, it is asked for its analyses. */
const LOOKS = 20;
const MOST_COLOURS = 6;

/** The line that makes analyses, for those who have none. */
export const LINE = `ProbeCallback(..., analyses=${JSON.stringify(ANALYSES).replaceAll(",", ", ")}, analyses_every=10)`;

/** Why an analysis is not there, in a sentence. */
export function reason(name, { missing }) {
  return missing[name] ?? `It was not asked for: analyses=["${name}"] makes it.`;
}

/** By how much each unit matters, by unit; null without an ablation of units. */
export function effects(explained) {
  const found = explained?.findings.ablation;
  return found?.word === "unit" ? new Map(found.units.map((unit, k) => [unit, parsed(found.effect[k])])) : null;
}

/** The rows of the table of series: the first units that follow one beyond chance, and the best of a few series that nobody follows. */
export function trackingRows({ series, word }) {
  const rows = series.flatMap((each) =>
    each.units.flatMap((unit, k) => {
      const named = each.named.includes(unit);
      const [r2, r, p, area] = ["r2", "correlation", "p", "area"].map((name) => parsed(each[name][k]));
      return (named ? k < FOLLOWING : k === 0) && Number.isFinite(r2) ? [{ series: each.name, unit, word, r2, r, p, area, named }] : [];
    }),
  );
  return [...rows.filter(({ named }) => named), ...rows.filter(({ named }) => !named).slice(0, OTHERS)];
}

/** Eigenvalues of several places as the coordinates of dots; places as indices. */
export function dots(eigenvalues) {
  const all = eigenvalues.flatMap((pairs, place) => pairs.map(([re, im]) => ({ re: parsed(re), im: parsed(im), place })));
  return all.filter(({ re, im }) => Number.isFinite(re) && Number.isFinite(im));
}

/**
 * The ways of the states of several sequences, as lines through dots: the chosen one last, each in the order of reading.
 *
 * @param now the chosen sequence, as an original index; `reverse`: whether the layer reads from the end.
 */
export function ways({ ways: all, classes }, now, reverse) {
  const kinds = [...new Set(classes ?? [])].sort();
  const states = all.flatMap(({ timesteps, x, y }, row) => timesteps.map((t, k) => ({ row, t, x: x[k], y: y[k] })));
  const lines = all.map((_, row) => {
    const points = states.flatMap((state, k) => (state.row === row ? [k] : []));
    const kind = Math.max(0, kinds.indexOf(classes?.[row]));
    return { kind, colour: kind < MOST_COLOURS ? kind : "muted", chosen: row === now, points: reverse ? points.reverse() : points };
  });
  const drawn = lines.filter(({ points }) => points.length).sort((one, other) => one.chosen - other.chosen);
  return { states, lines: drawn, chosen: lines[now]?.points ?? [], kinds };
}

export class ComputesView extends Sheet {
  #looks = 0;
  #lookedAt = 0;
  #shown = null;

  constructor(app) {
    super(app);
    this.pictures = [];
  }

  async render() {
    const { frame } = this;
    if (!frame) return;
    const wanted = this.guard();
    try {
      const found = await this.app.data.explained(frame.aRun, frame.layer, frame.a.step, `${this.version} ${this.#looks}`);
      if (wanted()) this.#show(found, frame);
    } catch (error) {
      if (wanted()) this.#say(failure(error));
    }
  }

  draw() {
    for (const picture of this.pictures) picture.draw();
  }

  /** Analyses come after their capture: while the newest has none, they are asked for again. */
  look() {
    const { frame } = this;
    const known = frame && this.app.data.explainedNow(frame.aRun, frame.layer);
    if (this.#lookedAt !== this.version) this.#looks = 0;
    this.#lookedAt = this.version;
    if (!frame || (known && (known.steps.at(-1) >= this.app.steps.at(-1) || this.#looks > LOOKS))) return;
    this.#looks += 1;
    this.render();
  }

  #say(...elements) {
    this.#shown = null;
    this.pictures = [];
    fill(this.element, el("div", { class: "wide" }, elements));
  }

  #show(found, frame) {
    if (!found) return this.#say(message("No analyses in this log", "What the units compute is analysed at the end of a training, if it is asked for. It is not logged with detail=\"scalars\". The line to write:", el("pre", {}, LINE)), this.#similarity());
    const { state } = this.app;
    const signature = JSON.stringify([frame.aRun, frame.layer, frame.a.step, state.sequence, state.unit, state.time, state.map, found.steps, this.version]);
    if (signature === this.#shown) return this.draw();
    this.#shown = signature;
    this.pictures = [];
    const later = found.step > frame.a.step ? " Nothing was analysed before." : "";
    const notes = [`Analysed at step ${whole(found.step)}${found.steps.length > 1 ? `, one of ${found.steps.length}` : ""}.${later}`, ...(found.asked_of ? [found.asked_of] : []), ...found.notes].join(" ");
    fill(this.element, el("p", { class: "wide note" }, notes), ANALYSES.map((name) => this.#block(name, found, frame)));
    this.draw();
  }

  #block(name, explained, frame) {
    const found = explained.findings[name];
    if (!found) return block(TITLES[name], "", el("p", {}, `Not made. ${reason(name, explained)}`), true).element;
    const made = { ablation: () => this.#ablation(found), tracking: () => this.#tracking(found), attribution: () => this.#attribution(found, frame), need: () => this.#need(found, frame), stability: () => this.#stability(found), geometry: () => this.#geometry(found, frame) }[name]();
    const said = el("ul", { class: "said" }, found.sentences.map((sentence) => el("li", {}, this.#sentence(sentence))));
    const what = name === "ablation" ? `By how much ${found.on_output ? "the model’s output changes" : "the other units change at the last step"} ` : "";
    return el("section", { class: "wide" }, el("h2", { "data-print": "" }, TITLES[name]), said, el("p", { class: "note" }, what + NOTES[name]), made);
  }

  #sentence({ text, unit }) {
    return unit === null ? text : button(`Choose unit ${unit}: ${text}`, text, () => this.#pick(unit), { class: "sentence" });
  }

  #pick(unit) {
    this.app.pick(unit, this.app.state.time ?? 0);
  }

  #keep(picture) {
    this.pictures.push(picture);
    return picture;
  }

  #row(pictures) {
    return el("div", { class: "row" }, pictures.map(({ element }) => element));
  }

  #ablation(found) {
    const chart = this.#keep(new Chart("Effect of taking each unit away, the largest first", 240));
    const visible = (values) => values.map((value) => Math.max(parsed(value), SMALLEST));
    const at = found.units.indexOf(this.app.state.unit);
    const evidence = [["on_others", "on other units"], ["on_output", "on the output"], ["loss", found.loss_name]].filter(([key]) => found[key]);
    const told = (index) => evidence.map(([key, name]) => `${name} ${three(found[key][index])}`).join(", ");
    chart.show({
      xs: found.units.map((_, index) => index),
      series: [
        { name: "clamped to its mean", colour: 0, values: visible(found.effect), dots: true },
        { name: "clamped to zero", colour: 1, values: visible(found.effect_at_zero), dots: true },
      ],
      xLabel: `${found.word}s, the largest effect first`,
      legend: true,
      log: true,
      counted: true,
      at: at < 0 ? null : at,
      names: (index) => `${found.word} ${found.units[index]}: ${told(index)}`,
      pick: (index) => this.#pick(found.units[index]),
    });
    const table = [...evidence.map(([, name]) => name), "at zero"];
    const rows = found.units.slice(0, 5).map((unit, k) => [button(`Choose ${found.word} ${unit}`, `${found.word} ${unit}`, () => this.#pick(unit), { class: "link" }), ...evidence.map(([key]) => three(found[key][k])), three(found.effect_at_zero[k])]);
    return el("div", { class: "row" }, chart.element, grid([found.word, ...table], rows));
  }

  #tracking(found) {
    const rows = trackingRows(found).map(({ series, unit, word, r2, r, p, area, named }) => [clip(series, 60), button(`Choose ${word} ${unit}`, `${word} ${unit}`, () => this.#pick(unit), { class: "link" }), number(r2, 3), number(r, 3), number(p, 4), Number.isNaN(area) ? "–" : number(area, 3), named ? "yes" : "no"]);
    if (!rows.length) return null;
    return grid(["series", found.word, "R²", "r", "p", "area under ROC", "beyond chance"], rows);
  }

  #attribution(found, { a }) {
    if (!found.values) return el("p", { class: "note" }, "The picture would tell the probe’s inputs, which log_data=False keeps out of the log.");
    const original = a.sequences[Math.min(this.app.state.sequence, a.batch - 1)];
    const at = Math.max(0, found.sequences.indexOf(original));
    const { map } = this.app.state;
    const shape = found.of;
    const part = [shape.sequences > 1 ? `Sequence ${found.sequences[at]} of ${shape.sequences}${found.sequences[at] === original ? "" : `; sequence ${original} is not stored`}.` : "", shape.features > found.features.length ? `The ${found.features.length} of ${shape.features} features to which most is attributed.` : ""].filter(Boolean).join(" ");
    const name = (column) => {
      const index = a.timesteps.indexOf(found.timesteps[column]);
      return (index < 0 ? null : a.label(a.sequences.indexOf(found.sequences[at]), index)) ?? String(found.timesteps[column]);
    };
    const heats = found.chosen.map((chosen, k) => {
      const rows = found.values[k][at];
      const largest = Math.max(...rows.flat().map((value) => Math.abs(parsed(value))).filter(Number.isFinite)) || 1;
      const heat = this.#keep(new Heat(`Attribution of ${found.word} ${chosen} to features and timesteps`, Math.max(110, 70 + 14 * rows.length)));
      heat.show({
        title: `${found.word} ${chosen}`,
        rows: rows.length,
        columns: found.timesteps.length,
        value: (row, column) => parsed(rows[row][column]),
        map: DIVERGING.has(map) ? map : "RdBu",
        scale: linear(-largest, largest),
        rowName: (row) => String(found.features[row]),
        columnName: (column) => clip(name(column), 6),
        text: (row, column) => [`feature ${found.features[row]}, timestep ${found.timesteps[column]}${name(column) === String(found.timesteps[column]) ? "" : ` “${name(column)}”`}`, `attributed ${three(rows[row][column])}`, `all features ${three(found.by_step[k][at][column])}`],
        xLabel: "timestep",
        yLabel: "feature",
        pick: (row, column) => this.app.pick(this.app.state.unit ?? (found.word === "unit" ? chosen : 0), found.timesteps[column]),
      });
      return heat;
    });
    return [part ? el("p", { class: "note" }, part) : null, this.#row(heats)];
  }

  #need(found, { a }) {
    if (found.missing || !found.strength.length) return null;
    const lags = this.#keep(new Chart("Dependence of the target on the input some steps earlier", 220));
    const strength = found.strength.map(parsed);
    lags.show({
      xs: strength.map((_, lag) => lag),
      series: [{ name: "standard deviations above chance", colour: 0, values: strength, dots: true }],
      xLabel: "steps back",
      legend: true,
      counted: true,
      lines: [{ y: parsed(found.by_chance), text: "the most by chance" }],
      names: (lag) => `${lag} steps back: explains ${number(100 * parsed(found.gains[lag]), 1)} % of the variance`,
    });
    const horizon = a.vector("horizon");
    if (!horizon) return lags.element;
    const sorted = Array.from(horizon, (steps) => Math.min(LONGEST, Math.max(0.01, steps))).sort((one, other) => other - one);
    const memory = this.#keep(new Chart("Memory horizons of all units, and the lags that matter", 220));
    memory.show({
      xs: sorted.map((_, index) => index),
      series: [{ name: "memory, in steps", colour: 2, values: sorted, dots: true }],
      xLabel: "units, the longest memory first",
      legend: true,
      log: true,
      counted: true,
      // More lines than that would hide each other.
      lines: found.lags.filter((lag) => lag > 0).slice(-3).map((lag) => ({ y: lag, text: `needed: ${lag} steps back` })),
      names: (index) => `the ${index + 1}. longest memory: ${number(sorted[index], 3)} steps`,
    });
    return this.#row([lags, memory]);
  }

  #stability(found) {
    const { points, spectrum } = found;
    const pictures = [
      this.#circle("At rest", points, (place) => `point ${place}: ${points.kinds[place]}, reached from ${points.reached[place]} of ${points.starts} starts`),
      this.#circle("Along the probe", spectrum, (place) => `sequence ${spectrum.places[place][0]}, timestep ${spectrum.places[place][1]}`),
    ].filter(Boolean);
    const exponents = this.#curve("exponents", "Largest Lyapunov exponent", "", ([values, low, high]) => ({
      series: [values, low, high].map((each, k) => ({ name: ["exponent", "95 % band from", "to"][k], colour: Math.min(k, 1), values: each, dash: k ? [2, 2] : [] })),
      lines: [{ y: 0, text: "changes stay" }],
    }));
    return el("div", { class: "row" }, pictures.map(({ element }) => element), exponents);
  }

  #geometry(found, frame) {
    const { a } = frame;
    const { sequence, time } = this.app.state;
    const now = a.sequences[Math.min(sequence, a.batch - 1)];
    const { states, lines, chosen, kinds } = ways(found, now, a.meta.reverse);
    if (!states.length) return this.#similarity();
    const apart = Math.ceil(chosen.length / 6);
    const axis = (k) => `axis ${k + 1}: ${number(100 * found.variances[k], 1)} % of the variance`;
    const picture = this.#keep(new Scatter("The way of h on its first two principal axes", 340));
    picture.show({
      xs: states.map(({ x }) => x),
      ys: states.map(({ y }) => y),
      plane: 1.08 * Math.max(...states.flatMap(({ x, y }) => [Math.abs(x), Math.abs(y)])),
      noun: "state",
      chosen: chosen.find((k) => states[k].t === time) ?? null,
      lines,
      marks: [...chosen.filter((_, k) => k && k % apart === 0).map((k) => [k, states[k].t]), ...kinds.slice(0, MOST_COLOURS).map((name, kind) => [lines.find((each) => each.kind === kind).points.at(-1), `class ${name}`, 12 * kind, kind])],
      xLabel: axis(0),
      yLabel: axis(1),
      text: (k) => [`sequence ${states[k].row}${kinds.length ? `, class ${found.classes[states[k].row]}` : ""}`, `timestep ${states[k].t}`],
      pick: (k) => this.app.state.set({ sequence: Math.max(0, a.sequences.indexOf(states[k].row)), time: states[k].t }),
    });
    return el("div", { class: "row" }, picture.element, this.#similarity());
  }

  #similarity() {
    return this.#curve("cka", "Similarity with the last capture", SIMILARITY, ([values, chance]) => ({
      series: [{ name: "similarity", colour: 0, values }, { name: "exchanged sequences", colour: 1, values: chance, dash: [4, 3] }].filter(({ values: each }) => each.some(Number.isFinite)),
      low: 0,
      high: 1,
    }));
  }

  /** A curve over the training; empty without two captures. `made` gives a chart's options for the columns. */
  #curve(name, title, note, made) {
    const box = el("div", {});
    const show = (steps, { data, shape: [count, width] }) => {
      if (count < 2) return;
      const columns = Array.from({ length: width }, (_, k) => steps.map((_step, row) => data[row * width + k]));
      const end = count - (note ? 2 : 1); // the last is like itself
      const told = [...new Set([0, end])].map((k) => `${number(columns[0][k], 3)} at step ${whole(steps[k])}`);
      const chart = this.#keep(new Chart(title, 240));
      fill(box, el("p", { class: "note" }, `${title}: ${told.join(", ")}. ${note}`), chart.element);
      chart.show({ ...this.trainingAxis(steps), legend: true, ...made(columns) });
    };
    this.course(name, show, undefined, () => true);
    return box;
  }

  /** Eigenvalues in the complex plane; null without any. */
  #circle(title, { eigenvalues }, told) {
    const all = dots(eigenvalues ?? []);
    if (!all.length) return null;
    const picture = this.#keep(new Scatter(`Eigenvalues ${title.toLowerCase()}, and the unit circle`, 300));
    picture.show({
      xs: all.map(({ re }) => re),
      ys: all.map(({ im }) => im),
      plane: Math.max(1.1, ...all.map(({ re, im }) => 1.05 * Math.hypot(re, im))),
      noun: "eigenvalue",
      colour: 0,
      chosen: null,
      xLabel: "real part",
      yLabel: `${title}: imaginary part`,
      text: (index) => [`${number(all[index].re, 3)} ${all[index].im < 0 ? "−" : "+"} ${number(Math.abs(all[index].im), 3)} i`, `|λ| = ${number(Math.hypot(all[index].re, all[index].im), 4)}`, told(all[index].place)],
    });
    return picture;
  }
}

const three = (value) => number(parsed(value), 3);

function grid(names, rows) {
  const head = el("tr", {}, names.map((name, k) => el("th", { scope: "col", class: k ? "value" : "" }, name)));
  return el("table", { class: "gates listed" }, el("thead", {}, head), el("tbody", {}, rows.map((row) => el("tr", {}, row.map((cell, k) => el("td", { class: k ? "value" : "" }, cell))))));
}
