// Numbers and names as people read them.

export function number(value, digits = 4) {
  if (value === null || value === undefined) return "–";
  if (Number.isNaN(value)) return "NaN";
  if (!Number.isFinite(value)) return value > 0 ? "∞" : "−∞";
  const size = Math.abs(value);
  if (size === 0) return "0";
  if (size !== 0 && (size < 1e-3 || size >= 1e5)) return minus(value.toExponential(Math.max(1, digits - 2)));
  return minus(value.toFixed(size >= 100 ? 1 : size >= 10 ? 2 : digits));
}

/**
 * A number with the digits that are true: half of the last one's unit is no less than its uncertainty.
 *
 * @param within how far the number may be from what it stands for.
 * @param digits how many digits `number` would show.
 */
export function trueDigits(value, within, digits = 4) {
  if (!Number.isFinite(value) || value === 0 || !(within > 0)) return number(value, digits);
  const size = Math.abs(value);
  const decimals = Math.floor(-Math.log10(2 * within));
  const exponent = Math.floor(Math.log10(size));
  if (size < 1e-3 && exponent + decimals >= 0) return minus(value.toExponential(Math.min(Math.max(1, digits - 2), exponent + decimals)));
  if (decimals < 0) return minus(value.toPrecision(Math.max(1, exponent + decimals + 1)).replace("e+", "e"));
  return minus(value.toFixed(Math.min(decimals, size >= 100 ? 1 : size >= 10 ? 2 : digits)));
}

/** With as few digits as it takes, for axes and colour bars. */
export function short(value) {
  if (!Number.isFinite(value)) return number(value);
  if (value !== 0 && (Math.abs(value) < 1e-3 || Math.abs(value) >= 1e5)) {
    return minus(value.toExponential(1).replace(".0e", "e").replace("e+", "e"));
  }
  return minus(String(Number(value.toPrecision(3))));
}

export function whole(value) {
  return value.toLocaleString("en-US");
}

export function epoch(value) {
  return typeof value === "number" ? `epoch ${Number(value.toFixed(2))}` : "";
}

const SPECIAL = new Map([["nan", NaN], ["inf", Infinity], ["-inf", -Infinity]]);

/** A number of a header, where those that are not finite are strings; null for anything else. */
export function parsed(value) {
  return typeof value === "number" ? value : (SPECIAL.get(value) ?? null);
}

/** A name of which both ends are kept: names often differ at their end. */
export function clipMiddle(text, length) {
  if (text.length <= length) return text;
  const end = Math.ceil((length - 1) / 2);
  return `${text.slice(0, length - 1 - end)}…${text.slice(-end)}`;
}

/** Names without the folders that all of them begin and end with; a name alone stays as it is. */
export function distinct(names) {
  const parts = names.map((name) => name.split("/"));
  const most = Math.min(...parts.map((each) => each.length)) - 1;
  const shared = (at) => new Set(parts.map(at)).size === 1;
  let [start, end] = [0, 0];
  if (names.length > 1) {
    while (start < most && shared((each) => each[start])) start += 1;
    while (start + end < most && shared((each) => each.at(-1 - end))) end += 1;
  }
  return parts.map((each) => each.slice(start, each.length - end).join("/"));
}

export function clip(text, length) {
  return text.length <= length ? text : `${text.slice(0, length - 1)}…`;
}

function minus(text) {
  return text.replaceAll("-", "−");
}
