import assert from "node:assert/strict";
import test from "node:test";

import { bytes, json, load } from "./surroundings.mjs";

const { historyOf, seriesOf, spread } = await load("courses");
const { Capture } = await load("capture");
const { readSafetensors } = await load("safetensors");
const { packed } = await load("packing");

test("of many steps the same are taken as the server takes", async () => {
  for (const [size, expected] of await json("evenly.json")) {
    assert.deepEqual(spread(Array.from({ length: size }, (_, index) => 3 * index)), expected.map((index) => 3 * index), `${size} steps`);
  }
  assert.deepEqual(spread([]), []);
});

const buffer = await bytes("capture.safetensors");
const { gates, horizon } = await json("capture.json");

/** The same capture with other arrays. */
function changed(arrays, without = []) {
  const read = readSafetensors(buffer);
  for (const name of without) read.arrays.delete(name);
  for (const [name, array] of Object.entries(arrays)) read.arrays.set(name, array);
  return new Capture(packed(read.arrays, read.meta));
}

const indices = (...values) => ({ dtype: "I32", shape: [values.length], data: Int32Array.from(values) });

test("a cell is found by its original indices", async () => {
  const moved = changed({ timesteps: indices(0, 10, 20, 30, 40, 50, 60, 70, 80), units: indices(5, 15, 25, 35, 45, 55, 65), sequences: indices(2, 8) });
  const { arrays, meta } = readSafetensors(await seriesOf([[7, moved], [9, moved]], { sequence: 8, timestep: 30, unit: 45 }, { layer: "l" }));
  assert.deepEqual(Array.from(arrays.get("steps").data), [7, 9]);
  for (const letter of "ifgoc") assert.deepEqual(Array.from(arrays.get(`gates/${letter}`).data), [gates[letter][1][3][4], gates[letter][1][3][4]]);
  assert.deepEqual(Array.from(arrays.get("gates/h").data), [NaN, NaN]);
  assert.equal(meta.layer, "l");
  for (const cell of [{ sequence: 1, timestep: 30, unit: 45 }, { sequence: 8, timestep: 3, unit: 45 }, { sequence: 8, timestep: 30, unit: 4 }]) assert.equal(await seriesOf([[7, moved]], cell, {}), null);
});

test("a history has a row for each capture that has the array, as wide as the widest", async () => {
  const one = (dtype, data) => changed({ own: { dtype, shape: [data.length], data } });
  const captures = [
    [1, one("F32", Float32Array.of(1, 2, 3))],
    [2, changed({})],
    [3, one("F32", Float32Array.of(9))],
    [4, one("F16", Uint16Array.of(0x3c00, 0xc000, 0x7c00))],
    [5, changed({ own: { dtype: "F32", shape: [1, 3], data: Float32Array.of(7, 7, 7) } })],
  ];
  const { arrays } = readSafetensors(await historyOf(captures, "own"));
  assert.deepEqual(Array.from(arrays.get("steps").data), [1, 4]);
  assert.deepEqual(arrays.get("values").shape, [2, 3]);
  assert.deepEqual(Array.from(arrays.get("values").data), [1, 2, 3, 1, -2, Infinity]);
  assert.equal(await historyOf(captures, "gates/f"), null);
  assert.equal(await historyOf([], "own"), null);
  assert.equal(await historyOf([[1, one("F32", new Float32Array(0))]], "own"), null);
});

test("the history of a stored array is that array", async () => {
  const { arrays } = readSafetensors(await historyOf([[3, new Capture(buffer)]], "horizon"));
  assert.deepEqual(Array.from(arrays.get("values").data), horizon.map(Math.fround));
});
