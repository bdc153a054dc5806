/** What a result says about itself: whether it is long enough, and its numbers in words. */

import { byId, keep, make, setAttribute, setText, show } from "./dom.js";
import { duration, isNumber, number, plain } from "./format.js";
import { groupCurves } from "./panels.js";

const WORDS = {
  statistical_error: "statistical error",
  statistical_error_wanted: "statistical error wanted",
  seconds_until_enough: "time until it is enough",
  total_scattering: "S(Q) and G(r)",
  pair_distribution: "G(r)",
  n_events: "events",
  n_binned: "events in bins",
  n_out_of_range: "events out of range",
  n_masked: "events in masked pixels",
  n_unknown: "events of unknown pixels",
  n_filtered: "events filtered out",
  n_error_or_unmapped: "events with errors or unmapped",
  events_per_second: "events per second, average",
  counts: "counts",
  wanted: "wanted",
};
const FIRST = [
  "statistical_error",
  "statistical_error_wanted",
  "seconds_until_enough",
  "warning",
  "total_scattering",
];
const SAID_ABOVE = new Set(["statistics"]);
const IN_HEADER = new Set(["proton_charge_uAh", "n_events"]);
const UNITS = [
  ["_inverse_angstrom", "Å⁻¹"],
  ["_angstrom", "Å"],
  ["_percent", "%"],
  ["_uAh", "µAh"],
  ["_kelvin", "K"],
  ["_us", "µs"],
  ["_deg", "°"],
];

/** A name of metadata in words: `strongest_peak_angstrom` is `strongest peak`, with the unit apart. */
export function inWords(name) {
  if (Object.hasOwn(WORDS, name)) return { words: WORDS[name], unit: name.startsWith("seconds_") ? "s" : "" };
  const text = plain(name, 80);
  if (/(^|_)seconds?$/u.test(text))
    return { words: text.replace(/_?seconds?$/u, "").replaceAll("_", " ") || "time", unit: "s" };
  for (const [ending, unit] of UNITS) {
    if (text.endsWith(ending) && text.length > ending.length) {
      return { words: text.slice(0, -ending.length).replaceAll("_", " "), unit };
    }
  }
  return { words: text.replace(/^n_/u, "number of ").replaceAll("_", " "), unit: "" };
}

/** A value of metadata for people. */
export function valueInWords(value, unit) {
  if (typeof value === "boolean") return value ? "yes" : "no";
  if (value === null) return "not a number";
  if (!isNumber(value)) return plain(value);
  if (unit === "s") return duration(value);
  return unit ? `${number(value)} ${unit}` : number(value);
}

/** The values of one column with the same number of decimals, so that they can be compared at a glance. */
export function columnInWords(values, unit) {
  const words = values.map((value) => (value === undefined ? "–" : valueInWords(value, unit)));
  if (unit === "s") return words;
  const decimals = values.map((value, i) =>
    isNumber(value) && /^-?[\d,]+(\.\d+)?$/u.test(words[i]) ? (words[i].split(".")[1] ?? "").length : null,
  );
  const most = Math.max(0, ...decimals.filter((n) => n !== null));
  if (most === 0) return words;
  return values.map((value, i) =>
    decimals[i] === null
      ? words[i]
      : value.toLocaleString("en-GB", { minimumFractionDigits: most, maximumFractionDigits: most }),
  );
}

/** The most important first: what is missing for enough, then warnings and texts, then the rest as it comes. */
export function inOrder(metadata) {
  const names = Object.keys(metadata).filter((name) => !SAID_ABOVE.has(name));
  const rank = (name) => {
    const place = FIRST.indexOf(name);
    if (place >= 0) return place;
    if (/warning|error|missing/u.test(name)) return FIRST.length;
    if (IN_HEADER.has(name)) return FIRST.length + 4;
    if (/^n_/u.test(name) && metadata[name] === 0) return FIRST.length + 3;
    return typeof metadata[name] === "string" ? FIRST.length + 1 : FIRST.length + 2;
  };
  return names.sort((a, b) => rank(a) - rank(b));
}

/** How far a run is: statistical errors fall with the square root of the time. `null` when that is not known. */
export function shareMeasured(metadata) {
  const { statistical_error: error, statistical_error_wanted: wanted } = metadata;
  if (!(error > 0) || !(wanted > 0)) return null;
  return Math.min(1, (wanted / error) ** 2);
}

/** Show a result's statistics. */
export function showStatistics(result) {
  const metadata = result?.metadata ?? {};
  show(byId("no-statistics"), result === null);
  const sentence = typeof metadata.statistics === "string" ? plain(metadata.statistics) : "";
  const share = shareMeasured(metadata);
  show(byId("enough"), sentence !== "" || share !== null);
  setText(byId("enough-sentence"), sentence);
  const bar = byId("enough-bar");
  show(bar, share !== null);
  if (share !== null) {
    const percent = Math.floor(share * 100);
    setAttribute(bar, "aria-valuenow", percent);
    bar.firstElementChild.style.setProperty("inline-size", `${share * 100}%`);
    setText(
      byId("enough-words"),
      share >= 1 ? "Enough is measured." : `${percent} % of the time needed is measured.`,
    );
  } else setText(byId("enough-words"), "");
  keep(
    byId("statistics"),
    inOrder(metadata),
    (name) => name,
    () => make("div", {}, make("dt"), make("dd")),
    (row, name) => {
      const { words, unit } = inWords(name);
      setText(row.children[0], words.charAt(0).toUpperCase() + words.slice(1));
      const value = metadata[name];
      setText(row.children[1], valueInWords(value, unit));
      setAttribute(row, "class", typeof value === "string" && value.length > 24 ? "long" : null);
    },
  );
  showCurves(byId("curve-figures"), result);
}

/** One table for each panel whose curves have numbers of their own: a line for each curve. */
function showCurves(place, result) {
  const panels = groupCurves(result?.curves ?? [])
    .map((panel) => ({
      ...panel,
      columns: [...new Set(panel.curves.flatMap((curve) => Object.keys(curve.metadata)))],
    }))
    .filter((panel) => panel.columns.length > 0);
  show(place.parentElement, panels.length > 0);
  keep(
    place,
    panels,
    (panel) => `${panel.key}|${panel.columns.join("|")}`,
    (panel) => {
      const head = make("tr", {}, make("th", { scope: "col" }, "Curve"));
      for (const name of panel.columns) {
        const { words, unit } = inWords(name);
        head.append(
          make("th", { scope: "col", class: "n" }, unit && unit !== "s" ? `${words}, ${unit}` : words),
        );
      }
      return make("table", {}, make("caption", {}, panel.name), make("thead", {}, head), make("tbody"));
    },
    (table, panel) => {
      const columns = panel.columns.map((name) => {
        const { unit } = inWords(name);
        return columnInWords(
          panel.curves.map((curve) => curve.metadata[name]),
          unit === "s" ? "s" : "",
        );
      });
      const items = panel.curves.map((curve, i) => ({ curve, key: i }));
      keep(
        table.tBodies[0],
        items,
        (item) => item.key,
        () =>
          make(
            "tr",
            {},
            make("th", { scope: "row" }),
            ...panel.columns.map(() => make("td", { class: "n" })),
          ),
        (row, { curve, key }) => {
          setText(row.children[0], plain(curve.label, 60));
          columns.forEach((column, i) => setText(row.children[i + 1], column[key]));
        },
      );
    },
  );
}
