// Colour maps that people with every kind of colour vision can read.

import { HALF } from "./half.js";

// ColorBrewer (RdBu, PuOr) and matplotlib (viridis, cividis, magma), at even distances.
const ANCHORS = {
  RdBu: "67001f b2182b d6604d f4a582 fddbc7 f7f7f7 d1e5f0 92c5de 4393c3 2166ac 053061",
  PuOr: "7f3b08 b35806 e08214 fdb863 fee0b6 f7f7f7 d8daeb b2abd2 8073ac 542788 2d004b",
  viridis: "440154 482475 414487 355f8d 2a788e 21918c 22a884 44bf70 7ad151 bddf26 fde725",
  cividis: "00224e 123570 3b496c 575d6d 707173 8a8678 a59c74 c3b369 e1cc55 fee838",
  magma: "000004 140e36 3b0f70 641a80 8c2981 b73779 de4968 f7705c fe9f6d fecf92 fcfdbf",
  grey: "111111 f5f5f5",
};
export const MAPS = Object.keys(ANCHORS);
/** Maps with a middle, for what has a sign. */
export const DIVERGING = new Set(["RdBu", "PuOr"]);
/** NaN and infinity: in none of the maps. */
export const SPECIAL = "#00c853";
const SPECIAL_ABGR = 0xff53c800;
const SIZE = 512;

const tables = new Map();

/** 512 colours, as the numbers that a canvas holds. */
export function colourTable(name) {
  if (!tables.has(name)) tables.set(name, interpolated(Object.hasOwn(ANCHORS, name) ? ANCHORS[name] : ANCHORS.RdBu));
  return tables.get(name);
}

export function colourAt(name, part) {
  const abgr = colourTable(name)[index(part)];
  return `rgb(${abgr & 255}, ${(abgr >> 8) & 255}, ${(abgr >> 16) & 255})`;
}

const halves = new Map();

/** For each float16 its colour. */
export function halfColours(name, scale) {
  const key = `${name} ${scale.key}`;
  if (halves.has(key)) return halves.get(key);
  const table = new Uint32Array(65536);
  for (let bits = 0; bits < 65536; bits++) table[bits] = colourOf(name, scale, HALF[bits]);
  if (halves.size >= 24) halves.delete(halves.keys().next().value);
  halves.set(key, table);
  return table;
}

export function colourOf(name, scale, value) {
  if (!Number.isFinite(value)) return SPECIAL_ABGR;
  return colourTable(name)[index(scale.part(value))];
}

function index(part) {
  return Math.max(0, Math.min(SIZE - 1, Math.round(part * (SIZE - 1))));
}

function interpolated(text) {
  const anchors = text.split(" ").map((hex) => [0, 2, 4].map((at) => parseInt(hex.slice(at, at + 2), 16)));
  const table = new Uint32Array(SIZE);
  for (let i = 0; i < SIZE; i++) {
    const place = (i / (SIZE - 1)) * (anchors.length - 1);
    const from = Math.min(anchors.length - 2, Math.floor(place));
    const [r, g, b] = [0, 1, 2].map((k) => Math.round(anchors[from][k] + (anchors[from + 1][k] - anchors[from][k]) * (place - from)));
    table[i] = ((255 << 24) | (b << 16) | (g << 8) | r) >>> 0;
  }
  return table;
}
