// What stands above the gates on their own axis of time: the input of the probe as curves, as a raster
// or as words, and the targets and outputs of models that give one at each step.

import { clip, short } from "./format.js";
import { outcomesOf } from "./outcomes.js";
import { visible } from "./panel.js";
import { matrixRaster } from "./raster.js";
import { linear } from "./scale.js";
import { colours, inked } from "./theme.js";

const FONT = "11px Roboto, 'Helvetica Neue', Arial, sans-serif";
/** More features than this are a raster. */
const MOST_CURVES = 4;
const MOST_STRIPS = 3;
const TITLE = 16;
const GAP = 6;
const NARROWEST_WORD = 9;

/** The strips of a layer and a sequence, from above: `{kind, title, height, columns, ...}`. */
export function stripsOf(capture, probe, sequence) {
  const inputs = probe.inputsOf(capture).flatMap((input) => inputStrip(input, capture, sequence) ?? []);
  const steps = outcomesOf(capture, probe).filter((each) => each.steps !== null && each.steps === (capture.meta.shape?.[1] ?? capture.time));
  return [...inputs, ...steps.map((outcome) => stepStrip(outcome, capture, sequence))].slice(0, MOST_STRIPS);
}

/** How high strips are together. */
export function heightOf(strips) {
  return strips.reduce((sum, strip) => sum + TITLE + strip.height + GAP, 0);
}

function inputStrip(input, capture, sequence) {
  const row = input.sequences.indexOf(capture.sequences[sequence]);
  if (row < 0) return null;
  const name = input.name ? `input ${input.name}` : "input";
  const shared = { columns: input.time, timestep: (t) => input.timesteps[t] };
  const at = (t, feature) => input.value(row, t, feature);
  if (input.isTokens) {
    const text = (t) => (input.time === capture.time ? capture.label(sequence, t) : null) ?? String(at(t, 0));
    return { ...shared, kind: "words", title: name, height: 18, text, mark: () => null, told: (t) => [`${name}: ${text(t)}`, text(t) === String(at(t, 0)) ? "" : `token ${at(t, 0)}`] };
  }
  const [low, high] = input.extent;
  const title = `${name}, ${short(low)} … ${short(high)}`;
  const told = (t) => Array.from({ length: Math.min(8, input.width) }, (_, index) => `${name}${input.width > 1 ? ` [${input.features[index]}]` : ""}: ${short(at(t, index))}`).concat(input.width > 8 ? [`and ${input.width - 8} more`] : []);
  if (input.width <= MOST_CURVES) {
    const curves = Array.from({ length: input.width }, (_, index) => ({ colour: index, value: (t) => at(t, index) }));
    return { ...shared, kind: "curves", title, height: 54, low, high, curves, told };
  }
  // As an image has it: dark is low. What has a sign has a colour map with a middle.
  const size = Math.max(-low, high);
  const [map, scale] = low < 0 ? ["RdBu", linear(-size, size)] : ["grey", linear(low, high)];
  return { ...shared, kind: "raster", title, height: Math.min(96, Math.max(40, 4 * input.width)), rows: input.width, key: [capture.step, row, input.name].join("|"), raster: () => matrixRaster(input.width, input.time, (feature, t) => at(t, feature), map, scale), told };
}

/** What a model gives at each step, and what it is to give. */
function stepStrip(outcome, capture, sequence) {
  const name = outcome.name ? `output ${outcome.name}` : "output";
  const shared = { columns: capture.time, timestep: (t) => capture.timesteps[t] };
  const step = (t) => capture.timesteps[t];
  const target = (t) => outcome.targetAt(sequence, step(t));
  const given = (t) => outcome.givenAt(sequence, step(t))?.value ?? null;
  if (outcome.isClass) {
    const told = (t) => [`${name}: gives ${given(t) ?? "–"}`, target(t) === null ? "" : `target ${target(t)}: ${outcome.rightAt(sequence, step(t)) ? "right" : "wrong"}`];
    return { ...shared, kind: "words", title: outcome.hasTarget ? `${name} at each step; wrong ones are red` : `${name} at each step`, height: 18, text: (t) => String(given(t) ?? target(t) ?? ""), mark: (t) => outcome.rightAt(sequence, step(t)), told };
  }
  const curves = [{ colour: 0, value: given }, ...(outcome.hasTarget ? [{ colour: 1, dash: [4, 3], value: target }] : [])];
  const values = curves.flatMap(({ value }) => Array.from({ length: capture.time }, (_, t) => value(t))).filter(Number.isFinite);
  const [low, high] = values.length ? [Math.min(...values), Math.max(...values)] : [0, 1];
  const told = (t) => [`${name}: ${given(t) === null ? "–" : short(given(t))}`, outcome.hasTarget && target(t) !== null ? `target ${short(target(t))}` : ""];
  return { ...shared, kind: "curves", title: `${name}${outcome.hasTarget ? ", target dashed" : ""}, ${short(low)} … ${short(high)}`, height: 54, low, high, curves, told };
}

/**
 * Draws strips above one another, and gives each its `rects`: a strip stands above every column of
 * panels, so that its time is theirs.
 *
 * @param place `{x, y, width}` of each column.
 */
