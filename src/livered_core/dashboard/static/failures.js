/** What went wrong in plugins, and how the sinks do. */

import { byId, keep, make, setAttribute, setText, show } from "./dom.js";
import { bytes, count, localTime, plain, utcTime } from "./format.js";

/** Show the newest failures with their tracebacks; those that are open stay open. */
export function showFailures(failures) {
  const list = failures?.failures ?? [];
  const total = failures?.total ?? 0;
  setText(byId("failures-count"), count(total));
  setAttribute(byId("failures-count"), "data-some", total > 0 ? "yes" : null);
  show(byId("no-failures"), list.length === 0);
  // A failure that comes again takes its own place, with another time: who reads its traceback keeps it open. Counted from
  // the oldest, since new ones come on top.
  const seen = new Map();
  const items = [...list].reverse().map((failure) => {
    const { session, run, plugin, hook, error, chunk_sequence: chunk } = failure;
    const base = [session, run, plugin, hook, error, chunk].join("|");
    const before = seen.get(base) ?? 0;
    seen.set(base, before + 1);
    return { failure, key: `${base}|${before}` };
  });
  items.reverse();
  const create = () => {
    const time = make("span", { class: "time" });
    const sentence = make("span", { class: "said" });
    const facts = make("p", { class: "soft" });
    const trace = make("pre", { tabindex: "0" });
    const details = make(
      "details",
      { "data-testid": "failure" },
      make("summary", {}, time, sentence),
      facts,
      trace,
    );
    details.parts = { time, sentence, facts, trace };
    return details;
  };
  keep(
    byId("failures"),
    items,
    (item) => item.key,
    create,
    (details, { failure }) => {
      const { time, sentence, facts, trace } = details.parts;
      setText(time, localTime(failure.time_ns));
      setAttribute(time, "title", utcTime(failure.time_ns));
      setText(sentence, plain(failure.sentence || failure.error));
      const words = [
        `${plain(failure.plugin, 60)} ${plain(failure.version, 40)}`.trim(),
        `in ${plain(failure.hook, 60)}`,
      ];
      words.push(failure.run === null ? "between runs" : `run ${failure.run}`);
      if (Number.isInteger(failure.chunk_sequence)) words.push(`chunk ${failure.chunk_sequence}`);
      if (failure.consecutive > 1) words.push(`${failure.consecutive} in a row`);
      setText(facts, words.join(" · "));
      setText(trace, String(failure.traceback || failure.error));
    },
  );
}

/** Say in the head that something went wrong, with the way to it. */
export function showTroubles(failures, sinks) {
  const items = [];
  const total = failures?.total ?? 0;
  if (total > 0)
    items.push({
      href: "#failures-title",
      text: total === 1 ? "1 error of a plugin" : `${count(total)} errors of plugins`,
    });
  // One final result waits for a moment at the end of each run.
  const waiting = sinks.filter((sink) => sink.unsent_finals > 1 || sink.last_error);
  if (waiting.length > 0)
    items.push({
      href: "#sinks-title",
      text: `${waiting.map((sink) => plain(sink.name, 40)).join(", ")}: not all delivered`,
    });
  const place = byId("troubles");
  show(place, items.length > 0);
  keep(
    place,
    items,
    (item) => item.href,
    (item) => {
      const link = make("a", { href: item.href });
      // The address holds the choices: it stays.
      link.addEventListener("click", (event) => {
        event.preventDefault();
        const target = document.querySelector(item.href);
        target.setAttribute("tabindex", "-1");
        target.focus({ preventScroll: true });
        target.scrollIntoView({ block: "start" });
      });
      return link;
    },
    (link, item) => setText(link, item.text),
  );
}

/** Show what each sink has done. */
export function showSinks(sinks) {
  show(byId("no-sinks"), sinks.length === 0);
  const create = () => {
    const name = make("h3");
    const said = make("p");
    const where = make("p", { class: "soft where" });
    const error = make("p", { class: "error", hidden: true });
    const box = make("div", { class: "sink" }, name, said, where, error);
    box.parts = { name, said, where, error };
    return box;
  };
  keep(
    byId("sinks"),
    sinks,
    (sink) => sink.name,
    create,
    (box, sink) => {
      const { name, said, where, error } = box.parts;
      setText(name, plain(sink.name, 60));
      const words = [`${count(sink.delivered)} delivered`];
      if (sink.refused) words.push(`${count(sink.refused)} refused`);
      words.push(sink.unsent_finals ? `${count(sink.unsent_finals)} final results wait` : "nothing waits");
      setText(said, words.join(", "));
      const receipt = sink.last_receipt;
      const size = receipt && receipt.size > 0 ? `, ${bytes(receipt.size)}` : "";
      setText(
        where,
        receipt
          ? `newest ${localTime(receipt.when_ns)}${size}: ${plain(receipt.where)}`
          : "nothing delivered yet",
      );
      setText(error, sink.last_error ? `Last error: ${plain(sink.last_error)}` : "");
      show(error, Boolean(sink.last_error));
      setAttribute(box, "data-trouble", sink.unsent_finals || sink.last_error ? "yes" : null);
    },
  );
}
