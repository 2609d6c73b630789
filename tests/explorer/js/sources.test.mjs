// One contract for all sources of data: the routes of TensorBoard, those of `lstm-probe serve`, the
// kernel of a notebook and a saved report of the same log give the same answers to the same questions.

import assert from "node:assert/strict";
import test from "node:test";

import { load, ownServer, random, routes, text } from "./surroundings.mjs";

const { Source, SourceError } = await load("source");
const { TensorBoardSource } = await load("tensorboard_source");
const { ServerSource } = await load("server_source");
const { CommSource } = await load("comm_source");
const { ReportSource } = await load("report_source");
const { readSafetensors } = await load("safetensors");
const { Capture } = await load("capture");

const report = await reportAt("report.html");
const server = new TensorBoardSource({ base: routes });
const own = new ServerSource({ base: ownServer });
const kernel = new CommSource(kernelModel());
const sources = [["the routes", server], ["the server of its own", own], ["the kernel", kernel], ["the report", report]];
const others = [own, kernel, report];

const runs = await server.runs();
const named = (name) => runs.find((run) => run.name.startsWith(name)).name;
const [bare, late, long, narrow, opaque] = ["bare", "late", "long", "narrow", "opaque"].map(named);
const layersOf = new Map(await Promise.all(runs.map(async ({ name }) => [name, await server.layers(name)])));

test("the log has what tells sources apart", () => {
  assert.deepEqual(runs.map(({ name }) => name), [...runs.map(({ name }) => name)].sort());
  assert.equal(runs.length, 5);
  assert.deepEqual(layersOf.get(late).map(({ name }) => name), ["lower", "</script>", "upper é/1&c"]);
  assert.equal(layersOf.get(long)[0].steps.length, 431);
});

test("the runs are the same", async () => {
  for (const source of others) assert.deepEqual(await source.runs(), runs);
  assert.deepEqual(runs.find(({ name }) => name === late), { name: late, layers: ["</script>", "lower", "upper é/1&c"], weights: ["</script>", "lower", "upper é/1&c"], last: 20 });
});

for (const run of runs) {
  test(`the layers, steps and timeline of ${run.name} are the same`, async () => {
    for (const source of others) assert.deepEqual(await source.layers(run.name), layersOf.get(run.name));
    for (const { name, steps } of layersOf.get(run.name)) {
      assert.ok(steps.length);
      for (const [, source] of sources) assert.deepEqual(await source.steps(run.name, name), steps);
    }
    const timeline = await server.timeline(run.name);
    assert.equal(timeline.length > 0, run.name !== bare);
    for (const source of others) assert.deepEqual(await source.timeline(run.name), timeline);
    const alerts = await server.alerts(run.name);
    const told = alerts.map(({ rule, layer, step, state, until }) => [rule, layer, step, state, until]);
    assert.deepEqual(told, run.name === narrow ? [["dead_units", "projected", 7, "cleared", 21]] : []);
    for (const source of others) assert.deepEqual(await source.alerts(run.name), alerts);
    for (const { name, steps } of layersOf.get(run.name)) {
      const said = await server.sentences(run.name, name, steps[0]);
      assert.ok(said.length <= 6 && said.every(({ text }) => /^[A-Z0-9].*\.$/.test(text)));
      assert.equal(said.length > 0, run.name !== bare);
      for (const source of others) assert.deepEqual(await source.sentences(run.name, name, steps[0]), said);
    }
  });

  test(`the captures of ${run.name} are the same`, async () => {
    for (const { name, steps } of layersOf.get(run.name)) {
      for (const step of new Set([steps[0], steps.at(-1), steps[steps.length >> 1]])) {
        const [one, ...rest] = await Promise.all(sources.map(async ([, source]) => new Capture(await source.capture(run.name, name, step))));
        if (run.name !== long) assert.equal(one.step, step); // one analysis stands for all of them
        for (const other of rest) {
          assert.deepEqual(sorted(other.arrays), sorted(one.arrays));
          assert.deepEqual({ ...other.meta, quantised: undefined }, { ...one.meta, quantised: undefined });
        }
      }
    }
  });

  test(`the probe's own data of ${run.name} is the same`, async () => {
    const [one, ...rest] = await Promise.all([server, own].map(async (source) => readSafetensors(await source.probe(run.name))));
    for (const other of rest) assert.deepEqual([sorted(other.arrays), other.meta], [sorted(one.arrays), one.meta]);
    assert.equal(one.arrays.has("inputs/0"), run.name === late);
    if (run.name !== late) return assert.rejects(async () => report.probe(run.name), (error) => error instanceof SourceError && error.kind === "missing");
    const held = readSafetensors(await report.probe(run.name));
    return assert.deepEqual([sorted(held.arrays), held.meta], [sorted(one.arrays), one.meta]);
  });

  test(`the courses of ${run.name} are the same`, async () => {
    const { whole } = random(9);
    for (const { name, steps } of layersOf.get(run.name)) {
      const { batch, time, units, arrays, meta } = new Capture(await server.capture(run.name, name, steps[0]));
      for (let round = 0; round < 3; round++) {
        const cell = { sequence: whole(batch), timestep: whole(time), unit: round ? whole(units) : units - 1 };
        await assertSame((source) => source.series(run.name, name, cell));
      }
      const vectors = [...arrays].filter(([array, { shape }]) => shape.length === 1 && array !== "error_by_timestep");
      assert.ok(vectors.length > 3);
      const some = run.name === long ? vectors.slice(-3) : vectors; // hundreds of captures are read for each
      for (const [array] of some) await assertSame((source) => source.history(run.name, name, array));
      if (meta.parity && run.name !== bare) await assertSame((source) => source.history(run.name, name, "error_by_timestep"));
    }
  });
}

