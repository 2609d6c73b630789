// Dots of units that stand at the same place.

import assert from "node:assert/strict";
import test from "node:test";

import "./document.mjs";
import { load } from "./surroundings.mjs";

const { grouped } = await load("scatter");

test("dots that coincide are one group, each in the order of the units", () => {
  const groups = grouped([[40, 12], [200, 12], [40.4, 11.8], [40, 60]], 4);
  assert.deepEqual(groups, [[0, 2], [1], [0, 2], [3]]);
  assert.equal(groups[0], groups[2]);
  assert.deepEqual(grouped([], 4), []);
});
