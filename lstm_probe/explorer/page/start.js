// The report's first module.

import { index } from "./api.js";
import { App } from "./app.js";
import { el } from "./dom.js";

const app = new App();
const started = app.load();
app.attach(document.body);
document.body.append(el("footer", { class: "report-note", title: index.note }, index.note));
await started;