export function drawStrips(context, strips, places, zoom, rasters) {
  for (const strip of strips) strip.rects = [];
  for (const { x, y: top, width } of places) {
    let y = top;
    for (const strip of strips) {
      const rect = { x, y: y + TITLE, width, height: strip.height };
      strip.rects.push(rect);
      drawStrip(context, strip, rect, zoom, rasters);
      y += TITLE + strip.height + GAP;
    }
  }
}

function drawStrip(context, strip, rect, zoom, rasters) {
  context.font = FONT;
  context.textAlign = "left";
  context.textBaseline = "alphabetic";
  context.fillStyle = colours.muted;
  context.fillText(fitting(context, strip.title, rect.width), rect.x, rect.y - 4);
  context.save();
  context.beginPath();
  context.rect(rect.x, rect.y, rect.width, rect.height);
  context.clip();
  const [left, right] = [zoom[0] * strip.columns, zoom[1] * strip.columns];
  const scale = rect.width / (right - left);
  const px = (t) => rect.x + (t - left) * scale;
  DRAWERS[strip.kind](context, strip, rect, { left, right, scale, px, rasters });
  context.restore();
  context.lineWidth = 1;
  context.strokeStyle = colours.line;
  context.strokeRect(rect.x - 0.5, rect.y - 0.5, rect.width + 1, rect.height + 1);
}

const DRAWERS = {
  curves(context, { curves, low, high, columns }, rect, { px }) {
    const width = high - low || 1;
    const py = (value) => rect.y + 3 + (1 - (value - low) / width) * (rect.height - 6);
    if (low < 0 && high > 0) {
      context.strokeStyle = colours.faint;
      context.lineWidth = 1;
      context.beginPath();
      context.moveTo(rect.x, py(0));
      context.lineTo(rect.x + rect.width, py(0));
      context.stroke();
    }
    for (const { colour, dash = [], value } of curves) {
      context.strokeStyle = inked(colour);
      context.lineWidth = 1.5;
      context.setLineDash(dash);
      context.beginPath();
      let drawing = false;
      for (let t = 0; t < columns; t++) {
        const each = value(t);
        if (!Number.isFinite(each)) drawing = false;
        else if (drawing) context.lineTo(px(t + 0.5), py(each));
        else context.moveTo(px(t + 0.5), py(each));
        drawing = Number.isFinite(each);
      }
      context.stroke();
    }
    context.setLineDash([]);
  },

  raster(context, strip, rect, { left, right, rasters }) {
    if (!rasters.has(strip.key)) {
      if (rasters.size > 8) rasters.clear();
      rasters.set(strip.key, strip.raster());
    }
    const { canvas } = rasters.get(strip.key);
    context.imageSmoothingEnabled = strip.rows > rect.height;
    context.drawImage(canvas, left, 0, right - left, strip.rows, rect.x, rect.y, rect.width, rect.height);
  },

  words(context, { text, mark, columns }, rect, { left, right, scale, px }) {
    context.textAlign = "center";
    context.textBaseline = "middle";
    const every = Math.max(1, Math.ceil(NARROWEST_WORD / scale));
    for (let t = Math.max(0, Math.floor(left)); t < Math.min(columns, Math.ceil(right)); t++) {
      const isRight = mark(t);
      if (isRight !== null) {
        context.fillStyle = isRight ? colours.faint : colours.warning;
        context.fillRect(px(t), rect.y, Math.max(1, scale - (scale > 3 ? 1 : 0)), rect.height);
      }
      if (t % every) continue;
      context.fillStyle = isRight === false ? colours.panel : colours.text;
      context.fillText(fitting(context, text(t), scale * every - 2), px(t + 0.5), rect.y + rect.height / 2 + 1);
    }
  },
};

function fitting(context, text, room) {
  if (context.measureText(text).width <= room) return text;
  let length = text.length;
  while (length > 1 && context.measureText(clip(text, length)).width > room) length -= 1;
  return length > 1 ? clip(text, length) : "";
}

/** The strip and the timestep under a point of the picture: `{strip, t}`; null where there is none. */
export function stripAt(strips, zoom, { x, y }) {
  for (const strip of strips) {
    const rect = strip.rects?.find((each) => x >= each.x && x < each.x + each.width && y >= each.y && y < each.y + each.height);
    if (!rect) continue;
    const part = zoom[0] + ((x - rect.x) / rect.width) * (zoom[1] - zoom[0]);
    return { strip, t: Math.max(0, Math.min(strip.columns - 1, Math.floor(part * strip.columns))) };
  }
  return null;
}

/** Marks the timestep of a panel's column, as a part of the whole time, in every strip. */
export function markStrips(context, strips, zoom, part, columns, colour) {
  for (const rect of strips.flatMap((strip) => strip.rects ?? [])) {
    const { left, right } = visible({ columns, rows: 1 }, zoom);
    const width = rect.width / (right - left);
    const x = rect.x + (part * columns - left) * width;
    if (x + width < rect.x || x > rect.x + rect.width) continue;
    context.strokeStyle = colour;
    context.lineWidth = 1;
    context.strokeRect(Math.max(rect.x, x), rect.y - 1, Math.min(width, rect.x + rect.width - x), rect.height + 2);
  }
}
