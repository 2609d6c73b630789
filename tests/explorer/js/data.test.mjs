import assert from "node:assert/strict";
import test from "node:test";

import { bytes, load, rounds } from "./surroundings.mjs";

const { Data, nearest } = await load("data");
const { Source, SourceError } = await load("source");

const buffer = await bytes("capture.safetensors");

/** A source that notes what it is asked. */
class Noting extends Source {
  asked = [];
  failing = false;

  #answer(question, answer) {
    this.asked.push(question);
    return this.failing ? Promise.reject(new SourceError("It is gone from here.", "missing")) : Promise.resolve(answer);
  }

  runs() {
    return this.#answer("runs", [{ name: "r", layers: ["a", "b", "c"], weights: [], last: 9 }]);
  }

  layers(run) {
    return this.#answer(`layers ${run}`, [{ name: "c", steps: [1, 4] }, { name: "gone", steps: [1] }, { name: "a", steps: [9] }]);
  }

  steps(run, layer) {
    return this.#answer(`steps ${run} ${layer}`, [2, 3]);
  }

  timeline(run) {
    return this.#answer(`timeline ${run}`, [{ step: 1, layers: {} }]);
  }

  alerts(run) {
    return this.#answer(`alerts ${run}`, [{ rule: "dead_units", step: 1, state: "noted" }]);
  }

  capture(run, layer, step) {
    return this.#answer(`capture ${run} ${layer} ${step}`, buffer);
  }

  weights(run, layer, step) {
    return this.#answer(`weights ${run} ${layer} ${step}`, buffer);
  }

  series(run, layer, { sequence, timestep, unit }) {
    return this.#answer(`series ${run} ${layer} ${sequence} ${timestep} ${unit}`, buffer);
  }

  history(run, layer, name) {
    return this.#answer(`history ${run} ${layer} ${name}`, buffer);
  }
}

test("runs, layers and steps are those of the source, layers in the order of the model", async () => {
  const data = new Data(new Noting());
  assert.deepEqual([data.listed, data.run("r"), data.steps("r", "c"), data.layers("r"), data.timeline("r")], [false, null, null, [], []]);
  await data.loadRuns();
  assert.deepEqual([data.listed, data.run("r").last, data.run("no such"), data.layers("r")], [true, 9, null, ["a", "b", "c"]]);
  await data.loadLayers("r");
  assert.deepEqual(data.layers("r"), ["c", "a", "b"]);
  assert.deepEqual([data.steps("r", "c"), data.steps("r", "a"), data.steps("r", "b")], [[1, 4], [9], null]);
  await data.loadSteps("r", "b");
  assert.deepEqual(data.steps("r", "b"), [2, 3]);
  await data.loadTimeline("r");
  assert.equal(data.timeline("r")[0].step, 1);
  assert.deepEqual([data.alerts("r")[0].rule, data.alerts("other")], ["dead_units", []]);
  assert.deepEqual(data.source.asked, ["runs", "layers r", "steps r b", "timeline r", "alerts r"]);
});

test("a capture is asked for once, and is here now afterwards", async () => {
  const data = new Data(new Noting());
  assert.equal(data.captureNow("r", "a", 1), null);
  const [one, other] = await Promise.all([data.capture("r", "a", 1), data.capture("r", "a", 1)]);
  assert.equal(one, other);
  assert.equal(await data.capture("r", "a", 1), one);
  assert.equal(data.captureNow("r", "a", 1), one);
  await data.capture("r", "a", 2);
  assert.deepEqual(data.source.asked, ["capture r a 1", "capture r a 2"]);
});

test("names that could be taken for each other are kept apart", async () => {
  const data = new Data(new Noting());
  for (const [comma, other] of [["a,b", "b,c"], ['a","b', 'b","c']]) {
    await data.capture(comma, "c", 1);
    assert.equal(data.captureNow("a", other, 1), null);
    await data.weights(comma, "c", 1);
  }
  assert.equal(data.source.asked.length, 4);
});

test("courses are asked for again when there are more captures", async () => {
  const data = new Data(new Noting());
  for (const version of [3, 3, 4]) await data.series("r", "a", 0, 5, 7, version);
  for (const version of [3, 3, 4]) await data.history("r", "a", "horizon", version);
  assert.deepEqual(data.source.asked, ["series r a 0 5 7", "series r a 0 5 7", "history r a horizon", "history r a horizon"]);
});

test("what failed is asked for again", async () => {
  const data = new Data(new Noting());
  data.source.failing = true;
  await assert.rejects(data.capture("r", "a", 1), { kind: "missing" });
  await assert.rejects(data.loadRuns(), { kind: "missing" });
  assert.equal(data.listed, false);
  data.source.failing = false;
  assert.equal((await data.capture("r", "a", 1)).units, 7);
});

test("captures beyond 96 MB are let go, the oldest first", async () => {
  const source = new Noting();
  const large = new Uint8Array(40 * 2 ** 20);
  large.set(new Uint8Array(buffer));
  source.capture = async () => large.buffer;
  const data = new Data(source);
  for (const step of [1, 2, 3]) await data.capture("r", "a", step);
  assert.deepEqual([1, 2, 3].map((step) => data.captureNow("r", "a", step) !== null), [false, true, true]);
});

test("the nearest step is the one at the smallest distance, of two the earlier; the last without a wish", () => {
  rounds(200, ({ whole }) => {
    const steps = [...new Set(Array.from({ length: 1 + whole(9) }, () => whole(50)))].sort((a, b) => a - b);
    const wanted = whole(60) - 5;
    const distances = steps.map((step) => Math.abs(step - wanted));
    assert.equal(nearest(steps, wanted), steps[distances.indexOf(Math.min(...distances))]);
    assert.equal(nearest(steps, null), Math.max(...steps));
  });
  assert.deepEqual([nearest([], 3), nearest(null, 3)], [null, null]);
});
