// Zooming and panning: arithmetic on [first, last] parts of both axes.

const SMALLEST = 0.004;

/** An interval made `factor` times as wide around a point of it; never outside 0..1. */
export function zoomed([low, high], factor, around) {
  const width = Math.min(1, Math.max(SMALLEST, (high - low) * factor));
  const centre = low + (high - low) * around;
  return moved([centre - width * around, centre + width * (1 - around)], 0);
}

/** An interval moved, and kept inside 0..1. */
export function moved([low, high], by) {
  const width = Math.min(1, high - low);
  const start = Math.max(0, Math.min(1 - width, low + by));
  return [start, start + width];
}

export function isWhole(zoom) {
  return zoom[0] <= 0 && zoom[1] >= 1 && zoom[2] <= 0 && zoom[3] >= 1;
}

/** The zoom that shows a rectangle of the present one, given in parts of it. */
export function into(zoom, x0, x1, y0, y1) {
  const [width, height] = [zoom[1] - zoom[0], zoom[3] - zoom[2]];
  const across = [zoom[0] + x0 * width, zoom[0] + x1 * width];
  const down = [zoom[2] + y0 * height, zoom[2] + y1 * height];
  return [...zoomed(across, 1, 0.5), ...zoomed(down, 1, 0.5)];
}
