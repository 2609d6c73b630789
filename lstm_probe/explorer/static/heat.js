// One matrix as a heatmap with axes, a colour bar and a readout: training steps over timesteps,
// units over timesteps, weights.

import { line, separator, sized } from "./canvas.js";
import { el } from "./dom.js";
import { drawPanel, FONT, TITLE_HEIGHT } from "./panel.js";
import { matrixRaster } from "./raster.js";
import { colours } from "./theme.js";
import { hideTooltip, showTooltip } from "./tooltip.js";

const WHOLE = [0, 1, 0, 1];
const LEFT = 46;
const STRIP = 8;

export class Heat {
  constructor(label, height = 220) {
    this.height = height;
    this.canvas = el("canvas", { role: "img", "aria-label": label });
    this.element = el("div", { class: "heat" }, this.canvas);
    this.canvas.addEventListener("pointermove", (event) => this.#hover(event));
    this.canvas.addEventListener("pointerleave", () => hideTooltip());
    this.canvas.addEventListener("click", (event) => {
      const cell = this.#cell(event);
      if (cell && this.options.pick) this.options.pick(cell.row, cell.column);
    });
  }

  /**
   * @param options `{title, rows, columns, value(row, column), map, scale, rowName(row),
   *   columnName(column), text(row, column), xLabel, yLabel, at, strip(column), blank(row, column), pick,
   *   groups: [{name, count}], left}`, the room for names of groups.
   */
  show(options) {
    this.options = options;
    this.canvas.style.cursor = options.pick ? "pointer" : "crosshair";
    this.raster = options.rows && options.columns ? matrixRaster(options.rows, options.columns, options.value, options.map, options.scale) : null;
    this.draw();
  }

  /** Says in the picture's place why there is none. */
  explain(title, message) {
    this.raster = null;
    this.options = { title, message };
    this.draw();
  }

  draw() {
    if (!this.options) return;
    const { options } = this;
    const width = this.element.clientWidth || 380;
    const context = sized(this.canvas, width, this.height);
    const strip = options.strip ? STRIP + 3 : 0;
    const left = options.left ?? LEFT;
    this.rect = { x: left, y: TITLE_HEIGHT + strip, width: width - left - 8, height: this.height - TITLE_HEIGHT - strip - 34 };
    drawPanel(
      context,
      {
        rect: this.rect,
        raster: this.raster,
        above: strip,
        title: options.title,
        letter: options.letter,
        message: options.message,
        scale: options.scale,
        rowLabels: options.rowName,
        columnLabels: options.columnName ? { width: 34, upright: false, text: options.columnName } : null,
      },
      WHOLE,
      options.map,
    );
    if (this.raster) this.#decorate(context);
  }

  #decorate(context) {
    const { rect, options } = this;
    context.font = FONT;
    context.fillStyle = colours.muted;
    context.textAlign = "center";
    if (options.xLabel) context.fillText(options.xLabel, rect.x + rect.width / 2, rect.y + rect.height + 28);
    if (options.yLabel) {
      context.save();
      context.translate(11, rect.y + rect.height / 2);
      context.rotate(-Math.PI / 2);
      context.fillText(options.yLabel, 0, 0);
      context.restore();
    }
    const width = rect.width / options.columns;
    if (options.blank) this.#blanks(context, width);
    if (options.groups) this.#groups(context);
    if (options.strip) {
      for (let column = 0; column < options.columns; column++) {
        context.fillStyle = options.strip(column);
        context.fillRect(rect.x + column * width, rect.y - STRIP - 2, width + 0.5, STRIP);
      }
    }
    if (options.at >= 0) {
      context.strokeStyle = "#ffb300";
      context.lineWidth = 2;
      context.strokeRect(rect.x + options.at * width, rect.y, Math.max(2, width), rect.height);
    }
  }

  /** Cells that say nothing, such as masked steps. */
  #blanks(context, width) {
    const { rect, options } = this;
    const height = rect.height / options.rows;
    context.fillStyle = colours.panel;
    for (let row = 0; row < options.rows; row++) {
      for (let column = 0; column < options.columns; column++) {
        if (options.blank(row, column)) context.fillRect(rect.x + column * width - 0.25, rect.y + row * height - 0.25, width + 0.75, height + 0.75);
      }
    }
  }

  /** Rows that belong together, with their name beside them. */
  #groups(context) {
    const { rect, options } = this;
    const height = rect.height / options.rows;
    context.font = FONT;
    context.textAlign = "right";
    let row = 0;
    let free = rect.y;
    for (const { name, count } of options.groups) {
      const y = rect.y + row * height;
      if (row) {
        line(context, rect.x - 4, y, rect.x, y, colours.text);
        separator(context, rect.x, rect.x + rect.width, y);
      }
      const middle = y + (count * height) / 2;
      context.fillStyle = colours.muted;
      if (middle - 5 >= free) {
        context.fillText(name, rect.x - 5, middle + 4);
        free = middle + 6;
      }
      row += count;
    }
  }

  #cell(event) {
    if (!this.raster) return null;
    const box = this.canvas.getBoundingClientRect();
    const x = (event.clientX - box.left - this.rect.x) / this.rect.width;
    const y = (event.clientY - box.top - this.rect.y) / this.rect.height;
    if (x < 0 || x >= 1 || y < 0 || y >= 1) return null;
    return { row: Math.floor(y * this.raster.rows), column: Math.floor(x * this.raster.columns) };
  }

  #hover(event) {
    const cell = this.#cell(event);
    if (!cell) hideTooltip();
    else showTooltip(event, ...this.options.text(cell.row, cell.column).map((line, index) => el(index ? "div" : "strong", {}, line)));
  }
}

/** The smallest and the largest of the positive, finite values; a decade where there are none. */
export function positiveExtent(values) {
  let [low, high] = [Infinity, 0];
  for (const value of values) {
    if (!(value > 0) || value === Infinity) continue;
    low = Math.min(low, value);
    high = Math.max(high, value);
  }
  if (low > high) return [0.1, 1];
  return low === high ? [low / 10, high] : [low, high];
}
