// Which loss and metrics a training has logged.

/** How the names of what was measured on other data begin. */
export const VALIDATION = "val_";

/** The names of what was logged, the loss first, those of the validation with those of the training. */
export function metricsOf(captures) {
  const names = new Set(captures.flatMap(({ training }) => Object.keys(training ?? {})).map((name) => (name.startsWith(VALIDATION) ? name.slice(VALIDATION.length) : name)));
  return [...names].sort((a, b) => (b === "loss") - (a === "loss") || (a < b ? -1 : 1));
}
