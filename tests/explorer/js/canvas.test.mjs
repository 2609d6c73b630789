// Lines on a canvas.

import assert from "node:assert/strict";
import test from "node:test";

import { load } from "./surroundings.mjs";

const { separator } = await load("canvas");

test("a line across a heatmap is black beside white, whatever the theme", () => {
  const drawn = [];
  const context = { beginPath() {}, moveTo: (x, y) => drawn.push([x, y]), lineTo: (x, y) => drawn.push([x, y]), stroke() { drawn.push(this.strokeStyle); } };
  separator(context, 2, 9, 5);
  assert.deepEqual(drawn, [[2, 4], [9, 4], "#fff", [2, 5], [9, 5], "#000"]);
});
