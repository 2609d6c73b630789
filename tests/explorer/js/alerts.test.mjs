// The alerts of a run: their order and their words. The metrics of a training.

import assert from "node:assert/strict";
import test from "node:test";

import { load } from "./surroundings.mjs";

const { alertsFor, when } = await load("alerts");
const { metricsOf } = await load("metrics");

test("those of the chosen layer come first, and each group stays as it is told: the newest first", () => {
  const alerts = [["b", 9], ["a", 7], ["b", 5], ["a", 2]].map(([layer, step]) => ({ layer, step }));
  const order = (layer) => alertsFor(alerts, layer).map(({ step }) => step);
  assert.deepEqual([order("a"), order("b"), order(null)], [[7, 2, 9, 5], [9, 5, 7, 2], [9, 7, 5, 2]]);
});

test("it is said when an alert was", () => {
  assert.equal(when({ state: "standing", step: 12000 }), "since step 12,000");
  assert.equal(when({ state: "noted", step: 0 }), "noted at step 0");
  assert.equal(when({ state: "cleared", step: 5, until: 9 }), "cleared: steps 5 to 9");
});

test("metrics are listed once, the loss first", () => {
  const captures = [{}, { training: { mae: 1, accuracy: 0.5, loss: 2, val_loss: 3, val_mae: 1 } }, { training: { temperature: 37 } }];
  assert.deepEqual(metricsOf(captures), ["loss", "accuracy", "mae", "temperature"]);
  assert.deepEqual(metricsOf([{}]), []);
});
