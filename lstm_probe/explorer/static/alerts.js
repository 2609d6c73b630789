// The alerts of a run, with their states.

import { whole } from "./format.js";

const STATES = ["standing", "noted", "cleared"];

/**
 * All alerts of a timeline, each with its state: those of the layer first, then those that stand, then the
 * newest. What is only noted is told as long as it lasts.
 */
export function alertsOf(timeline, layer) {
  const found = [];
  const standing = new Map();
  for (const { step, alerts = [], cleared = [] } of timeline) {
    for (const alert of cleared) {
      const known = standing.get(same(alert));
      if (known) Object.assign(known, { state: "cleared", until: step });
      standing.delete(same(alert));
    }
    for (const alert of alerts) {
      const one = { ...alert, state: alert.state ?? "standing" };
      standing.set(same(alert), one);
      found.push(one);
    }
  }
  found.push(...(timeline.at(-1)?.noted ?? []).map((alert) => ({ ...alert, state: "noted" })));
  const rank = (alert) => (alert.layer === layer ? 0 : 3) + STATES.indexOf(alert.state);
  return found.sort((a, b) => rank(a) - rank(b) || latest(b) - latest(a));
}

function latest({ step, until }) {
  return until ?? step;
}

function same({ rule, layer, gate }) {
  return JSON.stringify([layer, rule, rule === "saturated_gates" ? gate : null]);
}

/** When it was, in words. */
export function when({ state, step, until }) {
  if (state === "cleared") return `cleared: steps ${whole(step)} to ${whole(until)}`;
  return state === "noted" ? `noted at step ${whole(step)}` : `since step ${whole(step)}`;
}
