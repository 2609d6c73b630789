// What the view Computes makes of the findings, apart from its pictures.

import assert from "node:assert/strict";
import test from "node:test";

import { within } from "./document.mjs";
import { load } from "./surroundings.mjs";

const { ANALYSES, ComputesView, LINE, dots, effects, reason, trackingRows } = await load("computes_view");

const series = (name, named, r2) => ({ name, family: "input", named, units: r2.map((_, k) => 10 + k), r2, correlation: r2, p: r2.map(() => 0.001), area: r2.map(() => "nan") });

test("all units beyond chance are listed first, then the best unit of a few other series", () => {
  const others = Array.from({ length: 20 }, (_, k) => series(`other ${k}`, [], [0.2, 0.1]));
  const rows = trackingRows({ word: "unit", series: [...others, series("sum", [10, 11], [0.9, 0.8, 0.1]), series("constant", [], ["nan"])] });
  assert.deepEqual(rows.slice(0, 3).map(({ series: name, unit, named }) => [name, unit, named]), [["sum", 10, true], ["sum", 11, true], ["other 0", 10, false]]);
  assert.ok(rows.length < 12 && rows.every(({ series: name }) => name !== "constant"));
  assert.ok(Number.isNaN(rows[0].area));
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

test("what is missing is said in words: why, or how to ask for it", () => {
  const found = { missing: { need: "There is no target." } };
  assert.equal(reason("need", found), "There is no target.");
  assert.match(reason("tracking", found), /analyses=\["tracking"\]/);
});

test("a log without analyses says the line to write, and one whose source fails says why", async () => {
  for (const [explained, expected] of [[async () => null, LINE], [() => Promise.reject(new Error("The kernel is busy.")), "The kernel is busy."]]) {
    const view = new ComputesView({ steps: [0], frames: [{ a: {}, aRun: "run", layer: "memory" }], state: {}, data: { explained, explainedNow: () => null } });
    await view.render();
    assert.ok(within(view.element).textContent.includes(expected));
  }
});

test("while there is nothing it asks again, and no more when it has something", async () => {
  const asked = [];
  let known = null;
  const view = new ComputesView({ steps: [0], frames: [{ a: {}, aRun: "run", layer: "memory" }], state: {}, data: { explained: async (...place) => asked.push(place[2]) && null, explainedNow: () => known } });
  await view.render();
  view.look();
  known = {};
  view.look();
  assert.equal(new Set(asked).size, 2);
});

test("findings that are all missing are five reasons", async () => {
  const explained = async () => ({ step: 7, notes: ["A note."], asked_of: "It was asked.", findings: {}, missing: Object.fromEntries(ANALYSES.map((name) => [name, `No ${name}.`])) });
  const view = new ComputesView({ steps: [0], frames: [{ a: { step: 7 }, aRun: "run", layer: "memory" }], state: {}, data: { explained, explainedNow: () => null } });
  await view.render();
  const text = within(view.element).textContent;
  for (const said of ["Analysed at step 7. It was asked. A note.", ...ANALYSES.map((name) => `Not made. No ${name}.`)]) assert.ok(text.includes(said), said);
});
