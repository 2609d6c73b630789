// The report's first module.

import { App } from "./app.js";
import { el } from "./dom.js";
import { ReportSource } from "./report_source.js";

const textOf = (id) => document.getElementById(id).textContent;
const index = JSON.parse(textOf("index"));
const app = new App(new ReportSource(index, textOf));
const started = app.load();
app.attach(document.body);
document.body.append(el("footer", { class: "report-note", title: index.note }, index.note));
await started;
