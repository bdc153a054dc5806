/** What is shown, as columns of text; and how a file is handed over. */

import { chargeFactor, difference, isHistogram, partner, scaled } from "./compare.js";
import { plain, slug, utcTime } from "./format.js";
import { curveKeys } from "./panels.js";
import { onAxis } from "./units.js";

/** The name of a file without its ending: instrument, run and update. */
export const fileName = (instrument, latest) =>
  [slug(instrument), `run${latest.run.number}`, `update${latest.update.sequence}`].join("_");

/** What the curves belong to: one `key: value` in each line, nothing but visible characters. */
export function headerLines(instrument, latest, status, nowMs = Date.now()) {
  const { run, update } = latest;
  // A result of the session before may be of other versions.
  const isOfNow = status?.session && status.session.id === latest.session;
  const versions = isOfNow
    ? { livered: status.session.livered_version, ...status.session.plugins }
    : {};
  const facts = [
    ["instrument", run.instrument],
    ["shown as", instrument],
    ["run", run.number],
    ["run title", run.title],
    ["proposal", run.proposal],
    ...Object.entries(run.sample ?? {}).map(([name, value]) => [`sample ${name}`, value]),
    ["run start", utcTime(run.start_ns)],
    ["result", latest.title],
    ["update", update.sequence],
    ["final", update.final ? "yes" : "no"],
    ["complete", update.complete ? "yes" : "no"],
    ...update.missing.map((reason) => ["missing", reason]),
    ["proton charge", `${update.proton_charge_pc} pC`],
    ["pulses", update.n_pulses],
    ["events", update.n_events],
    ["skipped chunks", update.skipped_chunks],
    ["skipped events", update.skipped_events],
    ["dropped chunks", update.dropped_chunks],
    ["dropped events", update.dropped_events],
    ["first pulse", utcTime(update.first_pulse_ns)],
    ["last pulse", utcTime(update.last_pulse_ns)],
    ...Object.entries(latest.metadata ?? {}).map(([name, value]) => [`result ${name}`, value]),
    [
      "versions",
      Object.entries(versions)
        .map(([name, version]) => `${name} ${version}`)
        .join(", ") || "not known",
    ],
    ["saved from the page", utcTime(nowMs * 1e6)],
  ];
  return facts.map(([name, value]) => plain(`${name}: ${value}`));
}

const cell = (value) => (Number.isFinite(value) && value !== null ? String(value) : "nan");

/** One curve: its name, units and notes, and its columns. */
function block(name, curve, notes) {
  const edges = isHistogram(curve);
  const lines = [
    `curve: ${name}`,
    `x: ${curve.x_name} [${curve.x_unit}]`,
    `y: ${curve.y_name} [${curve.y_unit}]`,
    ...notes,
    `columns: ${edges ? "x_low x_high y e" : "x y e"}`,
  ].map((line) => `# ${plain(line)}`);
  for (let k = 0; k < curve.y.length; k += 1) {
    const x = edges ? `${cell(curve.x[k])} ${cell(curve.x[k + 1])}` : cell(curve.x[k]);
    lines.push(`${x} ${cell(curve.y[k])} ${cell(curve.e[k])}`);
  }
  return lines.join("\n");
}

/** The same curve of an earlier run as it is drawn, and the difference to it where that is shown. */
function compared(measured, curve, latest, earlier, choices) {
  const match = partner(measured, earlier);
  if (match === null) return [];
  const { run, update } = earlier;
  const factor = choices.scale
    ? chargeFactor(measured.y_unit, latest.update.proton_charge_pc, update.proton_charge_pc)
    : 1;
  const before = onAxis(scaled(match, factor), choices.axis);
  const notes = [`run title: ${run.title}`, `complete: ${update.complete ? "yes" : "no"}`];
  if (factor !== 1) notes.push(`multiplied by: ${factor} (the ratio of the proton charges)`);
  const blocks = [block(`${curve.label}, run ${run.number}`, before, notes)];
  if (choices.difference) {
    const change = difference(curve, before);
    const how = change.interpolated ? [`run ${run.number} interpolated linearly onto these bins`] : [];
    blocks.push(block(`${curve.label}, run ${latest.run.number} minus run ${run.number}`, change, how));
  }
  return blocks;
}

/**
 * Columns of the curves that are shown, one block after another with two empty lines between (gnuplot's `index`).
 *
 * @param {object[]} panels Of `groupCurves`; curves switched off are left out.
 * @param earlier The result that is compared with, or `null`: each curve is followed by its own.
 */
export function asText(instrument, latest, status, panels, choices, earlier = null, nowMs = Date.now()) {
  const blocks = [];
  for (const panel of panels) {
    const keys = curveKeys(panel);
    panel.curves.forEach((measured, i) => {
      if (choices.off.includes(keys[i])) return;
      const curve = onAxis(measured, choices.axis);
      const notes = Object.entries(curve.metadata).map(([name, value]) => `${name}: ${value}`);
      blocks.push(block(curve.label, curve, notes));
      blocks.push(...compared(measured, curve, latest, earlier, choices));
    });
  }
  const head = headerLines(instrument, latest, status, nowMs).map((line) => `# ${line}`);
  return `${head.join("\n")}\n${blocks.join("\n\n\n")}\n`;
}

/** Hand a file to the person. */
export function save(blob, name) {
  const url = URL.createObjectURL(blob);
  const link = document.createElement("a");
  link.href = url;
  link.download = name;
  document.body.append(link);
  link.click();
  link.remove();
  // Given back later: the browser reads it after the click.
  setTimeout(() => URL.revokeObjectURL(url), 60000);
}
