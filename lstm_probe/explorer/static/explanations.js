// What each view shows, what healthy and ill look like in it, and what to try: the text behind "?".

import { el } from "./dom.js";

const TEXTS = {
  gates: {
    title: "Gates",
    shows: "Every gate of the layer for one sequence of the probe: a row for each unit, a column for each timestep. Gates run from red (0, shut) over white to blue (1, open), the candidate g and the output h from red (−1) to blue (1); the cell state c has no bounds, and a scale of its own.",
    healthy: "Units differ from each other and change along the sequence. Some keep their forget gate blue over long stretches: they remember.",
    ill: "One colour in a whole panel: a gate that is always shut or always open passes no gradient. Rows of h that stay white are dead units. A forget gate that is white or red everywhere has forgotten the past after a few steps.",
    advice: "Against saturation a lower learning rate, smaller initial weights and inputs of unit variance. For a longer memory a larger bias of the forget gate: log(2) to log(length), unit by unit.",
  },
  parity: {
    title: "Parity",
    shows: "How far the framework’s output is from NumPy’s recomputation of the same layer. It is the proof that the other views are true.",
    healthy: "A match: every error stays below the tolerance, which is what rounding explains.",
    ill: "A mismatch: the framework computes something else than the pictures show. An error that grows along the sequence feeds on itself; one that begins at a certain timestep or unit says where to look.",
    advice: "The verdict names the convention that would explain it, if one does. A cell of your own becomes known by register_cell. “Reduced precision” is no fault: the framework computes in fewer digits.",
  },
  saturation: {
    title: "Saturation",
    shows: "A dot for each unit: how often its gate is below 0.1 (to the right) and above 0.9 (upwards), averaged over all sequences of the probe. Below it the same over the training.",
    healthy: "Dots spread out between the corners. Those of a forget gate may well stand at the top: open, it remembers.",
    ill: "All dots on the diagonal, in a corner: these gates are nearly always at one of their ends, where the slope of a sigmoid is zero, so that they learn no more.",
    advice: "A lower learning rate and smaller initial weights, from the start; inputs of unit variance where they are large.",
  },
  gradient: {
    title: "Gradient",
    shows: "How strongly the last state depends on the state at each earlier timestep, averaged over all sequences of the probe. The axis is logarithmic.",
    healthy: "A level line, or one that falls slowly: what happened early can still be learned from.",
    ill: "A line that falls steeply to the left: the gradient vanishes, and early steps teach nothing. One that rises to the left by powers of ten explodes.",
    advice: "If it vanishes, a larger bias of the gate that keeps; in a plain recurrent layer relu with an identity as recurrent kernel, or an LSTM. If it explodes, clipnorm=1.0 and a smaller or orthogonal recurrent kernel.",
  },
  memory: {
    title: "Memory",
    shows: "The horizon of each unit: after how many steps its memory has faded to 1/e, if its gate stays at its mean over all sequences of the probe: −1 / log(mean).",
    healthy: "A few units reach as far as the task needs; short horizons beside them are normal.",
    ill: "Even the longest horizon is far below the distance that the task has to bridge, and the loss stands still.",
    advice: "Biases of the gate that keeps from log(2) to log(length), unit by unit (chrono initialisation). How far the memory must reach is for the task to say.",
  },
  weights: {
    title: "Weights",
    shows: "Kernel, recurrent kernel and bias of each gate, in colours that all gates share. They are logged with detail=\"full\".",
    healthy: "No row or column stands out from all others, and the pattern changes slowly over the training.",
    ill: "Columns of zeros are units that nothing reaches. Weights that grow with every capture drive their gates into saturation.",
    advice: "Weight decay or a lower learning rate against growth. An input whose row is all zeros is one that the layer does not use.",
  },
  probe: {
    title: "Probe",
    shows: "All sequences of the probe at once: one unit as a heatmap of sequences over timesteps, its means by class and by label, and a table of what the model gives beside what it is to give, with probe=(x, y).",
    healthy: "Some units tell the classes apart: their rows differ from class to class from some timestep on, and more sequences are right from capture to capture.",
    ill: "No unit differs between the classes, or each differs at the last timestep alone: the layer does not hold on to what matters. Sequences that stay wrong while others become right may have something in common, which their rows and words show.",
    advice: "Look at the gates of a sequence that is wrong beside one that is right, at the timestep where their rows part. Choose a probe with several sequences of each class.",
  },
  computes: {
    title: "Computes",
    shows: "What the analyses found at the newest step that was analysed: units by the effect of taking them away; series that a unit follows; the steps and features that a unit or an output comes from; the lags that the target needs; eigenvalues of a step; the way of h on its first two principal axes; and how its exponent and states changed over the training. Sentences tell the evidence.",
    healthy: "A few units matter much more than the others, and follow something that you can name. The longest memory reaches as far as the largest lag that matters. Classes end apart, and the similarity with the last capture rises to 1.",
    ill: "No unit matters: the model hardly uses the layer. Lags that matter lie above every horizon: what the task needs is forgotten. Eigenvalues far outside of the circle, along the probe, and exponents above 0: small changes grow. Ways of all classes that end at one place: what tells them apart is lost.",
    advice: "A probe of several sequences says more: from seven on, what a unit follows can be told from chance. Series of your own and a target are given to lstm_probe.explain; the callback’s probe may be (inputs, targets). analyses_every=k analyses every k-th capture too.",
  },
};

/** @param view its name, as in a link. */
export function explanation(view) {
  const { title, shows, healthy, ill, advice } = TEXTS[view];
  const parts = [["It shows", shows], ["Healthy", healthy], ["Ill", ill], ["Try", advice]];
  return [el("h3", {}, `The view ${title}`), el("dl", { class: "explanation" }, parts.flatMap(([name, text]) => [el("dt", {}, name), el("dd", {}, text)]))];
}
