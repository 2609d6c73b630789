// The page in a cell: what a report's `start.js` is to a report.

import { App } from "./app.js";
import { parametersOf } from "./link.js";
import { State } from "./state.js";

/** The view is kept with the notebook. A link is the end of one, which every other home understands. */
class ModelLink {
  #model;
  #timer = 0;
  written = "";

  constructor(model) {
    this.#model = model;
  }

  read() {
    const view = this.#model.get("view");
    return parametersOf(view) || view;
  }

  to(parameters) {
    return `#lstm_probe&${parameters}`;
  }

  write(parameters) {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.written = parameters;
      this.#model.set("view", parameters);
      this.#model.save_changes();
    }, 500);
  }
}

/** Opens the page in the frame whose `document` this module was given. */
export async function start(model, source) {
  document.documentElement.lang = "en";
  document.title = "lstm_probe";
  const wished = /(^|&)run=/.test(model.get("view"));
  const link = new ModelLink(model);
  const app = new App(source, link);
  const started = app.load();
  app.attach(document.body);
  await started;
  model.on("change:view", () => {
    const view = model.get("view");
    if (view !== link.written) app.state.set(State.decode(parametersOf(view) || view));
  });
  if (!wished) followProbe(app, source);
}

/** The run that the probe begins to write is what this cell was made for. */
function followProbe(app, source) {
  let followed = null;
  const follow = async () => {
    const { opened } = source;
    if (!opened || opened === followed) return;
    if (!app.data.run(opened)) await app.data.loadRuns();
    if (!app.data.run(opened)) return;
    followed = opened;
    if (app.state.run !== opened) await app.chooseRun(opened);
  };
  source.watch(follow);
}
