// Elements are made here and nowhere else: texts become text nodes, never markup.

/** An element with properties, listeners (`onclick`), attributes and children. */
export function el(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "class") element.className = value;
    else if (name === "value") element.value = value;
    else element.setAttribute(name, value === true ? "" : String(value));
  }
  element.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined));
  return element;
}

/** Replaces what an element holds. */
export function fill(element, ...children) {
  element.replaceChildren(...children.flat(Infinity).filter((child) => child !== null && child !== undefined));
  return element;
}

/** A drop-down list; `options` are strings or `[value, text]`. */
export function choice(label, options, value, onchange, extra = {}) {
  const select = el("select", { "aria-label": label, title: extra.title, onchange: () => onchange(select.value) });
  setOptions(select, options, value);
  if (!extra.caption) return { element: select, select };
  return { element: el("label", { class: "field" }, el("span", {}, extra.caption), select), select };
}

/** Gives a drop-down list new options, without touching it when they are the same. */
export function setOptions(select, options, value) {
  const pairs = options.map((option) => (Array.isArray(option) ? option : [option, option]));
  const signature = JSON.stringify(pairs);
  if (select.dataset.signature !== signature) {
    select.dataset.signature = signature;
    fill(select, pairs.map(([key, text]) => el("option", { value: key }, text)));
  }
  select.value = value;
}

export function button(label, text, onclick, extra = {}) {
  return el("button", { type: "button", "aria-label": label, title: label, onclick, ...extra }, text);
}

const PATHS = {
  play: "M4 2.5v11l9-5.5z",
  pause: "M4 3h3v10H4zM9 3h3v10H9z",
  next: "M4 3v10l6.5-5zM11 3h2v10h-2z",
  before: "M12 3v10L5.5 8zM3 3h2v10H3z",
  first: "M13.5 3v10L8 8zM8 3v10L2.5 8zM1 3h1.5v10H1z",
};

/** A small picture for a button, in the colour of its text. */
export function icon(name) {
  const space = "http://www.w3.org/2000/svg";
  const svg = document.createElementNS(space, "svg");
  for (const [key, value] of Object.entries({ viewBox: "0 0 16 16", width: 14, height: 14, "aria-hidden": "true", fill: "currentColor" })) svg.setAttribute(key, value);
  const path = document.createElementNS(space, "path");
  path.setAttribute("d", PATHS[name]);
  svg.append(path);
  return svg;
}
