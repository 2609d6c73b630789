// What two captures of a layer have in common, and in words why the rest cannot be compared.

/**
 * @returns `{letters, subtracts(letter), reasons}`: the gates that both have; whether B − A makes sense
 *     for one of them; and a sentence for each thing that is not compared.
 */
export function comparisonOf(a, b, sequence) {
  const letters = a.letters.filter((letter) => b.gates.has(letter));
  const only = (name, one, other) => {
    const gates = one.letters.filter((letter) => !other.gates.has(letter));
    return gates.length ? `Only ${name} has ${listed(gates.map((letter) => one.title(letter)))}` : null;
  };
  const lacking = [only("A", a, b), only("B", b, a)].filter(Boolean);
  const cells = [a, b].map((capture) => capture.meta.cell);
  const there = sequence < a.batch && sequence < b.batch;
  const sameTime = same(a.timesteps, b.timesteps);
  const subtracts = (letter) => there && sameTime && a.width(letter) === b.width(letter) && same(a.unitIndices(letter), b.unitIndices(letter));
  const reasons = lacking.map((text) => `${text}.`);
  if (lacking.length && cells[0] !== cells[1]) reasons.unshift(`A is of the kind “${cells[0]}”, B of the kind “${cells[1]}”.`);
  if (!there) reasons.push(`No difference: ${sequence < b.batch ? "A" : "B"} has no sequence ${sequence}, so its last is shown.`);
  else if (letters.length && !letters.every(subtracts)) reasons.push(`No difference: A has ${size(a)}, B ${size(b)}.`);
  return { letters, subtracts, reasons };
}

function size(capture) {
  const kept = capture.units === (capture.meta.shape?.[2] ?? capture.units) ? "" : "some of its units: ";
  return `${kept}${capture.units} units × ${capture.time} timesteps`;
}

function same(one, other) {
  return one.length === other.length && one.every((each, index) => each === other[index]);
}

function listed(words) {
  return words.length < 2 ? words.join("") : `${words.slice(0, -1).join(", ")} and ${words.at(-1)}`;
}

/**
 * The runs that a run may be compared with: those that have its layers.
 *
 * @returns `{runs, hidden}`: the names that fit, and a sentence about the others; empty if there are none.
 */
export function comparableRuns(all, layers) {
  const fits = (run) => layers.every((layer) => run.layers.includes(layer));
  const runs = all.filter(fits).map(({ name }) => name);
  const count = all.length - runs.length;
  if (!count) return { runs, hidden: "" };
  const which = layers.length > 1 ? "not all of the chosen layers" : `no layer “${layers[0]}”`;
  return { runs, hidden: `${count} ${count > 1 ? "runs are" : "run is"} not listed: ${count > 1 ? "they have" : "it has"} ${which}.` };
}

/** With what a comparison begins: this run's first step; for a run of one step the first other run that fits. */
export function firstComparison(run, steps, runs) {
  const other = runs.find((name) => name !== run);
  return steps.length > 1 || !other ? { runB: run, stepB: steps[0] ?? null } : { runB: other, stepB: null };
}
