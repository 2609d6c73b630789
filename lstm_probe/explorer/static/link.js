// The address bar of TensorBoard's own window holds the view.

const PREFIX = "#lstm_probe";
const DELAY = 200;
let timer = 0;

/** The parameters in the address that the page was opened with. */
export function readLink() {
  try {
    const hash = window.parent.location.hash;
    return hash.startsWith(PREFIX) ? hash.slice(PREFIX.length + 1) : "";
  } catch {
    return ""; // in a frame of somebody else's page
  }
}

/** The full address of a view. */
export function linkTo(parameters) {
  const hash = parameters ? `${PREFIX}&${parameters}` : PREFIX;
  try {
    return `${window.parent.location.href.split("#")[0]}${hash}`;
  } catch {
    return hash;
  }
}

/** Shows a view's address in the address bar, without adding to the browser's history. */
export function writeLink(parameters) {
  clearTimeout(timer);
  timer = setTimeout(() => {
    try {
      const { hash } = window.parent.location;
      // The reader may have gone to another tab meanwhile.
      if (hash && !hash.startsWith(PREFIX)) return;
      window.parent.history.replaceState(window.parent.history.state, "", linkTo(parameters));
    } catch {
      // The link button still works.
    }
  }, DELAY);
}
