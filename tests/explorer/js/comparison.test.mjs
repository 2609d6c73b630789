// What can be compared, and what is said of the rest.

import assert from "node:assert/strict";
import test from "node:test";

import { load } from "./surroundings.mjs";

const { comparableRuns, comparisonOf, firstComparison } = await load("comparison");
const { Capture } = await load("capture");
const { packed } = await load("packing");

/** A capture of some gates, each with so many sequences, timesteps and units. */
function capture(letters, { shape = [2, 3, 4], cell = "lstm", ...arrays } = {}) {
  const data = new Uint16Array(shape[0] * shape[1] * shape[2]);
  const gates = letters.map((letter) => [`gates/${letter}`, { dtype: "F16", shape, data }]);
  const others = Object.entries(arrays).map(([name, kept]) => [name, { dtype: "I32", shape: [kept.length], data: Int32Array.from(kept) }]);
  return new Capture(packed(new Map([...gates, ...others]), { format: 1, letters, cell, shape, titles: { f: "forget gate f", z: "update gate z", r: "reset gate r" } }));
}

test("two captures alike are compared in every gate, and nothing is said", () => {
  const found = comparisonOf(capture(["f", "h"]), capture(["f", "h"]), 1);
  assert.deepEqual([found.letters, found.letters.map(found.subtracts), found.reasons], [["f", "h"], [true, true], []]);
});

test("gates that only one side has are left out, and named", () => {
  const { letters, reasons } = comparisonOf(capture(["f", "h"]), capture(["z", "r", "h"], { cell: "gru" }), 0);
  assert.deepEqual(letters, ["h"]);
  assert.deepEqual(reasons, ["A is of the kind “lstm”, B of the kind “gru”.", "Only A has forget gate f.", "Only B has update gate z and reset gate r."]);
});

test("sides of other sizes, or of other units that were kept, have no difference", () => {
  const one = capture(["h"]);
  const wide = comparisonOf(one, capture(["h"], { shape: [2, 3, 5] }), 0);
  assert.deepEqual([wide.subtracts("h"), wide.reasons], [false, ["No difference: A has 4 units × 3 timesteps, B 5 units × 3 timesteps."]]);
  for (const kept of [{ units: [0, 2, 4, 6] }, { timesteps: [0, 5, 9] }]) {
    const { subtracts, reasons } = comparisonOf(one, capture(["h"], kept), 0);
    assert.deepEqual([subtracts("h"), reasons.length], [false, 1]);
  }
});

test("a sequence that one side lacks has no difference", () => {
  const [two, one] = [capture(["h"]), capture(["h"], { shape: [1, 3, 4] })];
  assert.deepEqual(comparisonOf(two, one, 1).reasons, ["No difference: B has no sequence 1, so its last is shown."]);
  assert.deepEqual(comparisonOf(one, two, 1).reasons, ["No difference: A has no sequence 1, so its last is shown."]);
});

test("runs without the chosen layers are not listed, and are counted", () => {
  const runs = [["a", ["x", "y"]], ["b", ["x"]], ["c", []]].map(([name, layers]) => ({ name, layers }));
  assert.deepEqual(comparableRuns(runs, ["x"]), { runs: ["a", "b"], hidden: "1 run is not listed: it has no layer “x”." });
  assert.deepEqual(comparableRuns(runs, ["x", "y"]), { runs: ["a"], hidden: "2 runs are not listed: they have not all of the chosen layers." });
  assert.deepEqual(comparableRuns(runs.slice(0, 2), ["x"]).hidden, "");
});

test("a comparison begins with this run’s first step, else with the first run that fits", () => {
  assert.deepEqual(firstComparison("a", [3, 5, 9], ["a", "b"]), { runB: "a", stepB: 3 });
  assert.deepEqual(firstComparison("a", [3], ["a", "b"]), { runB: "b", stepB: null });
  assert.deepEqual(firstComparison("a", [3], ["a"]), { runB: "a", stepB: 3 });
  assert.deepEqual(firstComparison("a", [], []), { runB: "a", stepB: null });
});
