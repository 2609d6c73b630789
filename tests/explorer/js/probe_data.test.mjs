import assert from "node:assert/strict";
import test from "node:test";

import { load } from "./surroundings.mjs";

const { NO_DATA, ProbeData } = await load("probe_data");
const { packed } = await load("packing");
const { DamagedError } = await load("safetensors");

const floats = (shape, values) => ({ dtype: "F32", shape, data: Float32Array.from(values) });
const whole = (shape, values) => ({ dtype: "I32", shape, data: Int32Array.from(values) });
const capture = (shape) => ({ meta: { shape }, batch: shape[0], time: shape[1] });

/** Two sequences of three steps: vectors, tokens, and numbers that belong to no step. */
function stored(changes = {}) {
  const arrays = new Map([
    ["inputs/0", floats([2, 3, 2], [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, -10, 11])],
    ["inputs/0/timesteps", whole([3], [0, 5, 10])],
    ["inputs/1", whole([2, 3, 1], [7, 8, 0, 9, 0, 0])],
    ["inputs/2", floats([2, 4, 1], [1, 2, 3, 4, 5, 6, 7, 8])],
    ["targets/0", whole([2, 1], [4, 9])],
    ...Object.entries(changes.arrays ?? {}),
  ]);
  const inputs = [{ name: "x", shape: [2, 11, 2] }, { name: "words", shape: [2, 3] }, { name: "facts", shape: [2, 4] }];
  return packed(arrays, { format: 1, sequences: 2, inputs, targets: [{ name: "", shape: [2, 1] }], ...changes.meta });
}

test("inputs and targets are read by sequence, timestep and feature", () => {
  const { inputs, targets, sequences } = new ProbeData(stored());
  assert.equal(sequences, 2);
  const [x, words] = inputs;
  assert.deepEqual([x.name, x.value(0, 2, 1), x.value(1, 0, 0), x.length], ["x", 5, 6, 11]);
  assert.deepEqual(Array.from(x.timesteps), [0, 5, 10]);
  assert.deepEqual(x.extent, [-10, 11]);
  assert.deepEqual([x.isTokens, words.isTokens, words.value(1, 0, 0)], [false, true, 9]);
  assert.deepEqual([targets[0].value(1, 0), targets[0].value(2, 0), targets[0].value(0, 1)], [9, null, null]);
});

test("of named probes targets of some sequences are stored, by their numbers", () => {
  const arrays = { "targets/0": whole([2, 1], [4, 9]), "targets/0/sequences": whole([2], [0, 60]) };
  const [target] = new ProbeData(stored({ arrays })).targets;
  assert.deepEqual([target.value(0, 0), target.value(1, 0), target.value(60, 0)], [4, null, 9]);
});

test("an input stands over a layer whose timesteps it has, or that reads a sequence of vectors", () => {
  const probe = new ProbeData(stored());
  const names = (shape) => probe.inputsOf(capture(shape)).map(({ name }) => name);
  assert.deepEqual(names([2, 3, 5]), ["x", "words"]); // x is stretched, as before a convolution
  assert.deepEqual(names([2, 4, 5]), ["x", "facts"]);
  assert.deepEqual(names([2, 11, 5]), ["x"]);
  assert.deepEqual(names([3, 3, 5]), []); // the layer reads other sequences
});

test("a log without data has none", () => {
  const probe = new ProbeData(packed(new Map(), { format: 1, sequences: null, inputs: [], targets: [] }));
  for (const each of [probe, NO_DATA]) assert.deepEqual([each.inputs, each.targets, each.inputsOf(capture([2, 3, 5]))], [[], [], []]);
});

test("what is damaged is refused", () => {
  const strange = [
    { arrays: { "inputs/0": floats([6, 2], new Array(12).fill(0)) } },
    { arrays: { "targets/0": { dtype: "U8", shape: [2, 1], data: new Uint8Array(2) } } },
    { meta: { inputs: [{ name: "x", shape: "wide" }] } },
    { meta: { inputs: [{}, {}, {}, {}] } },
  ];
  for (const each of strange) assert.throws(() => new ProbeData(stored(each)), DamagedError);
  assert.deepEqual(new ProbeData(stored({ meta: { inputs: 7, targets: null } })).inputs, []);
});
