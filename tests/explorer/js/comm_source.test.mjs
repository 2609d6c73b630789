import assert from "node:assert/strict";
import test from "node:test";

import { bytes, load } from "./surroundings.mjs";

const { CommSource } = await load("comm_source");
const { Capture } = await load("capture");
const { readSafetensors } = await load("safetensors");

const capture = await bytes("capture.safetensors");
const place = (step) => `capture?run=r&layer=l&step=${step}`;
const document = (value) => new TextEncoder().encode(JSON.stringify(value));
const listed = (steps) => ({
  runs: document({ runs: [{ name: "r", layers: ["l"], weights: [], last: steps.at(-1) }] }),
  "layers?run=r": document({ layers: [{ name: "l", steps }] }),
  "timeline?run=r": document({ captures: steps.map((step) => ({ step, layers: {} })) }),
});

/** A model whose kernel is busy until the test replies. */
function busy(opening) {
  const model = { asked: [], get: () => opening, on: (_, listener) => (model.say = listener), send: ({ address }) => model.asked.push(address) };
  const source = new CommSource(model);
  const reply = (address, data, status = 200) => model.say({ reply: 1, address, status }, [new DataView(data.buffer ?? data)]);
  const grow = (said, more = {}) => model.say({ grown: ["r"], addresses: Object.keys(said), ...more }, Object.values(said).map((data) => new DataView(data.buffer ?? data)));
  return { model, source, reply, grow };
}

test("what the page was opened with is answered without the kernel", async () => {
  const { model, source } = busy({ ...listed([3, 5]), [place(5)]: new DataView(capture) });
  assert.deepEqual((await source.runs()).map(({ name }) => name), ["r"]);
  assert.deepEqual(await source.steps("r", "l"), [3, 5]);
  assert.equal((await source.timeline("r")).length, 2);
  assert.equal(new Capture(await source.capture("r", "l", 5)).letters.length > 1, true);
  assert.deepEqual(model.asked, []);
});

test("a view of a larger buffer is taken for what it is", async () => {
  const larger = new Uint8Array(capture.byteLength + 24);
  larger.set(new Uint8Array(capture), 16);
  const { source } = busy({ [place(5)]: new DataView(larger.buffer, 16, capture.byteLength) });
  assert.equal((await source.capture("r", "l", 5)).byteLength, capture.byteLength);
});

test("a busy kernel is waited for once, and what it answers later is there", async () => {
  const { model, source, reply } = busy(listed([3, 5]));
  let told = 0;
  source.watch(() => (told += 1));
  const start = performance.now();
  await assert.rejects(source.capture("r", "l", 3), { kind: "unreachable", message: /The kernel is busy/ });
  const first = performance.now() - start;
  await assert.rejects(source.capture("r", "l", 5), { kind: "unreachable" });
  assert.equal(first > 500, true);
  assert.equal(performance.now() - start - first < 300, true);
  assert.deepEqual(await source.sentences("r", "l", 5), []);
  reply(place(3), capture);
  await new Promise(setImmediate);
  assert.equal(told, 1);
  assert.equal((await source.capture("r", "l", 3)).byteLength, capture.byteLength);
  assert.deepEqual(model.asked, [place(3), place(5), "sentences?run=r&layer=l&step=5"]);
});

test("nobody asks twice for what is under way", async () => {
  const { model, source, reply } = busy(listed([3]));
  const both = Promise.all([source.capture("r", "l", 3), source.capture("r", "l", 3)]);
  await new Promise(setImmediate);
  assert.deepEqual(model.asked, [place(3)]);
  reply(place(3), capture);
  assert.deepEqual((await both).map((each) => each.byteLength), [capture.byteLength, capture.byteLength]);
});

test("a run that grows is listed anew, and those that watch are told", async () => {
  const { model, source, grow } = busy(listed([3]));
  let told = 0;
  source.watch(async () => {
    told += 1;
    await new Promise(setImmediate);
    assert.deepEqual(await source.steps("r", "l"), [3, 5]);
  });
  grow({ ...listed([3, 5]), [place(5)]: capture }, { open: "r" });
  await source.capture("r", "l", 5);
  assert.equal(source.opened, "r");
  assert.equal(told, 1);
  assert.deepEqual(model.asked, []);
});

test("what was listed of a run that has changed is asked for again", async () => {
  const { model, source, grow, reply } = busy(listed([3]));
  grow({});
  const asked = source.timeline("r");
  await new Promise(setImmediate);
  assert.deepEqual(model.asked, ["timeline?run=r"]);
  reply("timeline?run=r", document({ captures: [] }));
  assert.deepEqual(await asked, []);
});

test("what is kept is bounded: the oldest is asked for again", async () => {
  const { model, source, grow } = busy(listed([3]));
  const large = new Uint8Array(12 * 2 ** 20);
  for (let step = 0; step < 10; step++) grow({ [place(step)]: large });
  await source.capture("r", "l", 9);
  assert.deepEqual(model.asked, []);
  await assert.rejects(source.capture("r", "l", 0), { kind: "unreachable" });
  assert.deepEqual(model.asked, [place(0)]);
});

test("while the kernel is busy a course is that over what has arrived", async () => {
  const { source } = busy({ ...listed([3, 5, 7]), [place(3)]: new DataView(capture), [place(7)]: new DataView(capture) });
  const { sequences, timesteps } = new Capture(capture);
  const cell = { sequence: sequences[0], timestep: timesteps[1], unit: 0 };
  const { arrays } = readSafetensors(await source.series("r", "l", cell));
  assert.deepEqual([...arrays.get("steps").data], [3, 7]);
});

test("a refusal is told and not kept", async () => {
  const { model, source, reply } = busy(listed([3]));
  for (let round = 0; round < 2; round++) {
    const asked = assert.rejects(source.capture("r", "l", 9), { kind: "missing", message: "There is none." });
    await new Promise(setImmediate);
    reply(place(9), document({ error: "There is none." }), 404);
    await asked;
  }
  assert.equal(model.asked.length, 2);
});

test("a kernel that works on an answer is waited for", async () => {
  const { model, source, reply } = busy(listed([3]));
  const asked = source.capture("r", "l", 3);
  model.say({ heard: 1 }, []);
  const early = await Promise.race([asked.catch((error) => error), new Promise((resolve) => setTimeout(resolve, 1500, "still waiting"))]);
  assert.equal(early, "still waiting");
  reply(place(3), capture);
  assert.equal((await asked).byteLength, capture.byteLength);
});
