// The alerts of a run: their states and their order. The metrics of a training.

import assert from "node:assert/strict";
import test from "node:test";

import { load } from "./surroundings.mjs";

const { alertsOf } = await load("alerts");
const { metricsOf } = await load("metrics");

const alert = (rule, step, layer = "a", gate = null) => ({ rule, step, layer, gate, text: `${rule} ${step}` });
const told = (timeline, layer) => alertsOf(timeline, layer).map(({ rule, step, state, until }) => [rule, step, state, until].filter((each) => each !== undefined));

test("an alert stands until it is cleared, and may come again", () => {
  const timeline = [
    { step: 0, alerts: [], noted: [alert("dead_units", 0)] },
    { step: 5, alerts: [alert("dead_units", 5), alert("saturated_gates", 5, "a", "o")] },
    { step: 9, alerts: [alert("saturated_gates", 9, "a", "i")], cleared: [alert("dead_units", 5)] },
    { step: 12, alerts: [alert("dead_units", 12)], cleared: [alert("saturated_gates", 8, "a", "o")], noted: [alert("update_ratio", 12)] },
  ];
  assert.deepEqual(told(timeline, "a"), [
    ["dead_units", 12, "standing"],
    ["saturated_gates", 9, "standing"],
    ["update_ratio", 12, "noted"],
    ["saturated_gates", 5, "cleared", 12],
    ["dead_units", 5, "cleared", 9],
  ]);
});

test("those of the chosen layer come first", () => {
  const timeline = [{ step: 5, alerts: [alert("dead_units", 5, "b")] }, { step: 9, alerts: [alert("dead_units", 9)] }];
  assert.deepEqual(alertsOf(timeline, "b").map(({ layer }) => layer), ["b", "a"]);
  assert.deepEqual(alertsOf(timeline, "a").map(({ layer }) => layer), ["a", "b"]);
});

test("an older log has alerts without states", () => {
  assert.deepEqual(told([{ step: 5, alerts: [alert("dead_units", 5)] }, { step: 6 }], null), [["dead_units", 5, "standing"]]);
  assert.deepEqual(told([], null), []);
});

test("metrics are listed once, the loss first", () => {
  const captures = [{}, { training: { mae: 1, accuracy: 0.5, loss: 2, val_loss: 3, val_mae: 1 } }, { training: { temperature: 37 } }];
  assert.deepEqual(metricsOf(captures), ["loss", "accuracy", "mae", "temperature"]);
  assert.deepEqual(metricsOf([{}]), []);
});
