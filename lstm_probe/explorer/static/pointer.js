// Mouse and wheel on the grid: hover, click, drag to zoom, wheel to pan.

import { into, isWhole, moved, zoomed } from "./zoom.js";

const CLICK_DISTANCE = 4;
const WHEEL_SPEED = 0.0015;

/**
 * @param grid `{canvas, locate(x, y)}`; locate gives `{panel, x, y}`, parts of the panel, or null.
 * @param actions `{hover(place, event), leave(), pick(place), zoom(zoom), select(start, end)}`.
 */
export function listen(grid, state, actions) {
  const { canvas } = grid;
  let start = null;
  const at = (event) => {
    const box = canvas.getBoundingClientRect();
    return { x: event.clientX - box.left, y: event.clientY - box.top };
  };

  canvas.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    const place = grid.locate(at(event));
    if (!place) return;
    start = { ...at(event), place };
    canvas.setPointerCapture(event.pointerId);
  });
  canvas.addEventListener("pointermove", (event) => {
    const point = at(event);
    if (start && distance(start, point) > CLICK_DISTANCE) {
      actions.leave();
      actions.select(start.place, grid.within(start.place.panel, point));
    } else if (!start) actions.hover(grid.locate(point), event);
  });
  canvas.addEventListener("pointerup", (event) => {
    if (!start) return;
    const [from, point] = [start, at(event)];
    start = null;
    actions.select(null, null);
    if (distance(from, point) <= CLICK_DISTANCE) {
      actions.pick(from.place);
      return;
    }
    const to = grid.within(from.place.panel, point);
    const [x0, x1] = ordered(from.place.x, to.x);
    const [y0, y1] = ordered(from.place.y, to.y);
    if (x1 > x0 && y1 > y0) actions.zoom(into(state.zoom, x0, x1, y0, y1));
  });
  canvas.addEventListener("pointercancel", () => {
    start = null;
    actions.select(null, null);
  });
  canvas.addEventListener("pointerleave", () => actions.leave());
  canvas.addEventListener("dblclick", () => actions.zoom([0, 1, 0, 1]));
  canvas.addEventListener(
    "wheel",
    (event) => {
      const place = grid.locate(at(event));
      if (!place) return;
      const zoom = wheel(state.zoom, event, place);
      if (!zoom) return;
      event.preventDefault();
      actions.zoom(zoom);
    },
    { passive: false },
  );
}

/** Ctrl or Alt and wheel zoom (Alt: time alone); the wheel alone pans what is zoomed into. */
function wheel(zoom, event, place) {
  if (event.ctrlKey || event.metaKey || event.altKey) {
    const factor = Math.exp(event.deltaY * WHEEL_SPEED);
    const across = zoomed(zoom.slice(0, 2), factor, place.x);
    return [...across, ...(event.altKey ? zoom.slice(2) : zoomed(zoom.slice(2), factor, place.y))];
  }
  if (isWhole(zoom)) return null;
  const [dx, dy] = event.shiftKey ? [event.deltaY || event.deltaX, 0] : [event.deltaX, event.deltaY];
  const { width, height } = place.panel.rect;
  return [...moved(zoom.slice(0, 2), (dx / width) * (zoom[1] - zoom[0])), ...moved(zoom.slice(2), (dy / height) * (zoom[3] - zoom[2]))];
}

function distance(a, b) {
  return Math.hypot(a.x - b.x, a.y - b.y);
}

function ordered(a, b) {
  return a < b ? [a, b] : [b, a];
}
