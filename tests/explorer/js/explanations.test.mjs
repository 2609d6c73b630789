// What "?" says of each view.

import assert from "node:assert/strict";
import test from "node:test";

import { within } from "./document.mjs";
import { load } from "./surroundings.mjs";

const { explanation } = await load("explanations");
const { VIEWS } = await load("state");

for (const view of VIEWS) {
  test(`the view ${view} says what it shows, what healthy and ill look like, and what to try`, () => {
    const text = within(...explanation(view)).textContent;
    const places = ["The view", "It shows", "Healthy", "Ill", "Try"].map((name) => text.indexOf(name));
    assert.ok(places.every((place, index) => place >= (places[index - 1] ?? 0)), text);
    assert.ok(!text.includes("undefined"));
  });
}

test("every view says something of its own", () => {
  assert.equal(new Set(VIEWS.map((view) => within(...explanation(view)).textContent)).size, VIEWS.length);
});
