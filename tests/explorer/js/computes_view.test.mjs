// What the view Computes makes of the findings, apart from its pictures.

import assert from "node:assert/strict";
import test from "node:test";

import { within } from "./document.mjs";
import { load } from "./surroundings.mjs";

const { ANALYSES, ComputesView, LINE, dots, effects, reason, trackingRows, ways } = await load("computes_view");

const nothing = { history: () => Promise.reject(new Error("no such array")) };
const series = (name, named, r2) => ({ name, family: "input", named, units: r2.map((_, k) => 10 + k), r2, correlation: r2, p: r2.map(() => 0.001), area: r2.map(() => "nan") });

test("all units beyond chance are listed first, then the best unit of a few other series", () => {
  const others = Array.from({ length: 20 }, (_, k) => series(`other ${k}`, [], [0.2, 0.1]));
  const rows = trackingRows({ word: "unit", series: [...others, series("sum", [10, 11], [0.9, 0.8, 0.1]), series("constant", [], ["nan"])] });
  assert.deepEqual(rows.slice(0, 3).map(({ series: name, unit, named }) => [name, unit, named]), [["sum", 10, true], ["sum", 11, true], ["other 0", 10, false]]);
  assert.ok(rows.length < 12 && rows.every(({ series: name }) => name !== "constant"));
  assert.ok(Number.isNaN(rows[0].area));
  const many = trackingRows({ word: "unit", series: [series("sum", [10, 11, 12, 13, 14], [0.9, 0.8, 0.7, 0.6, 0.5])] });
  assert.deepEqual(many.map(({ unit }) => unit), [10, 11, 12]);
});

test("effects are those of units, by unit", () => {
  const ablation = { word: "unit", units: [4, 0], effect: [0.5, "nan"] };
  assert.deepEqual([...effects({ findings: { ablation } })], [[4, 0.5], [0, NaN]]);
  assert.equal(effects({ findings: { ablation: { ...ablation, word: "filter" } } }), null);
  assert.equal(effects({ findings: {} }), null);
  assert.equal(effects(null), null);
});

test("eigenvalues are dots that know their place, and those that are not finite are left out", () => {
  assert.deepEqual(dots([[[1, 0.5], ["nan", 0]], [[-1, 0]]]), [{ re: 1, im: 0.5, place: 0 }, { re: -1, im: 0, place: 1 }]);
});

test("ways are lines in the order of reading, the chosen one last, in the colours of their classes", () => {
  const way = (timesteps) => ({ timesteps, x: timesteps.map((t) => t / 10), y: timesteps });
  const found = { ways: [way([0, 2]), way([1, 3, 5]), way([])], classes: ["b", "a", "b"] };
  const { states, lines, chosen, kinds } = ways(found, 0, false);
  assert.deepEqual(kinds, ["a", "b"]);
  assert.deepEqual(states[3], { row: 1, t: 3, x: 0.3, y: 3 });
  assert.deepEqual(lines, [{ kind: 0, colour: 0, chosen: false, points: [2, 3, 4] }, { kind: 1, colour: 1, chosen: true, points: [0, 1] }]);
  assert.deepEqual(chosen, [0, 1]);
  assert.deepEqual(ways(found, 1, true).lines.at(-1).points, [4, 3, 2]);
  assert.deepEqual(ways({ ...found, classes: null }, 9, false).lines.map(({ colour, chosen: is }) => [colour, is]), [[0, false], [0, false]]);
});

test("what is missing is said in words: why, or how to ask for it", () => {
  const found = { missing: { need: "There is no target." } };
  assert.equal(reason("need", found), "There is no target.");
  assert.match(reason("tracking", found), /analyses=\["tracking"\]/);
});

test("a log without analyses says the line to write, and one whose source fails says why", async () => {
  for (const [explained, expected] of [[async () => null, LINE], [() => Promise.reject(new Error("The kernel is busy.")), "The kernel is busy."]]) {
    const view = new ComputesView({ steps: [0], frames: [{ a: {}, aRun: "run", layer: "memory" }], state: {}, data: { ...nothing, explained, explainedNow: () => null } });
    await view.render();
    assert.ok(within(view.element).textContent.includes(expected));
  }
});

test("while there is nothing it asks again, and no more when it has something", async () => {
  const asked = [];
  let known = null;
  const view = new ComputesView({ steps: [0], frames: [{ a: {}, aRun: "run", layer: "memory" }], state: {}, data: { ...nothing, explained: async (...place) => asked.push(place[3]) && null, explainedNow: () => known } });
  await view.render();
  view.look();
  known = { steps: [0] };
  view.look();
  assert.equal(new Set(asked).size, 2);
});

test("findings that are all missing are as many reasons", async () => {
  const explained = async () => ({ step: 7, steps: [7], notes: ["A note."], asked_of: "It was asked.", findings: {}, missing: Object.fromEntries(ANALYSES.map((name) => [name, `No ${name}.`])) });
  const view = new ComputesView({ steps: [0], frames: [{ a: { step: 7 }, aRun: "run", layer: "memory" }], state: {}, data: { ...nothing, explained, explainedNow: () => null } });
  await view.render();
  const text = within(view.element).textContent;
  for (const said of ["Analysed at step 7. It was asked. A note.", ...ANALYSES.map((name) => `Not made. No ${name}.`)]) assert.ok(text.includes(said), said);
});
