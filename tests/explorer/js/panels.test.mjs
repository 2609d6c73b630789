import assert from "node:assert/strict";
import test from "node:test";

import { bytes, json, load } from "./surroundings.mjs";

/** A canvas on which pixels are put. */
class Canvas {
  getContext() {
    return { createImageData: (width, height) => ({ data: new Uint8ClampedArray(4 * width * height) }), putImageData() {} };
  }
}
globalThis.document = { createElement: () => new Canvas() };

const { Panels } = await load("panels");
const { Capture } = await load("capture");
const { State } = await load("state");
const { readSafetensors } = await load("safetensors");
const { packed } = await load("packing");

const buffer = await bytes("sentences.safetensors");
const { words } = await json("sentences.json");

/** The sentences with another header. */
function changed(meta) {
  const read = readSafetensors(buffer);
  return new Capture(packed(read.arrays, { ...read.meta, ...meta }));
}

/** The panels of some captures, as the page builds them. */
function built(a, b, values) {
  const state = new State(values);
  const frame = { layer: "memory", aRun: "one", bRun: "other", a, b };
  const panels = new Panels({ state, frames: [frame], orderFor: () => a.unitIndices() });
  return { panels, all: panels.build().flatMap((section) => section.panels) };
}

/** The texts under the columns of a panel. */
const under = (panel) => Array.from({ length: 9 }, (_, t) => panel.columns.text(t));

for (const sequence of [0, 1]) {
  test(`under sequence ${sequence} stand its own words, in every gate`, () => {
    const { all } = built(new Capture(buffer), null, { sequence });
    assert.ok(all.length >= 6);
    for (const panel of all) {
      assert.deepEqual(under(panel), words[sequence]);
      assert.ok(panel.columns.upright);
    }
  });
}

test("in a comparison each side has its own words, and the difference only those of both", () => {
  const other = changed({ sequence_labels: words.map((row) => row.map((word) => word && `other ${word}`)) });
  for (const sequence of [0, 1]) {
    const { all } = built(new Capture(buffer), other, { sequence, compare: true });
    const [one, second, difference] = all;
    assert.deepEqual(under(one), words[sequence]);
    assert.deepEqual(under(second), words[sequence].map((word) => word && `other ${word}`));
    assert.deepEqual(under(difference), ["0", "1", "2", "3", "4", "5", "6", "7", "8"]);
    const same = built(new Capture(buffer), new Capture(buffer), { sequence, compare: true }).all;
    assert.deepEqual(under(same[2]), words[sequence]);
  }
});

test("a log without labels has numbers", () => {
  const { all } = built(changed({ sequence_labels: null }), null, {});
  assert.deepEqual(under(all[0]), ["0", "1", "2", "3", "4", "5", "6", "7", "8"]);
});

test("the room below fits the longest label of all sequences, so that the picture stays where it is", () => {
  const rooms = [0, 1].map((sequence) => built(new Capture(buffer), null, { sequence }).panels.labelRoom);
  assert.deepEqual(rooms, [12 + 6 * 5, 12 + 6 * 5]);
  assert.equal(built(changed({ sequence_labels: null }), null, {}).panels.labelRoom, 16);
  const long = words.map((row) => row.map(() => "a word of many letters"));
  assert.equal(built(changed({ sequence_labels: long }), null, {}).panels.labelRoom, 12 + 6 * 12);
});
