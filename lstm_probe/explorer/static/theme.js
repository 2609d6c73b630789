// Whether the page is light or dark. TensorBoard and notebooks do not say which, so their page is
// looked at.

const LIGHT = {
  text: "#202124",
  muted: "#5f6368",
  line: "#dadce0",
  faint: "#eceff1",
  background: "#ffffff",
  panel: "#ffffff",
  accent: "#1a5fb4",
  warning: "#b3261e",
  cross: "rgba(0, 0, 0, 0.55)",
  hatch: "rgba(60, 64, 67, 0.55)",
  veil: "rgba(255, 255, 255, 0.72)",
  series: ["#0072b2", "#d55e00", "#00805a", "#b0528a", "#8f6400", "#303236"],
};
const DARK = {
  text: "#e8eaed",
  muted: "#a8adb3",
  line: "#4a4d52",
  faint: "#3a3d41",
  background: "#303030",
  panel: "#262729",
  accent: "#8ab4f8",
  warning: "#ff8a80",
  cross: "rgba(255, 255, 255, 0.65)",
  hatch: "rgba(220, 222, 226, 0.5)",
  veil: "rgba(38, 39, 41, 0.75)",
  series: ["#56b4e9", "#ff914d", "#2fc79a", "#e5a3cb", "#f2c14e", "#e8eaed"],
};

/** The colours in force, for canvases; style.css holds the same for elements. */
export let colours = LIGHT;

/** A notebook that changes its theme may load its style only then, in milliseconds. */
const LATER = 500;

/** Follows the theme around the page, and calls back when it changes. */
export function followTheme(onchange) {
  const media = window.matchMedia("(prefers-color-scheme: dark)");
  const apply = () => {
    const dark = parentIsDark() ?? media.matches;
    colours = dark ? DARK : LIGHT;
    document.documentElement.dataset.theme = dark ? "dark" : "light";
    onchange();
  };
  media.addEventListener("change", apply);
  try {
    const { body, documentElement } = window.parent.document;
    const observer = new MutationObserver(() => {
      apply();
      setTimeout(apply, LATER);
    });
    const around = window.parent === window ? [] : [body, documentElement];
    for (const element of around) observer.observe(element, { attributes: true });
  } catch {
    // Another origin: the system's preference has to do.
  }
  apply();
}

/**
 * The colour of a curve under the theme in force, to be asked for whenever it is drawn.
 *
 * @param colour the number of a gate, or the name of one of the theme's colours.
 */
export function inked(colour) {
  return typeof colour === "number" ? colours.series[colour % colours.series.length] : colours[colour];
}

/** Whether the page around is dark; null if there is none, or none that may be looked at. */
function parentIsDark() {
  try {
    if (window.parent === window) return null;
    return window.parent.document.body.classList.contains("dark-mode") || isDark(window.frameElement);
  } catch {
    return null;
  }
}

/** Whether the first background behind an element that covers what is below is a dark one. */
function isDark(element) {
  for (let at = element; at; at = at.parentElement ?? at.getRootNode().host) {
    const [red, green, blue, cover = 1] = getComputedStyle(at).backgroundColor.match(/[\d.]+/g)?.map(Number) ?? [];
    if (cover > 0.5 && red !== undefined) return 0.299 * red + 0.587 * green + 0.114 * blue < 128;
  }
  return false;
}
