import assert from "node:assert/strict";
import test from "node:test";

import { load, rounds } from "./surroundings.mjs";

const WIDTH = 400;

/** An element whose canvas notes what is drawn on it. */
class Drawn extends EventTarget {
  drawn = [];
  style = {};
  classList = { toggle() {} };
  clientWidth = WIDTH;

  setAttribute() {}

  append() {}

  getContext() {
    const note = (name) => (...all) => this.drawn.push({ name, all });
    return new Proxy({ measureText: (text) => ({ width: 6 * text.length }) }, { get: (own, name) => own[name] ?? note(name), set: () => true });
  }
}
globalThis.document = { createElement: () => new Drawn() };
globalThis.window = { devicePixelRatio: 1 };

const { Chart, legendOf } = await load("chart");

/** What a chart of some options draws: its texts with their places, and the points of its curves. */
function drawn(options) {
  const chart = new Chart("a chart", 200);
  chart.show({ series: [], ...options });
  const texts = chart.canvas.drawn.filter(({ name }) => name === "fillText").map(({ all: [text, x, y] }) => ({ text, x, y }));
  return { chart, texts, ticks: texts.filter(({ x }) => x < 46).map(({ text }) => Number(text.replaceAll("−", "-"))) };
}

test("values lie inside the box, the larger ones higher, on both kinds of axes", () => {
  rounds(60, ({ between, next }) => {
    const log = next() < 0.5;
    const values = Array.from({ length: 12 }, () => (log ? 10 ** between(-9, 2) : between(-5, 5)));
    const { chart } = drawn({ xs: values.map((_, x) => x), series: [{ name: "a", colour: 0, values }], log });
    const places = values.map((value) => chart.py(value));
    for (const y of places) assert.ok(y >= chart.box.y - 1e-9 && y <= chart.box.y + chart.box.height + 1e-9);
    values.forEach((value, k) => values.forEach((other, j) => assert.equal(value > other, places[k] < places[j])));
  });
});

test("a range that holds all values is kept to, and there is room beyond the largest", () => {
  const { chart } = drawn({ xs: [0, 1], series: [{ name: "a", colour: 0, values: [22, 23] }], low: 0 });
  assert.equal(chart.low, 0);
  assert.ok(chart.high > 23 + 0.03 * 23 && chart.high < 23 + 0.05 * 23, `${chart.high}`);
  const part = drawn({ xs: [0, 1], series: [{ name: "a", colour: 0, values: [0.2, 0.4] }], low: 0, high: 1 }).chart;
  assert.deepEqual([part.low, part.high], [0, 1]);
  const outside = drawn({ xs: [0, 1], series: [{ name: "a", colour: 0, values: [-2, 3] }], low: 0, high: 1 }).chart;
  assert.ok(outside.low < -2 && outside.high > 3);
});

test("masked steps widen no axis", () => {
  const { ticks } = drawn({ xs: [0, 1, 2], series: [{ name: "a", colour: 0, values: [1e-7, 1e-6, 1e-12] }], log: true, gaps: (i) => i === 2 });
  assert.ok(Math.min(...ticks) >= 1e-8, `${ticks}`);
});

test("the name of a line stands inside the picture, wherever its line is", () => {
  for (const legend of [true, false]) {
    for (const y of [1e-12, 1e-7, 1e-2]) {
      const { chart, texts } = drawn({ xs: [0, 1], series: [{ name: "a", colour: 0, values: [1e-7, 2e-7] }], log: true, legend, lines: [{ y, text: "here" }] });
      const place = texts.find(({ text }) => text === "here").y;
      assert.ok(place >= 10 && place <= 200, `${place}`);
      assert.ok(Math.abs(place - chart.py(y)) <= 12);
    }
  }
});

test("values apart from the others have an axis of their own", () => {
  const { chart } = drawn({ xs: [0, 1], series: [{ name: "f", colour: 0, values: [0.2, 0.4] }, { name: "c", colour: 1, values: [90, 120], apart: true }] });
  assert.ok(chart.high < 1);
  assert.ok(chart.own.low < 90 && chart.own.high > 120);
  assert.equal(chart.box.x + chart.box.width, WIDTH - 40);
});

test("a curve has a gap at NaN, at masked steps, and at what a logarithm cannot show", () => {
  const values = [1, 2, NaN, 3, 4, 5];
  const { chart } = drawn({ xs: [0, 1, 2, 3, 4, 5], series: [{ name: "a", colour: 0, values }], gaps: (i) => i === 4 });
  const reached = (wanted) => values.flatMap((value, k) => (chart.canvas.drawn.some(({ name, all: [x, y] }) => name === wanted && x === chart.px(k) && y === chart.py(value)) ? [k] : []));
  assert.deepEqual([reached("moveTo"), reached("lineTo")], [[0, 3, 5], [1]]);
  const log = drawn({ xs: [0, 1, 2], series: [{ name: "a", colour: 0, values: [1, 0, 10] }], log: true }).chart;
  assert.ok(log.canvas.drawn.every(({ all }) => all.every((each) => typeof each !== "number" || Number.isFinite(each))));
});

test("a legend takes as many rows as its names need, and cuts off a name without room", () => {
  const context = { font: "", measureText: (text) => ({ width: 6 * text.length }) };
  assert.deepEqual(legendOf(context, ["one", "two"], 300), { rows: 1, places: [{ row: 0, x: 0, text: "one" }, { row: 0, x: 56, text: "two" }] });
  const { rows, places } = legendOf(context, ["a name", "a very long name of a metric", "another"], 120);
  assert.equal(rows, 3);
  assert.deepEqual(places.map(({ row, x }) => [row, x]), [[0, 0], [1, 0], [2, 0]]);
  assert.ok(places.every(({ text }) => 23 + 6 * text.length <= 120));
  assert.ok(places[1].text.endsWith("…"));
});
