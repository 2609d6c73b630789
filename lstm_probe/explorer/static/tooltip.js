// The little window beside the pointer.

import { el, fill } from "./dom.js";

const DISTANCE = 16;
const box = el("div", { class: "tooltip", role: "tooltip", hidden: true });

export function showTooltip(event, ...content) {
  if (!box.isConnected) document.body.append(box);
  fill(box, ...content);
  box.hidden = false;
  const { width, height } = box.getBoundingClientRect();
  const right = event.clientX + DISTANCE + width < window.innerWidth - 4;
  const x = right ? event.clientX + DISTANCE : event.clientX - DISTANCE - width;
  const y = Math.min(event.clientY + DISTANCE, window.innerHeight - height - 4);
  box.style.transform = `translate(${Math.max(4, x)}px, ${Math.max(4, y)}px)`;
}

export function hideTooltip() {
  box.hidden = true;
}
