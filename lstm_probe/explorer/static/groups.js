// Means over the sequences of the probe: by class or by named probe at each timestep, and by the label of the timestep.

/** The sequences of each class, the largest classes first: `[{name, sequences}]`; empty without classes. */
export function classesOf(outcome, batch, of = "target") {
  const groups = new Map();
  if (!outcome?.isClass || outcome.steps !== null) return [];
  for (let sequence = 0; sequence < batch; sequence++) {
    const found = of === "target" ? outcome.targetAt(sequence) : (outcome.givenAt(sequence)?.value ?? null);
    if (found !== null) groups.set(found, [...(groups.get(found) ?? []), sequence]);
  }
  return [...groups].sort((a, b) => a[0] - b[0]).map(([name, sequences]) => ({ name, sequences }));
}

/** The mean of a gate of one unit over some sequences, at each timestep; NaN where none of them counts. */
export function meanOver(capture, letter, u, sequences) {
  return Array.from({ length: capture.time }, (_, t) => mean(sequences.filter((b) => capture.counts(b, t)).map((b) => capture.value(letter, b, t, u))));
}

/** The mean of a gate of one unit over all timesteps of each label: `[{label, count, mean}]`, by their means. */
export function meansByLabel(capture, letter, u, sequences = capture.sequences.keys()) {
  const values = new Map();
  for (const b of sequences) {
    for (let t = 0; t < capture.time; t++) {
      const label = capture.label(b, t);
      if (label && capture.counts(b, t)) values.set(label, [...(values.get(label) ?? []), capture.value(letter, b, t, u)]);
    }
  }
  return [...values].map(([label, each]) => ({ label, count: each.length, mean: mean(each) })).sort((a, b) => b.mean - a.mean);
}

export function mean(values) {
  const finite = values.filter(Number.isFinite);
  return finite.length ? finite.reduce((sum, value) => sum + value, 0) / finite.length : NaN;
}
