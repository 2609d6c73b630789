// What is drawn on canvases, as the elements of an SVG: curves, axes and words stay shapes and words,
// and a heatmap is a picture of one pixel a cell.

/** Number of a clip path, so that each has an id of its own. */
let clips = 0;

/** Draws on a canvas as ever, and notes everything as SVG in `elements`. */
export class Pen {
  elements = [];
  #context;
  #ratio;
  #path = "";
  #clips = [];
  #saved = [];

  /** @param context that of a canvas whose pixels are `ratio` for each CSS pixel. */
  constructor(context, ratio) {
    this.#context = context;
    this.#ratio = ratio;
  }

  /** A context in the eyes of those who draw. */
  get context() {
    const noted = this;
    return new Proxy(this.#context, {
      get(context, name) {
        const value = context[name];
        if (typeof value !== "function") return value;
        return (...given) => {
          if (NOTED.includes(name)) noted[name](...given);
          return context[name](...given);
        };
      },
      set(context, name, value) {
        context[name] = value;
        return true;
      },
    });
  }

  save() {
    this.#saved.push([...this.#clips]);
  }

  restore() {
    this.#clips = this.#saved.pop() ?? [];
  }

  beginPath() {
    this.#path = "";
  }

  moveTo(x, y) {
    this.#path += `M${round(x)} ${round(y)}`;
  }

  lineTo(x, y) {
    this.#path += `${this.#path ? "L" : "M"}${round(x)} ${round(y)}`;
  }

  rect(x, y, width, height) {
    this.#path += `M${round(x)} ${round(y)}h${round(width)}v${round(height)}h${round(-width)}z`;
  }

  arc(x, y, radius, from, to) {
    const [dx, dy] = [radius * Math.cos(from), radius * Math.sin(from)];
    const large = to - from > Math.PI ? 1 : 0;
    if (to - from >= 2 * Math.PI - 1e-6) this.#path += `M${round(x - radius)} ${round(y)}a${radius} ${radius} 0 1 1 ${2 * radius} 0a${radius} ${radius} 0 1 1 ${-2 * radius} 0z`;
    else this.#path += `M${round(x + dx)} ${round(y + dy)}A${radius} ${radius} 0 ${large} 1 ${round(x + radius * Math.cos(to))} ${round(y + radius * Math.sin(to))}`;
  }

  clip() {
    this.#clips.push({ path: this.#path, matrix: this.#matrix() });
  }

  fill() {
    this.#note("path", { d: this.#path, fill: this.#context.fillStyle });
  }

  stroke() {
    this.#note("path", { d: this.#path, ...this.#line() });
  }

  fillRect(x, y, width, height) {
    this.#note("rect", { x: round(x), y: round(y), width: round(width), height: round(height), fill: this.#context.fillStyle });
  }

  strokeRect(x, y, width, height) {
    this.#note("rect", { x: round(x), y: round(y), width: round(width), height: round(height), ...this.#line() });
  }

  fillText(text, x, y) {
    const { font, fillStyle, textAlign, textBaseline } = this.#context;
    const anchor = { center: "middle", right: "end", end: "end" }[textAlign] ?? "start";
    const baseline = { middle: "central", top: "text-before-edge", hanging: "hanging", bottom: "text-after-edge" }[textBaseline] ?? "auto";
    this.#note("text", { x: round(x), y: round(y), style: `font: ${font}`, fill: fillStyle, "text-anchor": anchor, "dominant-baseline": baseline }, escaped(text));
  }

  drawImage(source, ...numbers) {
    const whole = numbers.length < 8;
    const [sx, sy, sw, sh] = whole ? [0, 0, source.width, source.height] : numbers;
    const [x, y, width, height] = whole ? [numbers[0], numbers[1], numbers[2] ?? sw, numbers[3] ?? sh] : numbers.slice(4);
    if (!(sw > 0 && sh > 0)) return;
    // Cells that are seen in part are taken whole, and the frame cuts what hangs over.
    const [left, top] = [Math.floor(sx), Math.floor(sy)];
    const [across, down] = [Math.ceil(sx + sw) - left, Math.ceil(sy + sh) - top];
    const part = Object.assign(document.createElement("canvas"), { width: across, height: down });
    part.getContext("2d").drawImage(source, -left, -top);
    const style = this.#context.imageSmoothingEnabled ? "" : "image-rendering: pixelated";
    const image = element("image", { width: across, height: down, preserveAspectRatio: "none", style, href: part.toDataURL() });
    const seen = [sx - left, sy - top, sw, sh].map(round).join(" ");
    this.#note("svg", { x: round(x), y: round(y), width: round(width), height: round(height), viewBox: seen, preserveAspectRatio: "none" }, image);
  }

  #line() {
    const { strokeStyle, lineWidth } = this.#context;
    return { fill: "none", stroke: strokeStyle, "stroke-width": lineWidth, "stroke-dasharray": this.#context.getLineDash().join(" ") };
  }

  #matrix() {
    const { a, b, c, d, e, f } = this.#context.getTransform();
    const numbers = [a, b, c, d, e, f].map((each) => round(each / this.#ratio));
    return numbers.join(" ") === "1 0 0 1 0 0" ? "" : `matrix(${numbers.join(" ")})`;
  }

  #note(tag, attributes, inside = "") {
    const { globalAlpha } = this.#context;
    const whole = { transform: this.#matrix(), opacity: globalAlpha === 1 ? "" : globalAlpha };
    let noted = element(tag, attributes, inside);
    if (Object.values(whole).some((value) => value !== "")) noted = element("g", whole, noted);
    for (const { path, matrix } of this.#clips) {
      const id = `clip${++clips}`;
      const shape = element("clipPath", { id }, element("path", { d: path, transform: matrix }));
      noted = `${shape}${element("g", { "clip-path": `url(#${id})` }, noted)}`;
    }
    this.elements.push(noted);
  }
}

/** What a pen notes of a context's functions. */
const NOTED = ["save", "restore", "beginPath", "moveTo", "lineTo", "rect", "arc", "clip", "fill", "stroke", "fillRect", "strokeRect", "fillText", "drawImage"];

/** An element as text; attributes that are empty are left out. */
export function element(tag, attributes, ...inside) {
  const given = Object.entries(attributes).filter(([, value]) => value !== "");
  return `<${tag}${given.map(([name, value]) => ` ${name}="${escaped(value)}"`).join("")}>${inside.join("")}</${tag}>`;
}

/** Any text as text of XML; what XML cannot hold is left out. */
export function escaped(text) {
  const plain = String(text).replace(/[^\t\n\r\u{20}-\u{d7ff}\u{e000}-\u{fffd}\u{10000}-\u{10ffff}]/gu, "");
  return plain.replace(/[&<>"]/g, (letter) => ({ "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" })[letter]);
}

function round(number) {
  return Math.round(number * 100) / 100;
}