test("what the analyses found is the same, of the newest up to a step, and null where there is nothing", async () => {
  for (const [step, expected] of [[0, 10], [10, 10], [19, 10], [20, 20], [999, 20]]) {
    const found = await server.explained(late, "lower", step);
    assert.deepEqual([found.step, found.steps, Object.keys(found.findings), Object.keys(found.missing)], [expected, [10, 20], ["ablation", "stability"], ["need"]]);
    assert.ok(found.findings.ablation.sentences.every(({ text }) => /^[A-Z0-9].*\.$/s.test(text)));
    for (const source of others) assert.deepEqual(await source.explained(late, "lower", step), found);
  }
  for (const [, source] of sources) for (const place of [[late, "upper é/1&c"], [long, "memory"], ["no such", "memory"], [late, "constructor"]]) assert.equal(await source.explained(...place, 0), null);
});

test("curves that are computed from several captures or findings are the same", async () => {
  const exponents = readSafetensors(await server.history(late, "lower", "exponents")).arrays;
  assert.deepEqual([[...exponents.get("steps").data], exponents.get("values").shape], [[10, 20], [2, 3]]);
  const [value, low, high] = exponents.get("values").data;
  assert.ok(low < value && value < high);
  await assertSame((source) => source.history(late, "lower", "exponents"));
  const cka = readSafetensors(await server.history(long, "memory", "cka")).arrays;
  assert.deepEqual([cka.get("values").shape, cka.get("steps").data.at(-1)], [[60, 2], 430]);
  assert.ok(Math.abs(cka.get("values").data.at(-2) - 1) < 1e-6);
  await assertSame((source) => source.history(long, "memory", "cka"));
});

test("weights are the same", async () => {
  for (const { name, steps } of layersOf.get(late)) await assertSame((source) => source.weights(late, name, steps[0]));
});

test("of many captures a course takes 400, and a unit that goes leaves no points", async () => {
  for (const [, source] of sources) {
    const all = readSafetensors(await source.series(long, "memory", { sequence: 0, timestep: 2, unit: 1 })).arrays.get("steps").data;
    assert.deepEqual([all.length, all[0], all.at(-1)], [400, 0, 430]);
    const wide = readSafetensors(await source.series(long, "memory", { sequence: 0, timestep: 2, unit: 5 })).arrays.get("steps").data;
    assert.ok(wide.at(-1) < 300 && wide.length > 250);
  }
});

test("a unit that a projected h lacks has a series, and h is NaN in it", async () => {
  for (const [, source] of sources) {
    const { arrays } = readSafetensors(await source.series(narrow, "projected", { sequence: 1, timestep: 4, unit: 6 }));
    assert.ok(arrays.get("gates/h").data.every(Number.isNaN));
    assert.ok(arrays.get("gates/f").data.every((value) => value > 0 && value < 1));
  }
});

test("the timeline of a run that is not there is empty", async () => {
  for (const [, source] of sources) {
    assert.deepEqual(await source.timeline("no such"), []);
    assert.deepEqual(await source.alerts("no such"), []);
  }
});

