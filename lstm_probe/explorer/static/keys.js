// Keys that work wherever the focus is, as long as nothing else wants them.

export function listenKeys(app) {
  document.addEventListener("keydown", (event) => {
    const own = event.target.closest?.("input, select, textarea, summary, [role=application], .menu-panel");
    if (own || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target.closest?.("button, a") && [" ", "Enter"].includes(event.key)) return;
    const action = {
      ArrowLeft: () => app.slider.move(-1),
      ArrowRight: () => app.slider.move(1),
      Home: () => app.go(0),
      End: () => app.go(app.steps.length - 1),
      " ": () => app.slider.toggle(),
      "?": () => app.toolbar.help.toggle(),
    }[event.key];
    if (!action) return;
    action();
    event.preventDefault();
  });
}
