// Canvases as sharp as the screen, measured in CSS pixels.

import { Pen } from "./svg.js";

/** While a view is saved as SVG, the pen of each canvas that is drawn. */
let pens = null;

/** Has everything drawn, and returns the pen of each canvas: see svg.js. */
export function penned(draw) {
  pens = new Map();
  try {
    draw();
    return pens;
  } finally {
    pens = null;
  }
}

/** A canvas as sharp as the screen, and its context in CSS pixels. */
export function sized(canvas, width, height) {
  const ratio = window.devicePixelRatio || 1;
  const [w, h] = [Math.round(width * ratio), Math.round(height * ratio)];
  if (canvas.width !== w) canvas.width = w;
  if (canvas.height !== h) canvas.height = h;
  canvas.style.width = `${width}px`;
  canvas.style.height = `${height}px`;
  const context = canvas.getContext("2d");
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, width, height);
  if (!pens) return context;
  const pen = new Pen(context, ratio);
  pens.set(canvas, pen);
  return pen.context;
}

export function line(context, x0, y0, x1, y1, colour) {
  context.strokeStyle = colour;
  context.beginPath();
  context.moveTo(x0, y0);
  context.lineTo(x1, y1);
  context.stroke();
}

/** A line across a heatmap: black beside white, so that it is seen on light and on dark colours. */
export function separator(context, x0, x1, y) {
  line(context, x0, y - 1, x1, y - 1, "#fff");
  line(context, x0, y, x1, y, "#000");
}
