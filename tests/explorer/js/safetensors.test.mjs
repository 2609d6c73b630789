import assert from "node:assert/strict";
import test from "node:test";

import { bytes, json, load, random } from "./surroundings.mjs";

const { DamagedError, readSafetensors } = await load("safetensors");
const { HALF } = await load("half");
const { packed } = await load("packing");

test("what the safetensors library wrote is read", async () => {
  const { arrays, meta } = readSafetensors(await bytes("arrays.safetensors"));
  const expected = await json("arrays.json");
  assert.deepEqual([...arrays.keys()].sort(), Object.keys(expected.arrays).sort());
  for (const [name, { shape, values }] of Object.entries(expected.arrays)) {
    const { dtype, data, shape: found } = arrays.get(name);
    assert.deepEqual(found, shape, name);
    assert.deepEqual(Array.from(data, (value) => (dtype === "F16" ? HALF[value] : value)), values.map((value) => (dtype === "F32" ? Math.fround(value) : value)), name);
  }
  assert.equal(meta.layer, "é <b>");
});

test("arrays that do not lie on a multiple of their size are read", () => {
  const data = Float64Array.from([0.1, -2, NaN]);
  const buffer = packed(new Map([["odd", { dtype: "U8", shape: [3], data: Uint8Array.of(1, 2, 3) }], ["wide", { dtype: "F64", shape: [3], data }]]), { format: 1 });
  assert.deepEqual(Array.from(readSafetensors(buffer).arrays.get("wide").data), Array.from(data));
});

function file(header, size = 16) {
  const text = new TextEncoder().encode(typeof header === "string" ? header : JSON.stringify(header));
  const buffer = new ArrayBuffer(8 + text.length + size);
  new DataView(buffer).setBigUint64(0, BigInt(text.length), true);
  new Uint8Array(buffer, 8).set(text);
  return buffer;
}

const meta = { lstm_probe: JSON.stringify({ format: 1 }) };
const entry = (changes) => ({ __metadata__: meta, x: { dtype: "F32", shape: [2, 2], data_offsets: [0, 16], ...changes } });

test("a sound file of this kind is no damage", () => {
  assert.deepEqual(readSafetensors(file(entry({}))).arrays.get("x").shape, [2, 2]);
});

for (const [what, buffer] of [
  ["too few bytes", new ArrayBuffer(7)],
  ["a header of no length", new ArrayBuffer(64)],
  ["a header longer than the file", file(entry({})).slice(0, 40)],
  ["a header that is no JSON", file("{]")],
  ["a header that is a list", file([])],
  ["an entry that is a number", file({ __metadata__: meta, x: 3 })],
  ["no header of ours", file({ __metadata__: {} })],
  ["no metadata", file({})],
  ["no format", file({ __metadata__: { lstm_probe: "{}" } })],
  ["a type of somebody's own", file(entry({ dtype: "toString" }))],
  ["a negative size", file(entry({ shape: [-2, -2] }))],
  ["a fractional size", file(entry({ shape: [1.5, 2] }))],
  ["five axes", file(entry({ shape: [1, 1, 1, 2, 2] }))],
  ["a shape that is larger than its bytes", file(entry({ shape: [2, 3] }))],
  ["a place behind the end", file(entry({ data_offsets: [8, 24] }))],
  ["a place that ends before it begins", file(entry({ data_offsets: [16, 0] }))],
  ["one offset", file(entry({ data_offsets: [0] }))],
]) {
  test(`damage is told by its own error: ${what}`, () => {
    assert.throws(() => readSafetensors(buffer), (error) => error instanceof DamagedError && error.message.includes("damaged"));
  });
}

test("a newer format is told apart from damage", () => {
  const newer = file({ __metadata__: { lstm_probe: JSON.stringify({ format: 2 }) } });
  assert.throws(() => readSafetensors(newer), (error) => error instanceof DamagedError && error.message.includes("newer lstm_probe"));
});

test("no change of a byte makes anything but arrays or a DamagedError", async () => {
  const good = new Uint8Array(await bytes("arrays.safetensors"));
  const { whole } = random(5);
  let damaged = 0;
  for (let round = 0; round < 2000; round++) {
    const bad = good.slice(0, round % 5 ? good.length : whole(good.length));
    for (let k = 0; k < 3; k++) if (bad.length) bad[whole(Math.min(bad.length, 700))] = whole(256);
    try {
      for (const { data, shape } of readSafetensors(bad.buffer).arrays.values()) assert.equal(data.length, shape.reduce((a, b) => a * b, 1));
    } catch (error) {
      if (!(error instanceof DamagedError)) throw error;
      damaged += 1;
    }
  }
  assert.ok(damaged > 500 && damaged < 2000, `${damaged} of 2000 were damaged`);
});
