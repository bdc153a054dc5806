/** Values of the sample environment. */

import { keep, make, setAttribute, setName, setText, show } from "./dom.js";
import { coarse, isNumber, number, plain, utcTime } from "./format.js";
import { prettyUnit } from "./units.js";

/** Whether a log is wanted by a filter: each word must be in its name, device or unit. */
export function wanted(log, filter) {
  const text = `${log.name} ${log.device} ${log.unit}`.toLowerCase();
  return filter
    .toLowerCase()
    .split(/\s+/u)
    .every((word) => text.includes(word));
}

/** Show the logs in a table's body. */
export function logTable(body, filter, note) {
  let logs = [];
  let leftOut = 0;
  let nowNs = 0;

  const create = (log) => {
    const row = make(
      "tr",
      {},
      make("th", { scope: "row" }),
      make("td", { class: "n" }),
      make("td", { class: "n soft" }),
    );
    row.dataset.name = log.name;
    return row;
  };
  const update = (row, log) => {
    const [name, value, age] = row.children;
    setName(name, plain(log.name, 120));
    setAttribute(name, "title", log.device ? `device: ${plain(log.device)}` : null);
    const unit = prettyUnit(log.unit);
    const text = isNumber(log.value) ? number(log.value, 6) : plain(log.value ?? "no value", 80);
    setText(value, unit ? `${text} ${unit}` : text);
    setText(age, log.time_ns > 0 ? coarse((nowNs - log.time_ns) / 1e9) : "–");
    setAttribute(age, "title", log.time_ns > 0 ? utcTime(log.time_ns) : null);
  };
  const fill = () => {
    const shown = logs.filter((log) => wanted(log, filter.value));
    const seen = new Map();
    const items = shown.map((log) => {
      const base = `${log.device}|${log.name}`;
      const before = seen.get(base) ?? 0;
      seen.set(base, before + 1);
      return { log, key: `${base}|${before}` };
    });
    keep(
      body,
      items,
      (item) => item.key,
      (item) => create(item.log),
      (row, item) => update(row, item.log),
    );
    const words = [];
    if (logs.length === 0) words.push("No values yet.");
    else if (shown.length < logs.length) words.push(`${shown.length} of ${logs.length} shown.`);
    if (leftOut > 0) words.push(`${leftOut} more are left out: there are too many.`);
    setText(note, words.join(" "));
    show(note, words.length > 0);
  };
  filter.addEventListener("input", fill);
  return {
    /** Show the logs of a status at the server's time. */
    show(status, now) {
      logs = status?.logs ?? [];
      leftOut = status?.logs_left_out ?? 0;
      nowNs = now;
      fill();
    },
  };
}
