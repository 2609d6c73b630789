// The served page's first module.

import { App } from "./app.js";
import { ServerSource } from "./server_source.js";

const token = new URLSearchParams(window.location.search).get("token") ?? "";
const app = new App(new ServerSource({ token }));
const started = app.load();
app.attach(document.body);
await started;
