/** The plugins that run: who they are, how they are, and what their hooks have done. */

import { byId, keep, make, setAttribute, setName, setText, show } from "./dom.js";
import { count, isNumber, plain, utcTime } from "./format.js";

const GOES_ON_S = 5;

/** How long something took: `0.31 ms`, `12 ms`, `1.2 s`, `47 s`. */
export function took(seconds) {
  if (!isNumber(seconds)) return "–";
  const size = Math.max(0, seconds);
  if (size < 0.0995) return `${Number((size * 1e3).toPrecision(2))} ms`;
  if (size < 0.9995) return `${(size * 1e3).toFixed(0)} ms`;
  return `${size.toFixed(size < 9.95 ? 1 : 0)} s`;
}

/** What there is to say of a hook: its failures, and a call that goes on; empty where all is well. */
export function words(hook) {
  const said = [];
  if (hook.failures > 0) {
    const again = hook.failures_in_a_row > 1 ? `, the newest ${count(hook.failures_in_a_row)} in a row` : "";
    const over = hook.failures_in_a_row > 0 ? "" : " earlier";
    said.push(`${count(hook.failures)} failed${again}${over}. The last: ${plain(hook.last_error)}`);
  }
  if (isNumber(hook.running_s) && hook.running_s > GOES_ON_S)
    said.push(`A call has not come back for ${took(hook.running_s)}.`);
  return said.join(" ");
}

/**
 * The lines of the table: one for each plugin, one for each of its hooks, one for what is wrong with a hook.
 *
 * @param rows Of a status; nothing where it has none.
 * @param {boolean} ended Whether livered has ended: nothing runs then.
 */
export function lines(rows, ended = false) {
  const items = [];
  for (const row of Array.isArray(rows) ? rows : []) {
    const state = ended && row.state === "runs" ? "ran" : row.state;
    items.push({ kind: "plugin", row, state, key: `plugin|${row.name}` });
    for (const hook of Array.isArray(row.hooks) ? row.hooks : []) {
      const key = `${row.name}|${hook.hook}`;
      items.push({ kind: "hook", hook, key: `hook|${key}` });
      const said = words(hook);
      if (said) items.push({ kind: "said", said, now: hook.failures_in_a_row > 0, key: `said|${key}` });
    }
  }
  return items;
}

const KINDS = {
  plugin: {
    create() {
      const name = make("strong");
      const version = make("span", { class: "soft" });
      const state = make("span", { class: "how" });
      const about = make("p", { class: "soft" });
      const reason = make("p");
      const cell = make("th", { scope: "colgroup", colspan: 5 });
      cell.append(name, " ", version, " ", state, reason, about);
      const line = make("tr", { class: "who" }, cell);
      line.parts = { name, version, state, about, reason };
      return line;
    },
    update(line, { row, state: word }) {
      const { name, version, state, about, reason } = line.parts;
      setText(name, plain(row.name, 60));
      setText(version, plain(row.version, 40));
      setText(state, plain(word, 40));
      setAttribute(state, "title", `since ${utcTime(row.since_ns)}`);
      setAttribute(line, "data-state", plain(word, 40));
      setName(about, [row.kind, row.distribution, row.file].map((text) => plain(text)).filter(Boolean).join(", "));
      // What fails is said at its hook.
      setText(reason, row.state === "refused" ? plain(row.reason, 700) : "");
      show(reason, row.state === "refused");
    },
  },
  hook: {
    create: () =>
      make("tr", {}, make("th", { scope: "row" }), ...Array.from({ length: 4 }, () => make("td", { class: "n" }))),
    update(line, { hook }) {
      const name = hook.role === "owner" ? hook.hook : `${hook.hook} (${hook.role})`;
      setName(line.children[0], plain(name, 60));
      const values = [count(hook.calls), took(hook.mean_s), took(hook.last_s), took(hook.longest_s)];
      values.forEach((value, i) => setText(line.children[i + 1], value));
    },
  },
  said: {
    create: () => make("tr", { class: "said" }, make("td", { colspan: 5 })),
    update(line, { said, now }) {
      setText(line.children[0], said);
      setAttribute(line, "data-failing", now ? "yes" : null);
    },
  },
};

/** Show the plugins of a status, and whether livered has ended since. */
export function showPlugins(status, ended) {
  const items = lines(status?.plugins, ended);
  show(byId("no-plugins"), items.length === 0 || ended);
  setText(
    byId("no-plugins"),
    items.length === 0 ? "livered has not told of its plugins." : "livered has ended; this is what they had done.",
  );
  show(byId("plugins-table"), items.length > 0);
  keep(
    byId("plugins"),
    items,
    (item) => item.key,
    (item) => KINDS[item.kind].create(),
    (line, item) => KINDS[item.kind].update(line, item),
  );
}
