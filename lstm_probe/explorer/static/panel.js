// Draws one heatmap with its title, colour bar and axes.

import { colourAt, SPECIAL } from "./colour.js";
import { clip } from "./format.js";
import { colours } from "./theme.js";
import { itemTicks } from "./ticks.js";

export const FONT = "11px Roboto, 'Helvetica Neue', Arial, sans-serif";
const BOLD = "600 12px Roboto, 'Helvetica Neue', Arial, sans-serif";
export const TITLE_HEIGHT = 22;
const BAR_WIDTH = 56;

/** The part of a picture that the zoom shows: first and last column and row, with fractions. */
export function visible(raster, zoom) {
  return {
    left: zoom[0] * raster.columns,
    right: zoom[1] * raster.columns,
    top: zoom[2] * raster.rows,
    bottom: zoom[3] * raster.rows,
  };
}

export function drawPanel(context, panel, zoom, map) {
  drawTitle(context, panel, map);
  const { rect, raster } = panel;
  if (!raster) {
    drawMessage(context, rect, panel.message ?? "");
    return;
  }
  const { left, right, top, bottom } = visible(raster, zoom);
  const part = thinned(raster, left, right, top, bottom, rect);
  context.imageSmoothingEnabled = false; // enlarged without blur
  context.drawImage(part.canvas, part.x, part.y, part.width, part.height, rect.x, rect.y, rect.width, rect.height);
  context.save();
  context.beginPath();
  context.rect(rect.x, rect.y, rect.width, rect.height);
  context.clip();
  drawMask(context, panel, left, right);
  drawMarks(context, panel, zoom);
  context.restore();
  frame(context, rect);
  if (panel.rowLabels) drawRows(context, panel, top, bottom);
  if (panel.columnLabels) drawColumns(context, panel, left, right);
}

let scratch = null;

/** A part of a picture; along an axis with more values than pixels, their means. */
function thinned(raster, left, right, top, bottom, rect) {
  const [x, y, width, height] = [left, top, right - left, bottom - top];
  const ratio = window.devicePixelRatio || 1;
  const [across, down] = [Math.round(rect.width * ratio), Math.round(rect.height * ratio)];
  if (width <= across && height <= down) return { canvas: raster.canvas, x, y, width, height };
  const [x0, y0] = [Math.floor(left), Math.floor(top)];
  const [columns, rows] = [Math.ceil(right) - x0, Math.ceil(bottom) - y0];
  scratch ??= document.createElement("canvas");
  scratch.width = Math.min(columns, across);
  scratch.height = Math.min(rows, down);
  const context = scratch.getContext("2d");
  context.imageSmoothingQuality = "medium";
  context.drawImage(raster.canvas, x0, y0, columns, rows, 0, 0, scratch.width, scratch.height);
  const [sx, sy] = [scratch.width / columns, scratch.height / rows];
  return { canvas: scratch, x: (x - x0) * sx, y: (y - y0) * sy, width: width * sx, height: height * sy };
}

function drawTitle(context, panel, map) {
  const { rect } = panel;
  const y = rect.y - (panel.above ?? 0) - 8;
  context.textBaseline = "alphabetic";
  context.textAlign = "left";
  context.fillStyle = colours.text;
  context.font = BOLD;
  const bar = panel.scale ? barWidth(context, panel.scale) : 0;
  const room = rect.width - bar - 8;
  const title = context.measureText(panel.title).width <= room ? panel.title : (panel.letter ?? fitting(context, panel.title, room));
  context.fillText(title, rect.x, y);
  const used = context.measureText(title).width;
  if (panel.raster?.specials) {
    context.fillStyle = colours.warning;
    context.font = FONT;
    context.fillText(fitting(context, `${panel.raster.specials} NaN or ∞`, room - used - 8), rect.x + used + 8, y);
  }
  if (panel.scale && rect.width > bar + used + 6) drawBar(context, panel, panel.map ?? map, rect.x + rect.width, y);
}

function barWidth(context, scale) {
  context.font = FONT;
  const width = BAR_WIDTH + 8 + scale.ticks.reduce((sum, tick) => sum + context.measureText(tick).width, 0);
  context.font = BOLD;
  return width;
}

function drawBar(context, panel, map, right, y) {
  context.font = FONT;
  context.fillStyle = colours.muted;
  const [low, high] = panel.scale.ticks;
  context.textAlign = "right";
  context.fillText(high, right, y);
  const end = right - context.measureText(high).width - 4;
  for (let x = 0; x < BAR_WIDTH; x++) {
    context.fillStyle = colourAt(map, x / (BAR_WIDTH - 1));
    context.fillRect(end - BAR_WIDTH + x, y - 8, 1.5, 8);
  }
  context.strokeStyle = colours.line;
  context.strokeRect(end - BAR_WIDTH + 0.5, y - 8.5, BAR_WIDTH, 9);
  context.fillStyle = colours.muted;
  context.fillText(low, end - BAR_WIDTH - 4, y);
}

