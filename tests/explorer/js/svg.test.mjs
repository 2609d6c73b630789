import assert from "node:assert/strict";
import test from "node:test";

import { load, rounds } from "./surroundings.mjs";

const { Pen, element, escaped } = await load("svg");

/** A context that draws nothing, whose pixels are `ratio` for each CSS pixel. */
function pen(ratio = 2, more = {}) {
  const matrix = { a: ratio, b: 0, c: 0, d: ratio, e: 0, f: 0 };
  const nothing = () => {};
  const names = ["save", "restore", "beginPath", "moveTo", "lineTo", "rect", "arc", "clip", "fill", "stroke", "fillRect", "strokeRect", "fillText", "drawImage", "setLineDash", "clearRect"];
  const real = { ...Object.fromEntries(names.map((name) => [name, nothing])), getTransform: () => matrix, getLineDash: () => [3, 2], measureText: (text) => ({ width: text.length }), fillStyle: "#000000", strokeStyle: "#ff0000", lineWidth: 2, font: "12px Arial", textAlign: "left", textBaseline: "alphabetic", globalAlpha: 1, ...more };
  const made = new Pen(real, ratio);
  return { noted: made.elements, context: made.context, real, matrix };
}

test("curves, rectangles and words are noted as what they are", () => {
  const { noted, context } = pen();
  context.beginPath();
  context.moveTo(1, 2);
  context.lineTo(3.14159, 4);
  context.stroke();
  context.fillStyle = "#00ff00";
  context.fillRect(1, 2, 3, 4);
  context.textAlign = "right";
  context.fillText("a<b", 5, 6);
  assert.deepEqual(noted, [
    '<path d="M1 2L3.14 4" fill="none" stroke="#ff0000" stroke-width="2" stroke-dasharray="3 2"></path>',
    '<rect x="1" y="2" width="3" height="4" fill="#00ff00"></rect>',
    '<text x="5" y="6" style="font: 12px Arial" fill="#00ff00" text-anchor="end" dominant-baseline="auto">a&lt;b</text>',
  ]);
});

test("those who draw are answered by the canvas itself", () => {
  const { context, real } = pen();
  assert.equal(context.measureText("four").width, 4);
  context.lineWidth = 7;
  assert.equal(real.lineWidth, 7);
});

test("a clip holds until it is restored", () => {
  const { noted, context } = pen();
  context.save();
  context.beginPath();
  context.rect(0, 0, 10, 10);
  context.clip();
  context.fillRect(5, 5, 20, 20);
  context.restore();
  context.fillRect(5, 5, 20, 20);
  assert.match(noted[0], /^<clipPath id="(clip\d+)"><path d="M0 0h10v10h-10z"><\/path><\/clipPath><g clip-path="url\(#\1\)"><rect /);
  assert.match(noted[1], /^<rect /);
});

test("turned words and faint shapes are so in the drawing", () => {
  const { noted, context, matrix } = pen(2, { globalAlpha: 0.5 });
  Object.assign(matrix, { a: 0, b: -2, c: 2, d: 0, e: 20, f: 40 });
  context.fillText("unit", 0, 0);
  assert.match(noted[0], /^<g transform="matrix\(0 -1 1 0 10 20\)" opacity="0.5"><text /);
});

test("a whole circle is two halves, for one arc would be none", () => {
  const { noted, context } = pen();
  context.beginPath();
  context.arc(5, 5, 2, 0, 2 * Math.PI);
  context.fill();
  assert.match(noted[0], /d="M3 5a2 2 0 1 1 4 0a2 2 0 1 1 -4 0z"/);
});

test("no name gets out of its place", () => {
  assert.equal(escaped(`<b>"&'\u0000\ud800x`), "&lt;b&gt;&quot;&amp;'x");
  rounds(200, ({ text, whole }) => {
    const made = element("text", { x: `1${text(whole(20))}` }, escaped(text(whole(20)) + "\u0007<&>\""));
    assert.match(made, /^<text x="[^"<]*">[^<]*<\/text>$/);
    assert.equal(/&(?!amp;|lt;|gt;|quot;)/.test(made), false);
  });
});
