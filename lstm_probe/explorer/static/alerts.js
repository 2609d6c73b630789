// The alerts of a run, in the order and in the words in which the side panel shows them.

import { whole } from "./format.js";

/** Those of a layer, before those of others. */
export function alertsFor(alerts, layer) {
  const mine = (alert) => alert.layer === layer;
  return [...alerts.filter(mine), ...alerts.filter((alert) => !mine(alert))];
}

/** When it was, in words. */
export function when({ state, step, until }) {
  if (state === "cleared") return `cleared: steps ${whole(step)} to ${whole(until)}`;
  return state === "noted" ? `noted at step ${whole(step)}` : `since step ${whole(step)}`;
}