for (const [what, ask] of [
  ["the layers of no run", (source) => source.layers("no such")],
  ["the layers of an inherited name", (source) => source.layers("constructor")],
  ["the steps of no run", (source) => source.steps("no such", "memory")],
  ["the steps of no layer", (source) => source.steps(long, "no such")],
  ["no capture", (source) => source.capture(long, "memory", 431)],
  ["no weights", (source) => source.weights(long, "memory", 0)],
  ["the series of no layer", (source) => source.series(long, "no such", { sequence: 0, timestep: 0, unit: 0 })],
  ["the series of no unit", (source) => source.series(long, "memory", { sequence: 0, timestep: 0, unit: 99 })],
  ["the series of no timestep", (source) => source.series(long, "memory", { sequence: 0, timestep: 99, unit: 0 })],
  ["the series of no sequence", (source) => source.series(long, "memory", { sequence: 9, timestep: 0, unit: 0 })],
  ["the history of no array", (source) => source.history(long, "memory", "no such")],
  ["the history of an array with three axes", (source) => source.history(long, "memory", "gates/f")],
  ["the error of what was not compared", (source) => source.history(opaque, "memory", "error_by_timestep")],
  ["the error that no summary tells", (source) => source.history(bare, "memory", "error_by_timestep")],
  ["the history of no layer", (source) => source.history(long, "no such", "horizon")],
]) {
  for (const [whose, source] of sources) {
    test(`${whose} say that it is missing: ${what}`, async () => {
      await assert.rejects(ask(source), (error) => error instanceof SourceError && error.kind === "missing" && error.message.length > 20);
    });
  }
}

test("a source says whether it grows, and all are sources", () => {
  assert.deepEqual(sources.map(([, source]) => [source instanceof Source, source.grows]), [[true, true], [true, true], [true, true], [true, false]]);
  for (const [, source] of sources) for (const said of [source.waitingText, source.emptyText]) assert.match(said, /^[A-Z].*\.$/);
});

test("those that serve make files of captures, and others do not", async () => {
  assert.equal(kernel.fileAddress(late, "upper é/1&c", 0, "npz"), null);
  assert.equal(report.fileAddress(late, "upper é/1&c", 0, "npz"), null);
  for (const source of [server, own]) {
    const file = await fetch(source.fileAddress(late, "upper é/1&c", 0, "npz"));
    assert.equal(file.status, 200);
    assert.match(file.headers.get("content-disposition"), /attachment/);
    assert.deepEqual(new Uint8Array(await file.arrayBuffer()).slice(0, 2), Uint8Array.of(0x50, 0x4b)); // a zip archive
  }
});

test("a token is said with every request, and in the address of a file", async () => {
  const real = globalThis.fetch;
  const asked = [];
  globalThis.fetch = async (_, { headers }) => asked.push(headers) && Response.json({ runs: [] });
  try {
    await new ServerSource({ token: "secret+1" }).runs();
    await new ServerSource().runs();
  } finally {
    globalThis.fetch = real;
  }
  assert.deepEqual(asked, [{ Authorization: "Bearer secret+1" }, {}]);
  assert.equal(new ServerSource({ token: "secret+1" }).fileAddress("r", "l", 7, "csv"), "download?run=r&layer=l&step=7&format=csv&token=secret%2B1");
});

test("a report in steps of one byte gives the same values within half a step", async () => {
  const coarse = await reportAt("coarse.html");
  const steps = await server.steps(narrow, "projected");
  for (const step of steps) {
    const [one, other] = [new Capture(await server.capture(narrow, "projected", step)), new Capture(await coarse.capture(narrow, "projected", step))];
    for (let t = 0; t < one.time; t++) assert.ok(Math.abs(one.value("f", 0, t, 3) - other.value("f", 0, t, 3)) <= 0.5 / 255 + 2 ** -11);
  }
});

/** A notebook's model whose kernel replies with what the server of its own replies. */
function kernelModel() {
  let heard;
  const send = async ({ ask, address }) => {
    heard({ heard: ask }, []);
    const answer = await fetch(ownServer + address);
    heard({ reply: ask, address, status: answer.status }, [new DataView(await answer.arrayBuffer())]);
  };
  return { get: () => ({}), on: (_, listener) => (heard = listener), send };
}

async function reportAt(name) {
  const page = await text(name);
  const elements = new Map([...page.matchAll(/<script type="[a-z/]+" id="(\w+)">([^<]*)<\/script>/g)].map(([, id, content]) => [id, content]));
  return new ReportSource(JSON.parse(elements.get("index")), (id) => elements.get(id));
}

async function assertSame(ask) {
  const [one, ...rest] = await Promise.all(sources.map(async ([, source]) => readSafetensors(await ask(source)).arrays));
  assert.ok(one.size > 0);
  for (const other of rest) assert.deepEqual(sorted(other), sorted(one));
}

/** Arrays by name, as plain values: both writers choose their own order. */
function sorted(arrays) {
  return Object.fromEntries([...arrays].sort(([a], [b]) => (a < b ? -1 : 1)).map(([name, { dtype, shape, data }]) => [name, { dtype, shape, data: Array.from(data) }]));
}
