// What the panel says of a capture's truth, and of what was guessed.

import assert from "node:assert/strict";
import test from "node:test";

import { within } from "./document.mjs";
import { load } from "./surroundings.mjs";

const { verdictChip } = await load("verdict");

const capture = (meta) => ({ units: 3, meta: { cell: "LSTM", shape: [1, 5, 3], dtype: "float32", ...meta } });
const words = (nodes) => within(...nodes).textContent;

test("what was guessed stands beside the layer's name", () => {
  const said = words(verdictChip(capture({ guessed: ["backward, from its name"] }), "encoder"));
  assert.match(said, /Guessed: backward, from its name/);
});

test("nothing is said where nothing was guessed, and a damaged log harms nobody", () => {
  for (const guessed of [undefined, null, "text", 3]) {
    assert.doesNotMatch(words(verdictChip(capture({ guessed }), "encoder")), /Guessed/);
  }
  const many = words(verdictChip(capture({ guessed: Array(50).fill("x".repeat(9999)) }), "encoder"));
  assert.ok(many.length < 1500);
});
