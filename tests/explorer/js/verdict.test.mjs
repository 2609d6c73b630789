import assert from "node:assert/strict";
import test from "node:test";

import { within } from "./document.mjs";
import { bytes, json, load } from "./surroundings.mjs";

const { verdictChip } = await load("verdict");
const { Capture } = await load("capture");

const stored = new Capture(await bytes("capture.safetensors"));
const expected = await json("capture.json");

/** A capture with another header. */
const withMeta = (meta) => ({ units: 7, meta: { cell: "lstm", dtype: "float32", shape: [2, 9, 7], ...meta }, parity: meta.parity ?? null });
const chipOf = (capture) => {
  const shown = within(verdictChip(capture, "memory"));
  const [chip] = shown.all("chip");
  return { shown, chip, classes: chip.className.split(" ") };
};

test("the verdict of a stored capture is that of its analysis", () => {
  const { shown, chip, classes } = chipOf(stored);
  assert.equal(expected.verdict, "match");
  assert.ok(classes.includes("good"));
  assert.equal(chip.textContent, "✓ match");
  const error = Number(/parity error (\S+),/.exec(shown.textContent)[1].replaceAll("−", "-"));
  assert.ok(Math.abs(error - expected.parity) <= 0.06 * expected.parity, `${error}`);
  assert.ok(shown.textContent.startsWith("memory"));
});

for (const [kind, mark, name] of [
  ["match", "✓", "good"],
  ["reduced precision", "≈", "fair"],
  ["mismatch", "✗", "bad"],
  ["something new", "?", "fair"],
]) {
  test(`“${kind}” has a mark and a colour of its own`, () => {
    const { chip, classes } = chipOf(withMeta({ parity: { max_abs: 0.5, tolerance: 1e-6, verdict: { kind, text: "in words" } } }));
    assert.equal(chip.textContent, `${mark} ${kind}`);
    assert.deepEqual(classes, ["chip", name]);
    assert.equal(chip.getAttribute("title"), "in words");
  });
}

test("what was not recomputed, not judged or not finite is said to be so", () => {
  assert.match(chipOf(withMeta({})).chip.textContent, /not recomputed/);
  const { shown, chip } = chipOf(withMeta({ parity: { max_abs: "nan", tolerance: 1e-6, verdict: null } }));
  assert.equal(chip.textContent, "? no verdict");
  assert.match(shown.textContent, /parity error NaN, tolerance 1e−6/);
  assert.match(chipOf(withMeta({ parity: {} })).shown.textContent, /parity error –, tolerance NaN/);
});

test("a part of the units is said to be a part", () => {
  assert.match(chipOf(withMeta({ shape: [2, 9, 512] })).shown.textContent, /7 of 512 units/);
  assert.match(chipOf(withMeta({})).shown.textContent, /lstm, 7 units, float32/);
});

test("markup in a name is text", () => {
  const shown = within(verdictChip(withMeta({ cell: "<b>" }), "<img src=x>"));
  assert.ok(shown.textContent.startsWith("<img src=x><b>"));
});
