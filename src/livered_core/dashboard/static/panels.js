/** Which curves stand together, and what a panel draws: plain data for plotly.js. Pure but for the page's colours. */

import { difference, isHistogram, partner, scaled, chargeFactor } from "./compare.js";
import { forPlotly, number, plain } from "./format.js";
import { axis, faded, layout, look } from "./plots.js";
import { axisTitle, mayBeLog, onAxis, prettyUnit } from "./units.js";

/**
 * Group curves by their quantities and units, in the order in which they come.
 *
 * @returns {{key: string, name: string, about: string, curves: object[]}[]}
 */
export function groupCurves(curves) {
  const panels = new Map();
  for (const curve of curves) {
    const key = [curve.x_name, curve.x_unit, curve.y_name, curve.y_unit].join("|");
    if (!panels.has(key)) panels.set(key, { key, curves: [] });
    panels.get(key).curves.push(curve);
  }
  return [...panels.values()].map((panel) => {
    const { x_name, y_name } = panel.curves[0];
    const name = plain(y_name, 80) || plain(panel.curves[0].label, 80) || "curves";
    return { ...panel, name, about: plain(x_name, 80) };
  });
}

/** The names of a panel's curves in the choices; two of the same label are told apart. */
export function curveKeys(panel) {
  const seen = new Map();
  return panel.curves.map((curve) => {
    const base = `${panel.name}|${curve.label}`;
    const before = seen.get(base) ?? 0;
    seen.set(base, before + 1);
    return before ? `${base}|${before + 1}` : base;
  });
}

const clean = (values) => values.map((value) => (Number.isFinite(value) ? value : null));

/**
 * Whether steps could be seen: bins narrower than a pixel look the same as a line, which is drawn in half the time.
 *
 * @param view See plots.js.
 */
export function showsSteps(curve, { width, range }) {
  let inView = curve.y.length;
  if (range !== null) {
    inView = 0;
    for (const edge of curve.x) if (edge >= range[0] && edge <= range[1]) inView += 1;
  }
  return inView <= width;
}

/** A round number near `value`, so that it seldom changes while the curves grow. */
function round(value) {
  const power = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 5, 10].find((digit) => digit * power >= value) * power;
}

/**
 * How far curves are put apart, so that none hides another.
 *
 * @param curves Those that are shown.
 * @param log Whether y is logarithmic: each curve is then so many times as high, and not so much higher.
 * @returns {number} 0 where there is nothing to put apart.
 */
export function stepApart(curves, log) {
  let span = 0;
  for (const { y } of curves) {
    let [low, high] = [Infinity, -Infinity];
    for (const value of y) {
      if (value === null || !Number.isFinite(value)) continue;
      if (value < low) low = value;
      if (value > high) high = value;
    }
    span = Math.max(span, high - low);
  }
  if (curves.length < 2 || !(span > 0)) return 0;
  return log ? 10 : round(span * 0.3);
}

/** A curve lifted by `rank` steps; its true heights stay beside it, for the pointer. */
export function lifted(curve, rank, step, log) {
  if (step === 0 || rank === 0) return curve;
  const factor = log ? step ** rank : 1;
  const more = log ? 0 : step * rank;
  const lift = (value) => (value === null ? null : value * factor + more);
  return { ...curve, y: curve.y.map(lift), e: curve.e.map((e) => (e === null ? null : e * factor)), truly: curve.y };
}

/** A curve with up to so many points has a mark at each: a line alone would be short, or nothing. */
const FEW = 20;

/** Whether a curve has few points: gaps are none. */
function isFew({ y }) {
  let count = 0;
  for (const value of y) if (value !== null && Number.isFinite(value) && (count += 1) > FEW) return false;
  return true;
}

/** How plotly.js draws a curve; steps have a width and need no marks. */
export const modeOf = (curve, asSteps) => (asSteps || !isFew(curve) ? "lines" : "lines+markers");

/** The line of one curve. Bins are drawn from edge to edge, points and centres from one to the next. */
function line(curve, style) {
  const asSteps = style.steps && isHistogram(curve) && showsSteps(curve, style.view);
  let { x, y, truly } = curve;
  if (asSteps) {
    const closed = (values) => [...values, values[values.length - 1] ?? null];
    y = closed(y);
    truly &&= closed(truly);
  } else if (isHistogram(curve)) x = y.map((_, i) => (x[i] + x[i + 1]) / 2);
  return {
    type: "scatter",
    mode: modeOf(curve, asSteps),
    uid: style.uid, // Becomes part of a selector: no blanks.
    name: forPlotly(style.name ?? curve.label, 60),
    x,
    y,
    yaxis: style.yaxis ?? "y",
    line: {
      color: style.colour,
      width: style.width,
      dash: style.dash ?? "solid",
      shape: asSteps ? "hv" : "linear",
      simplify: true,
    },
    marker: { color: style.colour, size: style.width * 4 },
    opacity: style.opacity ?? 1,
    connectgaps: false,
    customdata: truly,
    hovertemplate: truly ? "%{customdata:.5~g}" : "%{y:.5~g}",
  };
}