/** A text, cut off where it has no room. */
export function fitting(context, text, room) {
  if (context.measureText(text).width <= room) return text;
  let length = text.length;
  while (length > 1 && context.measureText(clip(text, length)).width > room) length -= 1;
  return length > 1 ? clip(text, length) : "";
}

function drawMessage(context, rect, message) {
  context.fillStyle = colours.faint;
  context.fillRect(rect.x, rect.y, rect.width, rect.height);
  context.fillStyle = colours.muted;
  context.font = FONT;
  context.textAlign = "center";
  const words = message.split(" ");
  const lines = [""];
  for (const word of words) {
    const longer = `${lines.at(-1)} ${word}`.trim();
    if (context.measureText(longer).width > rect.width - 16 && lines.at(-1)) lines.push(word);
    else lines[lines.length - 1] = longer;
  }
  const y = rect.y + rect.height / 2 - (lines.length - 1) * 8;
  lines.forEach((line, index) => context.fillText(line, rect.x + rect.width / 2, y + index * 16));
}

function drawMask(context, panel, left, right) {
  const { rect, masked, raster } = panel;
  if (!masked) return;
  const scale = rect.width / (right - left);
  for (let t = 0; t < raster.columns; t++) {
    if (!masked(t)) continue;
    let end = t + 1;
    while (end < raster.columns && masked(end)) end += 1;
    const [x, to] = [rect.x + (t - left) * scale, rect.x + (end - left) * scale];
    if (to > rect.x && x < rect.x + rect.width) hatch(context, Math.max(x, rect.x), rect.y, Math.min(to, rect.x + rect.width) - Math.max(x, rect.x), rect.height);
    t = end;
  }
}

function hatch(context, x, y, width, height) {
  context.save();
  context.beginPath();
  context.rect(x, y, width, height);
  context.clip();
  context.fillStyle = colours.veil;
  context.fillRect(x, y, width, height);
  context.strokeStyle = colours.hatch;
  context.lineWidth = 1;
  context.beginPath();
  for (let start = x - height; start < x + width; start += 7) {
    context.moveTo(start, y + height);
    context.lineTo(start + height, y);
  }
  context.stroke();
  context.restore();
}

function drawMarks(context, panel, zoom) {
  const { rect, raster } = panel;
  const { left, right, top, bottom } = visible(raster, zoom);
  const [sx, sy] = [rect.width / (right - left), rect.height / (bottom - top)];
  for (const [t, r] of raster.marks) {
    const [x, y] = [rect.x + (t + 0.5 - left) * sx, rect.y + (r + 0.5 - top) * sy];
    const [width, height] = [Math.max(3, sx), Math.max(3, sy)];
    context.fillStyle = SPECIAL;
    context.fillRect(x - width / 2, y - height / 2, width, height);
    if (Math.min(width, height) < 5) continue;
    context.strokeStyle = "#000";
    context.lineWidth = 1;
    context.beginPath();
    const arm = Math.min(4, Math.min(width, height) / 2 - 1);
    context.moveTo(x - arm, y - arm);
    context.lineTo(x + arm, y + arm);
    context.moveTo(x - arm, y + arm);
    context.lineTo(x + arm, y - arm);
    context.stroke();
  }
}

function frame(context, rect) {
  context.strokeStyle = colours.line;
  context.lineWidth = 1;
  context.strokeRect(rect.x - 0.5, rect.y - 0.5, rect.width + 1, rect.height + 1);
}

function drawRows(context, panel, top, bottom) {
  const { rect, rowLabels } = panel;
  context.font = FONT;
  context.fillStyle = colours.muted;
  context.textAlign = "right";
  context.textBaseline = "middle";
  const scale = rect.height / (bottom - top);
  for (const row of itemTicks(top, bottom, rect.height, 26)) {
    const y = rect.y + (row + 0.5 - top) * scale;
    if (y > rect.y && y < rect.y + rect.height) context.fillText(rowLabels(row), rect.x - 5, y);
  }
  context.textBaseline = "alphabetic";
}

/** Timesteps below a panel: the reader's own labels stand upright where they are too wide. */
function drawColumns(context, panel, left, right) {
  const { rect, columnLabels } = panel;
  context.font = FONT;
  context.fillStyle = colours.muted;
  const scale = rect.width / (right - left);
  const size = columnLabels.upright ? 12 : columnLabels.width + 12;
  for (const column of itemTicks(left, right, rect.width, size)) {
    const x = rect.x + (column + 0.5 - left) * scale;
    const room = columnLabels.upright ? 0 : context.measureText(columnLabels.text(column)).width / 2 - 6;
    if (x < rect.x || x > rect.x + rect.width - room) continue;
    const y = rect.y + rect.height;
    if (columnLabels.upright) upright(context, columnLabels.text(column), x, y + 5);
    else {
      context.textAlign = "center";
      context.fillText(columnLabels.text(column), x, y + 14);
    }
  }
}

function upright(context, text, x, y) {
  context.save();
  context.translate(x, y);
  context.rotate(-Math.PI / 2);
  context.textAlign = "right";
  context.textBaseline = "middle";
  context.fillText(text, 0, 0);
  context.restore();
}
