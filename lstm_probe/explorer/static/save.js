// The view as a picture: all its canvases and captions, where they stand on the page.

import { colours } from "./theme.js";

const MARGIN = 12;
const TITLE = 28;

/** Saves everything in an element that is drawn or marked `data-print`. */
export async function saveView(element, title, name) {
  const blob = await picture(element, title);
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name.replace(/[^A-Za-z0-9.-]+/g, "_");
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

function picture(element, title) {
  const box = element.getBoundingClientRect();
  const ratio = window.devicePixelRatio || 1;
  const canvas = document.createElement("canvas");
  canvas.width = Math.round((element.scrollWidth + 2 * MARGIN) * ratio);
  canvas.height = Math.round((element.scrollHeight + 2 * MARGIN + TITLE) * ratio);
  const context = canvas.getContext("2d");
  context.scale(ratio, ratio);
  context.fillStyle = colours.panel;
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.fillStyle = colours.text;
  context.font = "600 14px Roboto, 'Helvetica Neue', Arial, sans-serif";
  context.fillText(title, MARGIN, MARGIN + 14);
  for (const part of element.querySelectorAll("canvas, [data-print]")) {
    const place = part.getBoundingClientRect();
    const x = place.left - box.left + element.scrollLeft + MARGIN;
    const y = place.top - box.top + element.scrollTop + MARGIN + TITLE;
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