/** The band from y - e to y + e: one closed outline, cut where values are missing. */
function band(curve, style) {
  const centre = isHistogram(curve) ? curve.y.map((_, i) => (curve.x[i] + curve.x[i + 1]) / 2) : curve.x;
  const x = [];
  const y = [];
  let start = 0;
  const close = (end) => {
    if (end > start) {
      if (x.length) {
        x.push(null);
        y.push(null);
      }
      for (let i = start; i < end; i += 1) {
        x.push(centre[i]);
        y.push(curve.y[i] + curve.e[i]);
      }
      for (let i = end - 1; i >= start; i -= 1) {
        const low = curve.y[i] - curve.e[i];
        x.push(centre[i]);
        y.push(style.log && low <= 0 ? curve.y[i] * 0.1 : low);
      }
    }
    start = end + 1;
  };
  const usable = (i) =>
    Number.isFinite(curve.y[i]) &&
    Number.isFinite(curve.e[i]) &&
    curve.y[i] !== null &&
    curve.e[i] !== null &&
    (!style.log || curve.y[i] > 0);
  for (let i = 0; i < curve.y.length; i += 1) if (!usable(i)) close(i);
  close(curve.y.length);
  return {
    type: "scatter",
    mode: "lines",
    uid: style.uid, // Becomes part of a selector: no blanks.
    name: "",
    x,
    y,
    yaxis: style.yaxis ?? "y",
    fill: "toself",
    fillcolor: faded(style.colour, 0.22),
    line: { width: 0, shape: "linear", simplify: true },
    hoverinfo: "skip",
    connectgaps: false,
  };
}

/**
 * Make what a panel draws.
 *
 * @param panel One of `groupCurves`.
 * @param choices See choices.js.
 * @param charge Of this run, picocoulomb.
 * @param earlier A result to compare with, or `null`.
 * @param view What is in view, see plots.js.
 * @returns {{traces, layout, factor: number, compared: number, interpolated: boolean}}
 */
export function drawing(panel, choices, charge, earlier, view) {
  const { size, narrow, curves: colours } = look();
  const keys = curveKeys(panel);
  const thin = Math.max(1.1, size * 0.085);
  const traces = [];
  const differences = [];
  let factor = 1;
  let compared = 0;
  let interpolated = false;
  let shownAs = panel.curves[0];
  const log = choices.logy && panel.curves.some(mayBeLog);
  const shown = panel.curves.filter((_, index) => !choices.off.includes(keys[index]));
  const step = choices.apart ? stepApart(shown, log) : 0;
  let rank = -1;
  panel.curves.forEach((measured, index) => {
    const curve = onAxis(measured, choices.axis);
    if (index === 0) shownAs = curve;
    if (choices.off.includes(keys[index])) return;
    rank += 1;
    const placed = lifted(curve, rank, step, log);
    const colour = colours[index % colours.length];
    const style = { colour, steps: choices.steps, log, view };
    if (choices.band) traces.push(band(placed, { ...style, uid: `band-${index}` }));
    const match = partner(measured, earlier);
    if (match !== null) {
      compared += 1;
      factor = choices.scale ? chargeFactor(measured.y_unit, charge, earlier.update.proton_charge_pc) : 1;
      const before = onAxis(scaled(match, factor), choices.axis);
      const name = `run ${earlier.run.number}: ${curve.label}`;
      traces.push(
        line(lifted(before, rank, step, log), {
          ...style,
          uid: `earlier-${index}`,
          width: thin * 0.8,
          dash: "dash",
          opacity: 0.85,
          name,
        }),
      );
      if (choices.difference) {
        const change = difference(curve, before);
        interpolated ||= change.interpolated;
        const drawn = { ...change, y: clean(change.y), e: clean(change.e) };
        const below = { ...style, log: false, yaxis: "y2", name: `difference: ${curve.label}`, width: thin };
        if (choices.band) differences.push(band(drawn, { ...below, uid: `difference-band-${index}` }));
        differences.push(line(drawn, { ...below, uid: `difference-${index}` }));
      }
    }
    traces.push(line(placed, { ...style, uid: `curve-${index}`, width: thin * 1.15 }));
  });
  const below = differences.length > 0;
  let heights = choices.wall ? prettyUnit(shownAs.y_unit) : axisTitle(shownAs.y_name, shownAs.y_unit);
  if (step > 0) heights += log ? `, each ${step} times the one before` : `, each ${number(step, 3)} higher`;
  const shape = layout("kept", {
    xaxis: axis(forPlotly(axisTitle(shownAs.x_name, shownAs.x_unit)), {
      type: choices.logx ? "log" : "linear",
      uirevision: `${shownAs.x_unit} ${choices.logx}`,
      anchor: below ? "y2" : "y",
      nticks: narrow ? 6 : 12,
      hoverformat: ".5~g",
    }),
    // On the wall there is little room, and the name stands above.
    yaxis: axis(forPlotly(heights), {
      type: log ? "log" : "linear",
      uirevision: `${log} ${step > 0}`,
      domain: below ? [0.36, 1] : [0, 1],
      automargin: "left", // Long numbers must not run into the name.
    }),
  });
  if (below) {
    shape.yaxis2 = axis("difference", { domain: [0, 0.3], uirevision: "difference", nticks: 5 });
  }
  return { traces: [...traces, ...differences], layout: shape, factor, compared, interpolated };
}
