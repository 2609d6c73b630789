import assert from "node:assert/strict";
import test from "node:test";

import { bytes, load, rounds } from "./surroundings.mjs";

const { dequantised, packed } = await load("packing");
const { readSafetensors } = await load("safetensors");
const { HALF } = await load("half");

test("what is packed is read again, whatever the sizes and names", () => {
  rounds(50, ({ whole, between, text, pick }) => {
    const types = { F16: Uint16Array, F32: Float32Array, F64: Float64Array, I8: Int8Array, U8: Uint8Array, I32: Int32Array };
    const arrays = new Map();
    for (let k = 0; k < 1 + whole(6); k++) {
      const dtype = pick(Object.keys(types));
      const shape = [whole(4), 1 + whole(5)];
      arrays.set(`${k} ${text(whole(9))}`, { dtype, shape, data: types[dtype].from({ length: shape[0] * shape[1] }, () => between(0, 100)) });
    }
    const meta = { format: 1, text: text(5), list: [1, null] };
    const buffer = packed(arrays, meta);
    assert.equal(new DataView(buffer).getBigUint64(0, true) % 8n, 0n); // the arrays can be aligned
    const read = readSafetensors(buffer);
    assert.deepEqual(read.meta, meta);
    assert.deepEqual([...read.arrays], [...arrays]);
  });
});

test("arrays of one byte become float16 within half a step and half a rounding", () => {
  rounds(30, ({ between, whole }) => {
    const [low, step] = [between(-3, 0), between(1e-3, 0.05)];
    const codes = Uint8Array.from({ length: 60 }, () => whole(256));
    const other = Float32Array.of(1, 2);
    const arrays = new Map([["gates/f", { dtype: "U8", shape: [3, 4, 5], data: codes }], ["mask", { dtype: "U8", shape: [3], data: Uint8Array.of(0, 1, 255) }], ["horizon", { dtype: "F32", shape: [2], data: other }]]);
    const read = readSafetensors(dequantised(packed(arrays, { format: 1, quantised: { "gates/f": [low, step] } })));
    const gate = read.arrays.get("gates/f");
    assert.equal(gate.dtype, "F16");
    assert.deepEqual(gate.shape, [3, 4, 5]);
    codes.forEach((code, at) => {
      const value = low + step * code;
      assert.ok(Math.abs(HALF[gate.data[at]] - value) <= Math.max(2 ** -25, Math.abs(value) * 2 ** -11), `${code}`);
    });
    assert.deepEqual(Array.from(read.arrays.get("mask").data), [0, 1, 255]);
    assert.deepEqual(read.arrays.get("horizon").data, other);
  });
});

test("a capture without arrays of one byte stays the bytes it is", async () => {
  const buffer = await bytes("capture.safetensors");
  assert.equal(dequantised(buffer), buffer);
});
