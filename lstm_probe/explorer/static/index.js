// The first module of the tab. TensorBoard calls `render` once.

// All modules are asked for at once. If the browser found them one by one, import by import, it would
// take several times as long.
const MODULES = [
  "alerts", "app", "cache", "canvas", "capture", "chart", "colour", "comparison", "computes_view", "crosshair", "data", "dom", "explanations", "format", "frames", "gates_view", "gradient_view", "groups", "half",
  "heat", "http_source", "inspector", "keys", "layout", "link", "live", "memory_view", "menu", "messages", "metrics", "order", "outcomes", "panel", "panels", "parity_view",
  "pointer", "probe_data", "probe_view", "raster", "readout", "run_picker", "safetensors", "saturation_view", "save", "scale", "scatter", "sentences", "sheet", "slider",
  "source", "state", "strips", "svg", "tensorboard_source", "theme", "ticks", "toolbar", "tooltip", "training_chart", "verdict", "weights_view", "zoom",
];

export async function render() {
  document.documentElement.lang = "en";
  document.title = "lstm_probe";
  for (const name of MODULES) document.head.append(linked("modulepreload", `./static/${name}.js`));
  const style = linked("stylesheet", "./static/style.css");
  const styled = new Promise((resolve) => {
    style.addEventListener("load", resolve);
    style.addEventListener("error", resolve);
  });
  document.head.append(style);
  const runs = fetch("runs"); // answered while the modules are on their way
  runs.catch(() => {});
  const [{ App }, { Link }, { TensorBoardSource }] = await Promise.all([import("./app.js"), import("./link.js"), import("./tensorboard_source.js")]);
  const app = new App(new TensorBoardSource({ runs }), new Link(() => window.parent));
  const started = app.load();
  await styled;
  app.attach(document.body);
  await started;
}

function linked(relation, address) {
  const link = document.createElement("link");
  link.rel = relation;
  link.href = address;
  return link;
}
