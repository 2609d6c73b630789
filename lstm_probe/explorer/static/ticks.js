// Where an axis has its numbers.

/** About `count` round numbers between two. */
export function roundTicks(low, high, count) {
  if (!(high > low)) return [low];
  const raw = (high - low) / Math.max(1, count);
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((each) => each >= raw * 0.999);
  const ticks = [];
  for (let tick = Math.ceil(low / step - 1e-9); tick * step <= high + step * 1e-9; tick++) ticks.push(Number((tick * step).toPrecision(12)));
  return ticks;
}

/** Powers of ten between two positive numbers; of numbers close to each other also numbers between those. */
export function powerTicks(low, high, count) {
  const [from, to] = [Math.ceil(Math.log10(low) - 1e-9), Math.floor(Math.log10(high) + 1e-9)];
  const step = Math.max(1, Math.ceil((to - from + 1) / Math.max(1, count)));
  const ticks = [];
  for (let power = from; power <= to; power += step) ticks.push(10 ** power);
  if (ticks.length >= 3) return ticks;
  // Within two decades powers alone are too few.
  const finer = [];
  for (let power = from - 1; power <= to; power++) for (const factor of [1, 2, 5]) finer.push(factor * 10 ** power);
  const inside = finer.filter((tick) => tick >= low && tick <= high);
  return inside.length > 1 ? inside : roundTicks(low, high, count);
}

/** Positions among `length` items, from `first` to `last`, so that texts `size` wide have room. */
export function itemTicks(first, last, pixels, size) {
  const count = Math.max(1, last - first);
  const raw = (count * size) / pixels;
  const power = 10 ** Math.floor(Math.log10(Math.max(1, raw)));
  const step = Math.max(1, [1, 2, 5, 10].map((factor) => factor * power).find((each) => each >= raw) ?? 1);
  const ticks = [];
  for (let tick = Math.ceil(first / step) * step; tick < last; tick += step) ticks.push(tick);
  return ticks;
}
