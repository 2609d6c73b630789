import assert from "node:assert/strict";
import test from "node:test";

import { bytes, json, load, random } from "./surroundings.mjs";

const { defaultGate, frameOrder, orderOf } = await load("order");
const { Capture } = await load("capture");
const { readSafetensors } = await load("safetensors");
const { packed, toHalf } = await load("packing");

const buffer = await bytes("capture.safetensors");
const capture = new Capture(buffer);
const { orders } = await json("capture.json");

test("units stand by the effect of taking them away, and those without one last", () => {
  const units = Array.from(capture.unitIndices("f"));
  const effects = new Map(units.slice(1).map((unit, k) => [unit, [0.3, 0.9, 0.1, 0.5, 0.7, 0.2][k]]));
  assert.deepEqual(Array.from(orderOf(capture, "effect", "f", 0, null, effects)), [2, 5, 4, 1, 6, 3, 0]);
  assert.equal(orderOf(capture, "effect", "f", 0), null);
});

for (const [kind, expected] of Object.entries(orders)) {
  test(`units stand by their ${kind} as NumPy sorts them`, () => {
    assert.deepEqual(Array.from(orderOf(capture, kind, "f", 0)), expected);
  });
}

test("by index, or by a gate that has other units, nothing moves", () => {
  const still = [0, 1, 2, 3, 4, 5, 6];
  assert.deepEqual(Array.from(orderOf(capture, "index", "f", 0)), still);
  assert.deepEqual(Array.from(orderOf(capture, "mean", "h", 0)), still);
});

test("the gate to sort by is the one that keeps the past, and a gate that is not there is replaced by it", () => {
  assert.equal(defaultGate(capture), "f");
  assert.equal(defaultGate({ gates: new Map([["z", 0], ["r", 0]]), letters: ["r", "z"] }), "z");
  assert.equal(defaultGate({ gates: new Map([["h", 0]]), letters: ["h"] }), "h");
  assert.deepEqual(Array.from(orderOf(capture, "mean", "z", 0)), orders.mean);
});

test("units stand by how far their gate has moved since the first capture, in the chosen sequence", () => {
  const read = readSafetensors(buffer);
  const { data, shape } = read.arrays.get("gates/f");
  const moved = data.map((half, at) => (at % shape[2] === 5 ? toHalf(9) : at % shape[2] === 2 && at >= shape[1] * shape[2] ? toHalf(5) : half));
  const first = new Capture(packed(new Map([...read.arrays, ["gates/f", { dtype: "F16", shape, data: moved }]]), read.meta));
  assert.deepEqual(Array.from(orderOf(capture, "change", "f", 0, first)).slice(0, 2), [5, 0]);
  assert.deepEqual(Array.from(orderOf(capture, "change", "f", 1, first)).slice(0, 3), [5, 2, 0]);
  assert.equal(orderOf(capture, "change", "f", 0, null), null);
  assert.deepEqual(Array.from(frameOrder(capture, { sort: "change", sortGate: "f", sequence: 0 }, first)).slice(0, 2), [5, 0]);
});

test("units stand by the size of their cell state, whatever its sign", () => {
  const values = [0.5, -3, 1];
  const made = (gates) => new Capture(packed(new Map(Object.entries(gates).map(([letter, each]) => [`gates/${letter}`, { dtype: "F16", shape: [1, 1, 3], data: Uint16Array.from(each, toHalf) }])), { format: 1 }));
  assert.deepEqual(Array.from(orderOf(made({ f: [0, 0, 0], c: values }), "|c|", "f", 0)), [1, 2, 0]);
  assert.equal(orderOf(made({ z: values }), "|c|", "z", 0), null);
});

test("a frame is sorted as its state says; what cannot be sorted stands by index", () => {
  const state = { sort: "mean", sortGate: "", sequence: 99 };
  assert.deepEqual(Array.from(frameOrder(capture, state)), Array.from(orderOf(capture, "mean", "f", 1)));
  const bare = readSafetensors(buffer);
  for (const name of [...bare.arrays.keys()]) if (!name.startsWith("gates/")) bare.arrays.delete(name);
  const without = new Capture(packed(bare.arrays, bare.meta));
  for (const sort of ["horizon", "saturation"]) assert.deepEqual(Array.from(frameOrder(without, { ...state, sort })), [0, 1, 2, 3, 4, 5, 6]);
});

test("units whose mean is NaN or equal stand first, in their own order", () => {
  const { between } = random(3);
  const units = 40;
  const values = Array.from({ length: units }, (_, u) => (u % 7 === 3 ? NaN : u % 5 === 0 ? 0.25 : between(0.3, 1)));
  const data = Uint16Array.from(values, (value) => (Number.isNaN(value) ? 0x7e00 : toHalf(value)));
  const one = new Capture(packed(new Map([["gates/f", { dtype: "F16", shape: [1, 1, units], data }]]), { format: 1 }));
  const order = Array.from(orderOf(one, "mean", "f", 0));
  const special = values.flatMap((value, u) => (Number.isNaN(value) ? [u] : []));
  const equal = values.flatMap((value, u) => (value === 0.25 ? [u] : []));
  assert.deepEqual(order.slice(0, special.length), special);
  assert.deepEqual(order.slice(-equal.length), equal);
  assert.deepEqual([...order].sort((a, b) => a - b), values.map((_, u) => u));
});
