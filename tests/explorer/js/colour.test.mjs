import assert from "node:assert/strict";
import test from "node:test";

import { json, load, random } from "./surroundings.mjs";

const { colourAt, colourOf, colourTable, DIVERGING, halfColours, MAPS, SPECIAL } = await load("colour");
const { HALF } = await load("half");
const { linear } = await load("scale");

const rgb = (abgr) => [abgr & 255, (abgr >> 8) & 255, (abgr >> 16) & 255];
const expected = await json("colours.json");
/** How far straight lines between ten or eleven of matplotlib's colours may lie from its 256. */
const BOUNDS = { RdBu: 2, PuOr: 2, magma: 5, viridis: 14, cividis: 15 };

for (const [name, colours] of Object.entries(expected)) {
  test(`${name} has matplotlib's colours`, () => {
    const table = colourTable(name);
    assert.equal(table.length, colours.length);
    const apart = colours.map((colour, at) => Math.max(...rgb(table[at]).map((part, k) => Math.abs(part - colour[k]))));
    assert.ok(Math.max(...apart) <= BOUNDS[name], `${Math.max(...apart)}`);
    assert.ok(apart.reduce((sum, each) => sum + each, 0) / apart.length < 3, "on average");
    for (const abgr of table) assert.equal(abgr >>> 24, 255);
  });
}

test("every map has ends that differ, and a diverging one a light middle", () => {
  for (const name of MAPS) {
    const table = colourTable(name);
    assert.notEqual(table[0], table.at(-1));
    if (DIVERGING.has(name)) assert.ok(rgb(table[256]).every((part) => part > 235));
  }
});

test("grey grows evenly from dark to light", () => {
  const levels = Array.from(colourTable("grey"), (abgr) => abgr & 255);
  levels.forEach((level, at) => assert.ok(Math.abs(level - (17 + (245 - 17) * (at / 511))) <= 0.5));
});

test("a part is the colour that stands there in the table; outside it is the last one", () => {
  const { next, pick } = random(4);
  for (let round = 0; round < 200; round++) {
    const [name, part] = [pick(MAPS), next() * 1.4 - 0.2];
    const at = Math.round(Math.min(1, Math.max(0, part)) * 511);
    assert.equal(colourAt(name, part), `rgb(${rgb(colourTable(name)[at]).join(", ")})`);
  }
});

test("an unknown map is the usual one, whatever its name", () => {
  for (const name of ["no such", "constructor", "__proto__"]) assert.deepEqual(colourTable(name), colourTable("RdBu"));
});

test("every float16 has the colour of its value, and NaN and infinity that of no map", () => {
  const scale = linear(-0.4, 0.9);
  const table = halfColours("magma", scale);
  const special = [1, 3, 5].map((at) => parseInt(SPECIAL.slice(at, at + 2), 16));
  for (let bits = 0; bits < 65536; bits++) {
    const value = HALF[bits];
    const at = Math.round(Math.min(1, Math.max(0, (value + 0.4) / 1.3)) * 511);
    assert.deepEqual(rgb(table[bits]), Number.isFinite(value) ? rgb(colourTable("magma")[at]) : special, `${value}`);
    if (bits % 97 === 0) assert.equal(colourOf("magma", scale, value), table[bits]);
  }
  for (const name of MAPS) assert.ok(!colourTable(name).some((abgr) => rgb(abgr).join() === special.join()));
});

test("a table is made once for a scale, and anew for another", () => {
  const one = halfColours("RdBu", linear(0, 1));
  assert.equal(halfColours("RdBu", linear(0, 1)), one);
  assert.notDeepEqual(halfColours("RdBu", linear(0, 2)), one);
  for (let high = 3; high < 40; high++) halfColours("RdBu", linear(0, high));
  assert.notEqual(halfColours("RdBu", linear(0, 1)), one); // only so many are kept
  assert.deepEqual(halfColours("RdBu", linear(0, 1)), one);
});
