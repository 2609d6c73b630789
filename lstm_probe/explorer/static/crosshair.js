// What lies over the heatmaps: crosshairs of the hovered and the chosen cell in every panel, and the
// rectangle that is being drawn.

import { position } from "./capture.js";
import { visible } from "./panel.js";

const MARK = "#ffb300";

/**
 * @param canvas the transparent one above the picture.
 * @param chosen `{unit, time}`, original indices, or null each.
 * @param hovered `{t, row}`, or null.
 * @param drag `{from, to}`, places of a panel, or null.
 */
export function drawOverlay(canvas, sections, zoom, chosen, hovered, drag) {
  const context = canvas.getContext("2d");
  context.clearRect(0, 0, canvas.width, canvas.height);
  for (const panel of sections.flatMap((section) => section.panels)) {
    if (!panel.raster) continue;
    if (chosen.unit !== null && chosen.time !== null) {
      const u = position(panel.capture.unitIndices(panel.letter), chosen.unit);
      cross(context, panel, zoom, position(panel.capture.timesteps, chosen.time), panel.order.indexOf(u), true);
    }
    if (hovered) cross(context, panel, zoom, hovered.t, hovered.row, false);
  }
  if (drag) rectangle(context, drag.from, drag.to);
}

function cross(context, panel, zoom, t, row, chosen) {
  const { rect } = panel;
  const { left, right, top, bottom } = visible(panel.raster, zoom);
  const [sx, sy] = [rect.width / (right - left), rect.height / (bottom - top)];
  const [x, y] = [rect.x + (t - left) * sx, rect.y + (row - top) * sy];
  context.save();
  context.beginPath();
  context.rect(rect.x, rect.y, rect.width, rect.height);
  context.clip();
  context.lineWidth = 1;
  // Light beside dark: one of the two shows on every colour.
  for (const [colour, dash, shift] of [["rgba(255, 255, 255, 0.7)", [], 1], ["rgba(0, 0, 0, 0.65)", chosen ? [] : [3, 3], 0]]) {
    context.strokeStyle = colour;
    context.setLineDash(dash);
    context.strokeRect(rect.x - 2, y - shift, rect.width + 4, sy + 2 * shift);
    context.strokeRect(x - shift, rect.y - 2, sx + 2 * shift, rect.height + 4);
  }
  if (chosen) {
    context.lineWidth = 2;
    context.strokeStyle = MARK;
    context.strokeRect(x - 1, y - 1, Math.max(4, sx) + 2, Math.max(4, sy) + 2);
  }
  context.restore();
}

function rectangle(context, from, to) {
  const { rect } = from.panel;
  const [x, y] = [rect.x + from.x * rect.width, rect.y + from.y * rect.height];
  const size = [rect.x + to.x * rect.width - x, rect.y + to.y * rect.height - y];
  context.fillStyle = "rgba(255, 179, 0, 0.25)";
  context.fillRect(x, y, ...size);
  context.strokeStyle = MARK;
  context.lineWidth = 1.5;
  context.strokeRect(x, y, ...size);
}
