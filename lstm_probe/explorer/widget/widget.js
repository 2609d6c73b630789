// The widget, as anywidget opens it. MODULES and STYLE stand above: the page's modules, each after those
// that it imports, and its style.
//
// The page lives in a frame of its own, so that neither its style nor its keys meet the notebook's. No
// script runs in the frame, which some notebooks would forbid: the modules run here, and `document` and
// `window` in them are the frame's.

let frames = 0;

/** The modules that a module needs, and itself, with a `window` of their own. Returns its exports. */
async function imported(name, window) {
  const place = `lstm_probe_frame_${++frames}`;
  globalThis[place] = { window, document: window?.document };
  const addresses = new Map();
  try {
    for (const [each, source] of Object.entries(MODULES)) {
      const text = source.replace(/from "\.\/(\w+\.js)"/g, (_, other) => `from "${addresses.get(other)}"`);
      const script = `const { window, document } = globalThis.${place};\n${text}`;
      addresses.set(each, URL.createObjectURL(new Blob([script], { type: "text/javascript" })));
    }
    return await import(addresses.get(name));
  } finally {
    addresses.forEach((address) => URL.revokeObjectURL(address));
    delete globalThis[place];
  }
}

/** What has been said to a model before its first cell is shown is kept: the source listens at once. */
const sources = new WeakMap();

function sourceOf(model) {
  if (!sources.has(model)) {
    const early = [];
    const note = (...said) => early.push(said);
    model.on("msg:custom", note);
    const loading = imported("comm_source.js", null).then(({ CommSource }) => {
      model.off("msg:custom", note);
      const source = new CommSource(model);
      for (const said of early) source.heard(...said);
      return source;
    });
    sources.set(model, loading);
  }
  return sources.get(model);
}

export default {
  initialize({ model }) {
    sourceOf(model);
  },

  render({ model, el }) {
    const frame = document.createElement("iframe");
    frame.title = "The gates of a training";
    const resize = () => (frame.style.cssText = `width: 100%; height: ${model.get("height")}px; border: 0; display: block`);
    resize();
    model.on("change:height", resize);
    // A notebook may take a cell out of the page and put it back, which empties the frame.
    const fill = async () => {
      const { contentWindow: inner, contentDocument: page } = frame;
      if (!page || page.body?.dataset.lstmProbe) return;
      page.body.dataset.lstmProbe = "filled";
      const style = page.createElement("style");
      style.textContent = STYLE;
      page.head.append(style);
      const [source, { start }] = await Promise.all([sourceOf(model), imported("notebook.js", inner)]);
      await start(model, source);
    };
    frame.addEventListener("load", fill);
    el.append(frame);
    fill();
    return () => model.off("change:height", resize);
  },
};
