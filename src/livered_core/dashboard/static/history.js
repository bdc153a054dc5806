/** Event rate and lag over the last hours. */

import { setText } from "./dom.js";
import { duration, isNumber, zoneName } from "./format.js";
import { axis, draw, drop, layout, look } from "./plots.js";

const KINDS = {
  live: null,
  "catching up": "wait",
  "reading a recording": null,
  connecting: "wait",
  "between runs": "wait",
  stopping: "wait",
  paused: "warn",
  "no beam": "warn",
  "no pulses": "warn",
  "not connected": "bad",
  stopped: "bad",
  failed: "bad",
};
const MS_PER_NS = 1e-6;

/**
 * Columns for plotting: cut where nothing was recorded for long.
 *
 * @param history As in the run directory.
 */
export function columns(history) {
  const gap = 3.5 * (history.every_s || 10) * 1e3;
  const x = [];
  const eventRate = [];
  const lag = [];
  let before = null;
  history.time_ns.forEach((time, i) => {
    const ms = time * MS_PER_NS;
    if (before !== null && ms - before > gap) {
      x.push(before + gap / 3.5);
      eventRate.push(null);
      lag.push(null);
    }
    x.push(ms);
    eventRate.push(history.event_rate[i]);
    lag.push(history.lag_s[i]);
    before = ms;
  });
  return { x, eventRate, lag };
}

/** Seconds of a history for which nothing was recorded, because no engine ran. */
export function missingS(history) {
  const every = history.every_s || 10;
  const steps = history.time_ns.slice(1).map((time, i) => (time - history.time_ns[i]) / 1e9);
  return steps.filter((step) => step > 3.5 * every).reduce((sum, step) => sum + step - every, 0);
}

/** What is to be said of a history: what is shaded, as pairs of phase and seconds, and what is missing. */
export function remarks(history, shaded) {
  const words = [];
  if (shaded.length > 0)
    words.push(`Shaded: ${shaded.map(([phase, s]) => `${phase} ${duration(s, false)}`).join(", ")}.`);
  const missing = missingS(history);
  if (missing > 0) words.push(`Nothing was recorded for ${duration(missing, false)}.`);
  if (missing === 0 && history.phase.every((phase) => phase === "live")) words.push("Live throughout.");
  return words.join(" ");
}

/** Stretches of time in which the engine was in one phase: `{phase, from, to}` in milliseconds. */
export function stretches(history) {
  const every = (history.every_s || 10) * 1e3;
  const found = [];
  history.time_ns.forEach((time, i) => {
    const ms = time * MS_PER_NS;
    const last = found[found.length - 1];
    const phase = history.phase[i];
    if (last && last.phase === phase && ms - last.to < 2.5 * every) last.to = ms;
    else {
      // A phase lasts until the next one is seen.
      if (last && ms - last.to < 2.5 * every) last.to = ms;
      found.push({ phase, from: ms, to: ms });
    }
  });
  return found;
}

/** Draw the history, or say that there is none. */
export async function drawHistory(div, note, history) {
  if (!history || history.time_ns.length === 0) {
    setText(note, "Nothing recorded yet.");
    drop(div);
    return;
  }
  const colours = look();
  const { size } = colours;
  const { x, eventRate, lag } = columns(history);
  const named = new Map();
  const shapes = [];
  for (const { phase, from, to } of stretches(history)) {
    const kind = phase in KINDS ? KINDS[phase] : "wait";
    if (kind === null) continue;
    named.set(phase, (named.get(phase) ?? 0) + (to - from) / 1e3);
    shapes.push({
      type: "rect",
      xref: "x",
      yref: "paper",
      x0: from,
      x1: Math.max(to, from + 1e3),
      y0: 0,
      y1: 1,
      fillcolor: colours[kind],
      line: { width: 0 },
      layer: "below",
    });
  }
  const trace = (y, yaxis, name, colour, hover) => ({
    type: "scatter",
    mode: "lines",
    x,
    y,
    yaxis,
    name,
    uid: name.replace(" ", "-"),
    connectgaps: false,
    line: { color: colour, width: Math.max(1.2, size * 0.09), shape: "linear", simplify: true },
    hovertemplate: hover,
  });
  const traces = [
    trace(eventRate, "y", "event rate", colours.curves[0], "%{y:.3~s}/s"),
    trace(lag, "y2", "lag", colours.curves[1], "%{y:.2f} s"),
  ];
  const shape = layout("kept", {
    shapes,
    margin: { l: size * 4.4, r: size * 0.8, t: size * (colours.touch ? 2.2 : 0.5), b: size * 2.9 },
    xaxis: axis(`local time (${zoneName()})`, {
      type: "date",
      anchor: "y2",
      hoverformat: "%H:%M:%S",
      nticks: colours.narrow ? 4 : 10,
    }),
    yaxis: axis("events/s", { domain: [0.55, 1], rangemode: "tozero", nticks: 4, tickformat: "~s" }),
    yaxis2: axis("lag (s)", { domain: [0, 0.45], rangemode: "tozero", nticks: 4 }),
  });
  await draw(div, traces, shape);
  const span = ((history.time_ns.at(-1) - history.time_ns[0]) * MS_PER_NS) / 1e3;
  const worst = history.lag_s.reduce((most, value) => (isNumber(value) && value > most ? value : most), 0);
  setText(
    note,
    `The last ${duration(span, false)}; largest lag ${duration(worst)}. ${remarks(history, [...named])}`,
  );
}
