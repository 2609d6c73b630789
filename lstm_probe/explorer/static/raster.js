// Values to pixels: one pixel for each unit and timestep, enlarged by the browser.

import { colourOf, halfColours } from "./colour.js";
import { HALF, isSpecial } from "./half.js";

/** A picture of one gate: a small canvas, and where it holds NaN or infinity. */
export function gateRaster(capture, letter, sequence, order, map, scale) {
  const { data } = capture.gates.get(letter);
  const width = capture.width(letter);
  const rows = order.length === width ? order : identity(width);
  const start = capture.offset(letter, sequence, 0, 0);
  const colours = halfColours(map, scale);
  return raster(capture.time, rows, (t, u) => start + t * width + u, (at) => colours[data[at]], (at) => isSpecial(data[at]));
}

/** A picture of B minus A. */
export function differenceRaster(a, b, letter, sequence, order, map, scale) {
  const width = a.width(letter);
  const rows = order.length === width ? order : identity(width);
  const start = a.offset(letter, sequence, 0, 0);
  const value = differenceAt(a, b, letter);
  return raster(a.time, rows, (t, u) => start + t * width + u, (at) => colourOf(map, scale, value(at)), (at) => !Number.isFinite(value(at)));
}

/** A picture of any matrix, `value(row, column)`. */
export function matrixRaster(rows, columns, value, map, scale) {
  return raster(columns, identity(rows), (column, row) => row * columns + column, (at) => colourOf(map, scale, value(Math.floor(at / columns), at % columns)), () => false);
}

/** B minus A by offset, in float32 if both have it: what one of them has lost when it was stored is no difference. */
function differenceAt(a, b, letter) {
  if (a.isExact(letter) && b.isExact(letter)) return (at) => b.valueAt(letter, at) - a.valueAt(letter, at);
  const [one, other] = [a, b].map((capture) => capture.gates.get(letter).data);
  return (at) => HALF[other[at]] - HALF[one[at]];
}

/** The largest difference between two captures of the same shape, in one gate and sequence. */
export function largestDifference(a, b, letter, sequence) {
  const start = a.offset(letter, sequence, 0, 0);
  const value = differenceAt(a, b, letter);
  let largest = 0;
  for (let at = start; at < start + a.time * a.width(letter); at++) {
    const size = Math.abs(value(at));
    if (size > largest && size < Infinity) largest = size;
  }
  return largest;
}

const MOST_MARKS = 400;

function raster(columns, rows, offset, colour, special) {
  const canvas = document.createElement("canvas");
  canvas.width = columns;
  canvas.height = rows.length;
  const context = canvas.getContext("2d");
  const image = context.createImageData(columns, rows.length);
  const pixels = new Uint32Array(image.data.buffer);
  const marks = [];
  let specials = 0;
  for (let r = 0; r < rows.length; r++) {
    for (let t = 0; t < columns; t++) {
      const at = offset(t, rows[r]);
      pixels[r * columns + t] = colour(at);
      if (special(at)) {
        specials += 1;
        if (marks.length < MOST_MARKS) marks.push([t, r]);
      }
    }
  }
  context.putImageData(image, 0, 0);
  return { canvas, columns, rows: rows.length, marks, specials };
}

function identity(length) {
  return Int32Array.from({ length }, (_, index) => index);
}
