import assert from "node:assert/strict";
import test from "node:test";

import { bytes, load } from "./surroundings.mjs";

const { HALF, isSpecial } = await load("half");
const { toHalf } = await load("packing");

test("every float16 has NumPy's value", async () => {
  const expected = new Float32Array(await bytes("halves.f32"));
  assert.equal(expected.length, 65536);
  for (let bits = 0; bits < 65536; bits++) assert.ok(Object.is(HALF[bits], expected[bits]), `bits ${bits}: ${HALF[bits]}, not ${expected[bits]}`);
});

test("special are exactly NaN and the infinities", async () => {
  const expected = new Float32Array(await bytes("halves.f32"));
  for (let bits = 0; bits < 65536; bits++) assert.equal(isSpecial(bits), !Number.isFinite(expected[bits]), `bits ${bits}`);
});

test("a number becomes the float16 that NumPy rounds it to", async () => {
  const numbers = new Float64Array(await bytes("numbers.f64"));
  const expected = new Uint16Array(await bytes("numbers.u16"));
  assert.ok(numbers.length > 60_000);
  numbers.forEach((number, index) => assert.equal(toHalf(number), expected[index], `${number}`));
});
