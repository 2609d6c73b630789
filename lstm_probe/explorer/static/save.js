// The view as a picture: all its canvases and captions, where they stand on the page.

import { penned } from "./canvas.js";
import { element as svg, escaped } from "./svg.js";
import { colours } from "./theme.js";

const MARGIN = 12;
const TITLE = 28;
const HEADING = "600 14px Roboto, 'Helvetica Neue', Arial, sans-serif";

/** Saves everything in an element that is drawn or marked `data-print`, as PNG. */
export async function saveView(element, title, name) {
  save(await picture(element, title), name);
}

/**
 * Saves the same as SVG.
 *
 * @param draw draws all canvases of the element.
 */
export function saveSvg(element, title, name, draw) {
  save(new Blob([drawing(element, title, draw)], { type: "image/svg+xml" }), name);
}

function save(blob, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name.replace(/[^A-Za-z0-9.-]+/g, "_");
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

/** The canvases and captions of an element, each with its place in the picture. */
function parts(element) {
  const box = element.getBoundingClientRect();
  return Array.from(element.querySelectorAll("canvas, [data-print]"), (part) => {
    const place = part.getBoundingClientRect();
    return { part, place, x: place.left - box.left + element.scrollLeft + MARGIN, y: place.top - box.top + element.scrollTop + MARGIN + TITLE };
  });
}

function drawing(element, title, draw) {
  const pens = penned(draw);
  const [width, height] = [element.scrollWidth + 2 * MARGIN, element.scrollHeight + 2 * MARGIN + TITLE];
  const words = (x, y, text, font) => svg("text", { x, y, fill: colours.text, style: `font: ${font}` }, escaped(text));
  const inside = parts(element).map(({ part, place, x, y }) => {
    if (part.tagName !== "CANVAS") return words(x, y + place.height * 0.75, part.textContent, window.getComputedStyle(part).font);
    return svg("g", { transform: `translate(${x} ${y})` }, ...(pens.get(part)?.elements ?? []));
  });
  const paper = svg("rect", { width, height, fill: colours.panel });
  return svg("svg", { xmlns: "http://www.w3.org/2000/svg", width, height, viewBox: `0 0 ${width} ${height}` }, paper, words(MARGIN, MARGIN + 14, title, HEADING), ...inside);
}

function picture(element, title) {
  const ratio = window.devicePixelRatio || 1;
  const canvas = document.createElement("canvas");
  canvas.width = Math.round((element.scrollWidth + 2 * MARGIN) * ratio);
  canvas.height = Math.round((element.scrollHeight + 2 * MARGIN + TITLE) * ratio);
  const context = canvas.getContext("2d");
  context.scale(ratio, ratio);
  context.fillStyle = colours.panel;
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.fillStyle = colours.text;
  context.font = HEADING;
  context.fillText(title, MARGIN, MARGIN + 14);
  for (const { part, place, x, y } of parts(element)) {
    if (part.tagName === "CANVAS") {
      if (part.width && part.height) context.drawImage(part, x, y, place.width, place.height);
    } else {
      context.font = window.getComputedStyle(part).font;
      context.fillStyle = colours.text;
      context.fillText(part.textContent, x, y + place.height * 0.75);
    }
  }
  return new Promise((resolve) => canvas.toBlob(resolve, "image/png"));
}
