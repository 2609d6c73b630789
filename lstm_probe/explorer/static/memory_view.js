// Memory: after how many steps each unit has forgotten.

import { Chart } from "./chart.js";
import { fill } from "./dom.js";
import { number } from "./format.js";
import { message } from "./messages.js";
import { averaged, block, Sheet } from "./sheet.js";

/** Stands for a unit that never forgets, and for one that does so at once. */
const LONGEST = 1e6;
const SHORTEST = 0.01;
const SORTED = "After how many steps a memory has faded to 1/e, if its gate stays at its mean. The dashed line is the length of the probe: units above it hold on to the end.";
const QUANTILES = [
  [1, "longest"],
  [0.9, "9 of 10 are below"],
  [0.5, "median"],
  [0.1, "1 of 10 is below"],
];

export class MemoryView extends Sheet {
  constructor(app) {
    super(app);
    this.sorted = new Chart("Memory horizons of all units, sorted", 300);
    this.overTime = new Chart("Memory horizons over the training", 300);
    this.byUnit = new Chart("Memory horizon by unit", 240);
    this.blocks = [
      block("This step, sorted", SORTED, this.sorted.element),
      block("Over the training", "The longest horizon, the median, and the middle 80 % of the units. Click to go to a capture.", this.overTime.element),
      block("This step, by unit", "Click a unit to choose it.", this.byUnit.element, true),
    ];
    this.none = message("No memory horizon", "This kind of cell has no gate that decides what is kept.");
  }

  render() {
    const { frame } = this;
    if (!frame) return;
    const horizon = frame.a.vector("horizon");
    const parts = horizon ? this.blocks.map((each) => each.element) : [this.none];
    if (this.element.firstChild !== parts[0]) fill(this.element, parts);
    if (!horizon) return;
    this.blocks[0].show("This step, sorted", SORTED + averaged(frame.a));
    this.#units(horizon);
    this.course("horizon", (...found) => this.#showCourse(...found), () => this.overTime.show({ ...this.trainingAxis([]), series: [] }));
  }

  draw() {
    for (const each of [this.sorted, this.overTime, this.byUnit]) each.draw();
  }

  #units(horizon) {
    const { a } = this.frame;
    const inside = Array.from(horizon, (steps) => Math.min(LONGEST, Math.max(SHORTEST, steps)));
    const order = inside.map((_, unit) => unit).sort((one, other) => inside[other] - inside[one]);
    const { unit } = this.app.state;
    const length = a.meta.shape?.[1] ?? a.time;
    const shared = { log: true, counted: true, lines: [{ y: length, text: `probe: ${length} steps` }] };
    const series = (values) => [{ name: "horizon", colour: 0, values, dots: true }];
    this.sorted.show({
      ...shared,
      xs: order.map((_, index) => index),
      series: series(order.map((each) => inside[each])),
      xLabel: "units, the longest memory first",
      at: unit === null ? null : order.indexOf(unit),
      names: (index) => `unit ${order[index]}: ${number(horizon[order[index]], 3)} steps`,
      pick: (index) => this.app.pick(order[index], this.app.state.time ?? 0),
    });
    this.byUnit.show({
      ...shared,
      xs: inside.map((_, index) => index),
      series: series(inside),
      xLabel: "unit",
      at: unit,
      names: (index) => `unit ${index}: ${number(horizon[index], 3)} steps`,
      pick: (index) => this.app.pick(index, this.app.state.time ?? 0),
    });
  }

  #showCourse(steps, { data, shape }) {
    const [, units] = shape;
    const rows = steps.map((_, index) => Array.from(data.subarray(index * units, (index + 1) * units), (each) => Math.min(LONGEST, Math.max(SHORTEST, each))).sort((a, b) => a - b));
    this.overTime.show({
      ...this.trainingAxis(steps),
      legend: true,
      series: QUANTILES.map(([part, name], index) => ({ name, colour: index, values: rows.map((row) => row[Math.round(part * (row.length - 1))]) })),
      log: true,
    });
  }
}
