import assert from "node:assert/strict";
import test from "node:test";

import { load, random } from "./surroundings.mjs";

/** A canvas that keeps its pixels, which is all that a raster asks of one. */
class Canvas {
  getContext() {
    return {
      createImageData: (width, height) => ({ width, height, data: new Uint8ClampedArray(4 * width * height) }),
      putImageData: (image) => (this.image = image),
    };
  }
}
globalThis.document = { createElement: () => new Canvas() };

const { differenceRaster, gateRaster, largestDifference, matrixRaster } = await load("raster");
const { colourOf } = await load("colour");
const { linear } = await load("scale");
const { Capture } = await load("capture");
const { HALF } = await load("half");
const { packed, toHalf } = await load("packing");

const [BATCH, TIME, UNITS] = [2, 5, 4];
const SPECIALS = [0x7e00, 0x7c00, 0xfc00];

/** A capture of random values, some of them NaN or infinite. */
function capture(seed, special = 0.3) {
  const { between, next, pick } = random(seed);
  const data = Uint16Array.from({ length: BATCH * TIME * UNITS }, () => (next() < special ? pick(SPECIALS) : toHalf(between(0, 1))));
  return new Capture(packed(new Map([["gates/f", { dtype: "F16", shape: [BATCH, TIME, UNITS], data }]]), { format: 1 }));
}

const pixels = ({ canvas }) => new Uint32Array(canvas.image.data.buffer);
const scale = linear(0, 1);
const order = [2, 0, 3, 1];

test("a picture has a column for each timestep and a row for each unit, in their order", () => {
  const one = capture(1);
  const made = gateRaster(one, "f", 1, order, "viridis", scale);
  assert.deepEqual([made.columns, made.rows, made.canvas.width, made.canvas.height], [TIME, UNITS, TIME, UNITS]);
  const marks = [];
  order.forEach((unit, row) => {
    for (let t = 0; t < TIME; t++) {
      const value = one.value("f", 1, t, unit);
      assert.equal(pixels(made)[row * TIME + t], colourOf("viridis", scale, value));
      if (!Number.isFinite(value)) marks.push([t, row]);
    }
  });
  assert.ok(marks.length);
  assert.deepEqual([made.marks, made.specials], [marks, marks.length]);
});

test("an order of another length leaves the units as they are", () => {
  assert.deepEqual(pixels(gateRaster(capture(1), "f", 0, [1, 0], "RdBu", scale)), pixels(gateRaster(capture(1), "f", 0, [0, 1, 2, 3], "RdBu", scale)));
});

test("a difference is B minus A, and special where one of them is", () => {
  const [a, b] = [capture(1), capture(2)];
  const wide = linear(-1, 1);
  const made = differenceRaster(a, b, "f", 1, order, "PuOr", wide);
  order.forEach((unit, row) => {
    for (let t = 0; t < TIME; t++) {
      const value = b.value("f", 1, t, unit) - a.value("f", 1, t, unit);
      assert.equal(pixels(made)[row * TIME + t], colourOf("PuOr", wide, value));
    }
  });
});

test("the largest difference is that of one sequence, without NaN and infinity", () => {
  const [a, b] = [capture(1), capture(2)];
  for (const sequence of [0, 1]) {
    const sizes = Array.from({ length: TIME * UNITS }, (_, at) => Math.abs(b.value("f", sequence, Math.floor(at / UNITS), at % UNITS) - a.value("f", sequence, Math.floor(at / UNITS), at % UNITS)));
    assert.equal(largestDifference(a, b, "f", sequence), Math.max(...sizes.filter(Number.isFinite)));
  }
  assert.equal(largestDifference(a, a, "f", 0), 0);
});

test("a matrix has a row for each row", () => {
  const made = matrixRaster(2, 3, (row, column) => (row + column) / 4, "magma", scale);
  assert.deepEqual(Array.from(pixels(made)), [0, 0.25, 0.5, 0.25, 0.5, 0.75].map((value) => colourOf("magma", scale, value)));
  assert.equal(made.specials, 0);
});

test("of very many marks 400 are kept, and all are counted", () => {
  const data = new Uint16Array(30 * 30).fill(0x7e00);
  const one = new Capture(packed(new Map([["gates/f", { dtype: "F16", shape: [1, 30, 30], data }]]), { format: 1 }));
  const made = gateRaster(one, "f", 0, [], "RdBu", scale);
  assert.deepEqual([made.marks.length, made.specials], [400, 900]);
  assert.ok(Number.isNaN(HALF[data[0]]));
});

test("what only one of two captures has lost when it was stored is no difference", () => {
  const shape = [BATCH, TIME, UNITS];
  const { between } = random(7);
  const exact = Float32Array.from({ length: BATCH * TIME * UNITS }, () => between(0, 1));
  const half = ["gates/f", { dtype: "F16", shape, data: Uint16Array.from(exact, toHalf) }];
  const single = ["float32/f", { dtype: "F32", shape, data: exact }];
  const moved = ["float32/f", { dtype: "F32", shape, data: exact.map((value) => value + 2 ** -16) }];
  const [coarse, fine, other] = [[half], [half, single], [half, moved]].map((arrays) => new Capture(packed(new Map(arrays), { format: 1 })));
  assert.equal(largestDifference(coarse, fine, "f", 1), 0);
  assert.equal(new Set(pixels(differenceRaster(coarse, fine, "f", 1, order, "PuOr", linear(-1e-4, 1e-4)))).size, 1);
  assert.ok(Math.abs(largestDifference(fine, other, "f", 1) - 2 ** -16) < 1e-7);
});
