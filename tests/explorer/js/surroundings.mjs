// What all tests of the page's modules share: the modules, the files beside them, random numbers.

import { readFile } from "node:fs/promises";
import path from "node:path";
import { pathToFileURL } from "node:url";

const { LSTM_PROBE_FILES: folder, LSTM_PROBE_ROUTES: routes, LSTM_PROBE_SERVER: ownServer } = process.env;
if (!folder) throw new Error("Run these tests by `pytest tests/explorer/test_page_modules.py`: it writes the files that they read.");

/** Where TensorBoard's application answers, and where `lstm-probe serve` does. */
export { ownServer, routes };

/** A module of the page or of the report. */
export function load(name) {
  return import(pathToFileURL(path.join(folder, "modules", `${name}.js`)));
}

/** The bytes of a file that Python wrote. */
export async function bytes(name) {
  const data = await readFile(path.join(folder, name));
  return data.buffer.slice(data.byteOffset, data.byteOffset + data.byteLength);
}

/** JSON that Python wrote; numbers that are not finite are strings there. */
export async function json(name) {
  const special = { nan: NaN, inf: Infinity, "-inf": -Infinity };
  return JSON.parse(await readFile(path.join(folder, name), "utf8"), (_, value) => (Object.hasOwn(special, value) ? special[value] : value));
}

export async function text(name) {
  return readFile(path.join(folder, name), "utf8");
}

/** Random numbers with a seed, by mulberry32: `next()` in 0..1, `between(low, high)`, `whole(n)`. */
export function random(seed) {
  let state = seed >>> 0;
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
  return {
    next,
    between: (low, high) => low + (high - low) * next(),
    whole: (count) => Math.floor(next() * count),
    pick: (items) => items[Math.floor(next() * items.length)],
    text: (length) => Array.from({ length }, () => String.fromCodePoint(33 + Math.floor(next() * 900))).join(""),
  };
}

/** A number of rounds with random numbers that differ from round to round. */
export function rounds(count, body) {
  for (let seed = 1; seed <= count; seed++) body(random(seed), seed);
}
