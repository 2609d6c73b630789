import assert from "node:assert/strict";
import test from "node:test";

import { load } from "./surroundings.mjs";

const { Frames } = await load("frames");
const { State } = await load("state");

const STEPS = { "a lower": [0, 10, 20, 30], "a upper": [5, 14], "b lower": [0, 12] };

/** Data that notes which captures it is asked for. */
class Noting {
  asked = [];
  loaded = new Map();
  known = new Map();
  broken = new Set();

  run(name) {
    const layers = Object.keys(STEPS).filter((key) => key.startsWith(`${name} `)).map((key) => key.split(" ")[1]);
    return layers.length ? { name, layers } : null;
  }

  steps(run, layer) {
    return this.known.get(`${run} ${layer}`) ?? null;
  }

  async loadSteps(run, layer) {
    const steps = STEPS[`${run} ${layer}`];
    if (!steps) throw new Error("There is no such layer.");
    this.known.set(`${run} ${layer}`, steps);
    return steps;
  }

  captureNow(run, layer, step) {
    return this.loaded.get(`${run} ${layer} ${step}`) ?? null;
  }

  async capture(run, layer, step) {
    const name = `${run} ${layer} ${step}`;
    this.asked.push(name);
    if (this.broken.has(name)) throw new Error(`${name} is torn.`);
    this.loaded.set(name, { name });
    return this.loaded.get(name);
  }
}

function framesOf(values) {
  const data = new Noting();
  return { data, frames: new Frames(data, new State({ run: "a", layers: ["lower"], ...values })) };
}

const names = (frames) => frames.map((frame) => [frame.a?.name ?? null, frame.b?.name ?? null]);

test("without a step the newest capture is shown, and a second layer at its nearest step", async () => {
  const { frames } = framesOf({ layers: ["lower", "upper"] });
  assert.equal(frames.now(), null);
  assert.deepEqual(names(await frames.load()), [["a lower 30", null], ["a upper 14", null]]);
});

test("a step between two is the nearest one of the first layer, and leads the others", async () => {
  const { frames } = framesOf({ step: 6, layers: ["lower", "upper"] });
  assert.deepEqual(names(await frames.load()), [["a lower 10", null], ["a upper 14", null]]);
});

test("a comparison goes along with the step, unless it has one of its own", async () => {
  assert.deepEqual(names(await framesOf({ step: 10, compare: true, runB: "b" }).frames.load()), [["a lower 10", "b lower 12"]]);
  assert.deepEqual(names(await framesOf({ step: 10, compare: true, runB: "b", stepB: 1 }).frames.load()), [["a lower 10", "b lower 0"]]);
  assert.deepEqual(names(await framesOf({ step: 10, compare: true, stepB: 30 }).frames.load()), [["a lower 10", "a lower 30"]]);
});

test("what is here already is shown without asking", async () => {
  const { data, frames } = framesOf({ step: 10 });
  await frames.load();
  data.asked = [];
  assert.deepEqual(names(frames.now()), [["a lower 10", null]]);
  assert.deepEqual(data.asked, []);
});

test("units are sorted only once the capture that sorts them is here", async () => {
  const { data, frames } = framesOf({ step: 10, sort: "mean", sortStep: 20 });
  await data.loadSteps("a", "lower");
  await data.capture("a", "lower", 10);
  assert.equal(frames.now(), null);
  await frames.load();
  assert.deepEqual(data.asked, ["a lower 10", "a lower 10", "a lower 20"]);
  assert.deepEqual(names(frames.now()), [["a lower 10", null]]);
});

test("a capture that cannot be loaded leaves the others, and its reason", async () => {
  const { data, frames } = framesOf({ layers: ["lower", "upper"], step: 10, compare: true, runB: "b" });
  data.broken.add("a lower 10");
  const [lower, upper] = await frames.load();
  assert.deepEqual([lower.a, lower.error, lower.cause.message, lower.b.name], [null, "a lower 10 is torn.", "a lower 10 is torn.", "b lower 12"]);
  assert.equal(upper.a.name, "a upper 14");
  assert.match(upper.errorB, /no captures of “upper”/);
});

test("a run that is not there has no frames, and a layer that is not there none either", async () => {
  assert.deepEqual(await framesOf({ run: "gone" }).frames.load(), []);
  assert.deepEqual(names(await framesOf({ layers: ["gone", "lower"] }).frames.load()), [["a lower 30", null]]);
});

test("the neighbours of what is shown are fetched ahead, and nothing outside of the steps", async () => {
  for (const [step, expected] of [[0, ["a lower 10", "a lower 20", "a lower 30"]], [20, ["a lower 30", "a lower 10"]]]) {
    const { data, frames } = framesOf({ step });
    await frames.load();
    data.asked = [];
    frames.prefetch();
    assert.deepEqual(data.asked, expected);
  }
});
