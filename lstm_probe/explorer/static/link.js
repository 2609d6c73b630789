// The address bar of a window holds the view: in TensorBoard's tab that of TensorBoard's own window,
// elsewhere that of the page itself.

const PREFIX = "#lstm_probe";
const DELAY = 200;

export class Link {
  #window;
  #timer = 0;

  /** @param find a function that returns the window; it may fail, in a frame of somebody else's page. */
  constructor(find = () => window) {
    this.#window = find;
  }

  /** The parameters in the address that the page was opened with. */
  read() {
    try {
      return parametersOf(this.#window().location.hash);
    } catch {
      return "";
    }
  }

  /** The full address of a view. */
  to(parameters) {
    const hash = parameters ? `${PREFIX}&${parameters}` : PREFIX;
    try {
      return `${this.#window().location.href.split("#")[0]}${hash}`;
    } catch {
      return hash;
    }
  }

  /** Shows a view's address in the address bar, without adding to the browser's history. */
  write(parameters) {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      try {
        const { location, history } = this.#window();
        // The reader may have gone to another tab meanwhile.
        if (location.hash && !location.hash.startsWith(PREFIX)) return;
        history.replaceState(history.state, "", this.to(parameters));
      } catch {
        // The link button still works.
      }
    }, DELAY);
  }
}

/** The parameters in the last part of an address; none if it is not one of ours. */
export function parametersOf(hash) {
  return hash.startsWith(PREFIX) ? hash.slice(PREFIX.length + 1) : "";
}
