// Little windows that a button opens: keyboards reach them, Escape and a click elsewhere close them.

import { el } from "./dom.js";

export function menu(label, text, ...content) {
  const summary = el("summary", { "aria-label": label, title: label }, text);
  const panel = el("div", { class: "menu-panel" }, ...content);
  const details = el("details", { class: "menu" }, summary, panel);
  document.addEventListener("pointerdown", (event) => {
    if (details.open && !details.contains(event.target)) details.open = false;
  });
  details.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || !details.open) return;
    details.open = false;
    summary.focus();
    event.stopPropagation();
  });
  const toggle = () => {
    details.open = !details.open;
    if (details.open) summary.focus(); // so that Escape closes it
  };
  return { element: details, summary, panel, toggle };
}
