import assert from "node:assert/strict";
import test from "node:test";

import { load } from "./surroundings.mjs";

const { Live } = await load("live");
const { Data } = await load("data");
const { Source, SourceError } = await load("source");

/** A source whose log grows while it is watched: `tell()` calls those that watch. */
class Growing extends Source {
  log = new Map([["r", [0, 1]]]);
  listeners = [];

  watch(listener) {
    this.listeners.push(listener);
    return () => {};
  }

  async tell() {
    for (const listener of this.listeners) await listener();
  }

  async runs() {
    return [...this.log].map(([name, steps]) => ({ name, layers: ["l"], weights: [], last: steps.at(-1) }));
  }

  async layers(run) {
    return [{ name: "l", steps: await this.steps(run) }];
  }

  async steps(run) {
    if (!this.log.has(run)) throw new SourceError("The run is not there any more.", "missing");
    return [...this.log.get(run)];
  }

  async timeline(run) {
    return (this.log.get(run) ?? []).map((step) => ({ step, layers: {} }));
  }

  async alerts() {
    return [];
  }
}

async function watched(log = [["r", [0, 1]]]) {
  const source = new Growing();
  source.log = new Map(log);
  const data = new Data(source);
  await data.loadRuns();
  const app = { data, state: { run: log.length ? "r" : "", layers: log.length ? ["l"] : [] }, frames: [], refreshed: 0, arrived: 0, looked: 0 };
  app.look = () => (app.looked += 1);
  app.refresh = async () => (app.refreshed += 1);
  app.arrive = async () => {
    app.arrived += 1;
    Object.assign(app.state, { run: data.runs[0]?.name ?? "", layers: ["l"] });
  };
  if (log.length) await data.loadSteps("r", "l");
  new Live(app).start();
  await new Promise(setImmediate);
  app.refreshed = 0;
  return { app, source };
}

test("where nothing is new nothing is drawn", async () => {
  const { app, source } = await watched();
  for (let round = 0; round < 4; round++) await source.tell();
  assert.deepEqual([app.refreshed, app.looked], [0, 4]);
});

test("a new capture is found by the next look, with its point of the timeline", async () => {
  const { app, source } = await watched();
  source.log.get("r").push(2);
  await source.tell();
  assert.deepEqual(app.data.steps("r", "l"), [0, 1, 2]);
  assert.deepEqual(app.data.timeline("r").map(({ step }) => step), [0, 1, 2]);
  assert.ok(app.refreshed > 0);
});

test("a new run is found within two looks", async () => {
  const { app, source } = await watched();
  source.log.set("s", [7]);
  await source.tell();
  await source.tell();
  assert.ok(app.data.run("s") && app.refreshed > 0);
});

test("the first run of an empty log is found by the next look, and shown", async () => {
  const { app, source } = await watched([]);
  await source.tell();
  assert.equal(app.arrived, 0);
  source.log.set("r", [3]);
  await source.tell();
  assert.deepEqual([app.arrived, app.state.run], [1, "r"]);
  assert.ok(app.refreshed > 0);
});

test("a run that is deleted is gone from the list", async () => {
  const { app, source } = await watched([["r", [0]], ["s", [0]]]);
  source.log.delete("r");
  await source.tell();
  assert.equal(app.data.run("r"), null);
  assert.ok(app.refreshed > 0);
});

test("a failure of the source is left to the source", async () => {
  const { source } = await watched();
  source.steps = async () => {
    throw new SourceError("Nobody answers.", "unreachable");
  };
  await assert.rejects(source.tell(), { kind: "unreachable" });
});

test("what could not be shown because nobody answered is asked for again", async () => {
  const { app, source } = await watched();
  app.frames = [{ a: null, cause: new SourceError("Nobody answers.", "unreachable") }];
  await source.tell();
  assert.equal(app.refreshed > 0, true);
  app.frames = [{ a: null, cause: new SourceError("It is damaged.", "refused") }];
  app.refreshed = 0;
  await source.tell();
  assert.equal(app.refreshed, 0);
});
