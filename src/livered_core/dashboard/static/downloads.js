/** What is shown, as columns of text; and how a file is handed over. */

import { isHistogram } from "./compare.js";
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

/**
 * Columns of the curves that are shown, one block after another with two empty lines between (gnuplot's `index`).
 *
 * @param {object[]} panels Of `groupCurves`; curves switched off are left out.
 */
export function asText(instrument, latest, status, panels, choices, nowMs = Date.now()) {
  const blocks = [];
  for (const panel of panels) {
    const keys = curveKeys(panel);
    panel.curves.forEach((measured, i) => {
      if (choices.off.includes(keys[i])) return;
      const curve = onAxis(measured, choices.axis);
      const edges = isHistogram(curve);
      const lines = [
        `# curve: ${plain(curve.label)}`,
        `# x: ${plain(curve.x_name)} [${plain(curve.x_unit)}]`,
        `# y: ${plain(curve.y_name)} [${plain(curve.y_unit)}]`,
        ...Object.entries(curve.metadata).map(([name, value]) => `# ${plain(`${name}: ${value}`)}`),
        `# columns: ${edges ? "x_low x_high y e" : "x y e"}`,
      ];
      for (let k = 0; k < curve.y.length; k += 1) {
        const x = edges ? `${cell(curve.x[k])} ${cell(curve.x[k + 1])}` : cell(curve.x[k]);
        lines.push(`${x} ${cell(curve.y[k])} ${cell(curve.e[k])}`);
      }
      blocks.push(lines.join("\n"));
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
