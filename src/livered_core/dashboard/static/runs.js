/** The runs that were seen: a table, and the list of those that can be compared with. */

import { keep, make, setAttribute, setText, show } from "./dom.js";
import { bytes, charge, count, duration, localTime, plain, utcTime } from "./format.js";

/** How a run stands, in words; `over` says that the engine has ended, and with it a run that had no end. */
export function outcome(run, over) {
  const words = [];
  const isBroken = !run.end && over;
  if (!run.end && !over) words.push(run.version > 0 ? "going on" : "going on, no result yet");
  else if (run.final && !isBroken) words.push("final");
  else words.push(run.version > 0 ? "not final" : "no result");
  if (run.version > 0 && !(run.complete && isBroken)) words.push(run.complete ? "complete" : "incomplete");
  if (run.end && run.end !== "ended") words.push(run.end);
  if (isBroken) words.push("livered ended before it");
  return words.join(", ");
}

/** Show the runs; `compare` is the number of the run that is compared with, `over` as for `outcome`. */
export function showRuns(body, none, runs, status, over, compare, choose) {
  show(none, runs.length === 0);
  const key = (run) => `${run.number}|${run.session}|${run.start_ns}`;
  const create = () => {
    const cells = ["n", "name", "", "n", "n", "n", "", "files", ""].map((name) =>
      make("td", { class: name || null }),
    );
    const row = make(
      "tr",
      { "data-testid": "run-row" },
      make("th", { scope: "row", class: "n" }),
      ...cells.slice(1),
    );
    const button = make("button", { type: "button", class: "quiet", "data-testid": "compare-button" });
    button.addEventListener("click", () => choose(row.run));
    row.children[8].append(button);
    return row;
  };
  const update = (row, run) => {
    row.run = run;
    setAttribute(row, "data-run", run.number);
    const [number, title, start, length, total, events, result, files, action] = row.children;
    setText(number, String(run.number));
    setText(title, plain(run.title) || "without a title");
    setAttribute(title, "title", [plain(run.title), plain(run.proposal)].filter(Boolean).join(" · ") || null);
    setText(start, localTime(run.start_ns));
    setAttribute(start, "title", utcTime(run.start_ns));
    // By the data: when its end was noted says little of a recording, or of a run whose engine died.
    const end = run.last_pulse_ns > 0 ? run.last_pulse_ns : run.end_ns;
    setText(
      length,
      run.start_ns > 0 && end > run.start_ns ? duration((end - run.start_ns) / 1e9, false) : "–",
    );
    setText(total, charge(run.proton_charge_pc));
    setText(events, count(run.n_events));
    const earlier = status?.session?.id && run.session !== status.session.id ? ", before the restart" : "";
    setText(result, outcome(run, over) + earlier);
    setAttribute(
      result,
      "title",
      run.missing?.length ? run.missing.map((reason) => plain(reason)).join(" ") : null,
    );
    setAttribute(row, "data-complete", run.version > 0 && !run.complete ? "no" : null);
    showFiles(files, run);
    const button = action.firstElementChild;
    show(button, Boolean(run.kept));
    const on = run.number === compare;
    setAttribute(button, "aria-pressed", on ? "true" : "false");
    setText(button, on ? "compared" : "compare");
    setAttribute(
      button,
      "aria-label",
      on ? `Stop comparing with run ${run.number}` : `Compare with run ${run.number}`,
    );
  };
  keep(body, runs, key, create, update);
}

function showFiles(cell, run) {
  const files = Object.values(run.receipts ?? {})
    .flatMap((receipt) => receipt.files ?? [])
    .filter((file) => safeAddress(file?.href))
    .sort((one, other) => Number(isColumns(one)) - Number(isColumns(other)));
  keep(
    cell,
    files,
    (file) => file.href,
    (file) => make("a", { href: file.href }),
    (link, file) => {
      setText(link, plain(file.name, 80));
      setAttribute(link, "title", bytes(file.size));
    },
  );
}

/** Columns of one curve: there are many, so they stand after what holds all curves. */
const isColumns = (file) => /\.dat$/u.test(String(file.name));

/** Only addresses of this server are followed. */
export const safeAddress = (href) => typeof href === "string" && /^\/(?!\/)/u.test(href);

/** Fill the list of runs to compare with; the run that is drawn is not among them. */
export function fillCompare(select, runs, drawnRun, chosen) {
  const kept = runs.filter((run) => run.kept && run.number !== drawnRun);
  const items = [{ number: 0, text: "no other run" }];
  for (const run of kept) {
    if (!items.some((item) => item.number === run.number))
      items.push({ number: run.number, text: `${run.number}  ${plain(run.title, 40)}` });
  }
  if (chosen > 0 && !items.some((item) => item.number === chosen))
    items.push({ number: chosen, text: `${chosen}  (not kept)` });
  keep(
    select,
    items,
    (item) => item.number,
    (item) => make("option", { value: item.number }),
    (option, item) => setText(option, item.text),
  );
  if (select.value !== String(chosen)) select.value = String(chosen);
}
