/** The head of the page: what livered does, how old the data are, which run this is, what is missing. */

import { byId, keep, make, setAttribute, setText, show } from "./dom.js";
import { charge, count, duration, isNumber, localTime, plain, rate, utcTime } from "./format.js";

const SYMBOLS = {
  live: "live",
  "catching up": "forward",
  "reading a recording": "forward",
  paused: "pause",
  "no beam": "none",
  "no pulses": "none",
  "between runs": "dots",
  connecting: "wait",
  stopping: "wait",
  stale: "stale",
  "not connected": "failed",
  failed: "failed",
  stopped: "stop",
  "never started": "stop",
};
const KINDS = new Set(["good", "wait", "warn", "bad"]);
const AGE_ONLY = /^Data are [^.]*(\.\d+)?[^.]* old\.$/u;

/** What is shown as the state: the server's, or that this page has lost its server. */
export function stateShown(state, lostSinceMs, nowMs = Date.now()) {
  if (lostSinceMs !== null) {
    const since = localTime(lostSinceMs * 1e6, nowMs);
    return { word: "stale", kind: "bad", sentence: `This page has lost its dashboard since ${since}.` };
  }
  if (!state) return { word: "connecting", kind: "wait", sentence: "This page is asking its dashboard." };
  return state;
}

/**
 * Which instrument a page opens with that was not told: one that runs before one that may, and that before one that
 * does not, and of those the newest session.
 *
 * @param instruments What `/api/instruments` lists; at least one.
 */
export function toOpenWith(instruments) {
  const isOver = (state) => hasEnded(state) || state.word === "never started";
  const rank = ({ state }) => (isOver(state) ? 2 : state.word === "stale" ? 1 : 0);
  const [best] = [...instruments].sort((a, b) => rank(a) - rank(b) || b.started_ns - a.started_ns);
  return best;
}

/** Show the state. The word is announced to readers of the screen when it changes, and only then. */
export function showState(shown) {
  const block = byId("state");
  const word = plain(shown.word, 40);
  setAttribute(block, "data-word", word);
  setAttribute(block, "data-kind", KINDS.has(shown.kind) ? shown.kind : "warn");
  setText(byId("state-word"), word);
  setAttribute(byId("state-symbol"), "href", `#s-${SYMBOLS[word] ?? "wait"}`);
  const sentence = byId("state-sentence");
  setText(sentence, plain(shown.sentence));
  // The age stands beside it, and larger.
  sentence.classList.toggle("unseen", AGE_ONLY.test(shown.sentence));
}

/** Show how old the data are, seconds or `null`. */
export function showAge(seconds) {
  setText(byId("data-age"), isNumber(seconds) ? duration(seconds) : "no data");
}

/**
 * The figures of the run that is shown: those of the status while it is about the run that is drawn or about a newer
 * one, and the result's own after the end, when the status counts nothing any more.
 */
export function figures(status, latest) {
  const run = status?.run ?? null;
  const same = run !== null && latest !== null && run.number === latest.run.number;
  const useResult = latest !== null && (run === null || (same && status.n_events < latest.update.n_events));
  if (useResult) return { run: latest.run, of: latest.update, current: run !== null, isLast: run === null };
  if (run !== null) return { run, of: status, current: true, isLast: false };
  return { run: null, of: null, current: false, isLast: false };
}

/** States in which nothing that was written last is of now. */
const GONE = new Set(["stopped", "failed", "stale", "never started"]);

/** Whether the engine has ended, so that a run without an end has been broken off. */
export const hasEnded = (state) => state?.word === "stopped" || state?.word === "failed";

/** Show which run it is, and its figures. */
export function showRun(status, latest, state) {
  const { run, of, isLast } = figures(status, latest);
  setText(byId("run-word"), isLast ? "Last run" : "Run");
  setText(byId("run-number"), run ? String(run.number) : "none");
  const title = byId("run-title");
  setText(title, run ? plain(run.title) || "without a title" : "No run yet");
  setAttribute(title, "title", run ? plain(run.title) : null);
  const facts = [];
  if (run?.proposal) facts.push(plain(run.proposal, 60));
  if (run?.sample?.name) facts.push(`sample ${plain(run.sample.name, 60)}`);
  if (run?.start_ns > 0) facts.push(`began ${localTime(run.start_ns)}`);
  const factsLine = byId("run-facts");
  setText(factsLine, facts.join(" · "));
  setAttribute(factsLine, "title", run?.start_ns > 0 ? `began ${utcTime(run.start_ns)}` : null);
  setText(byId("charge"), of ? charge(of.proton_charge_pc) : "–");
  setText(byId("events"), of ? count(of.n_events) : "–");
  setText(byId("pulses"), of ? count(of.n_pulses) : "–");
  // What is dead or silent has no rate: its last one would look like one of now.
  setText(byId("event-rate"), status && !GONE.has(state?.word) ? rate(status.event_rate) : "–");
  const isFinal = latest !== null && run !== null && latest.run.number === run.number && latest.update.final;
  // What the status misses is newer than what the result misses.
  const isSame = status?.run && latest && status.run.number === latest.run.number;
  showCompleteness(isSame && !status.complete ? status : of, isFinal, GONE.has(state?.word));
  return { run, isLast };
}

function showCompleteness(of, isFinal, isGone) {
  const place = byId("completeness");
  // Of a run that was broken off nobody may read that it is complete.
  const isBroken = isGone && !isFinal;
  const state = of === null || (of.complete && isBroken) ? "unknown" : of.complete ? "yes" : "no";
  setAttribute(place, "data-complete", state);
  const lines = [];
  if (of?.complete && isBroken) lines.push("Not final: nothing was missing when livered was last heard");
  if (state === "yes") lines.push(isFinal ? "Complete and final" : "Complete so far");
  if (state === "no") {
    lines.push(isFinal ? "Incomplete, final" : "Incomplete");
    const reasons = of.missing ?? [];
    lines.push(...reasons.map((reason) => plain(reason)));
    if (reasons.length === 0) lines.push("what is missing is not said");
  }
  const items = lines.map((text, i) => ({ text, key: `${i}${i === 0 ? "" : text}` }));
  keep(
    place,
    items,
    (item) => item.key,
    (item) => make("p", { class: item.key === "0" ? "verdict" : "reason" }),
    (line, item) => setText(line, item.text),
  );
}

/** Show what is drawn and how old it is; `ageS` is `null` where that is not known. */
export function showDrawn(latest, ageS) {
  if (latest === null) {
    setText(byId("drawn"), "Nothing drawn yet");
    return;
  }
  const made = isNumber(ageS) ? `, ${duration(ageS, false)} ago` : "";
  setText(
    byId("drawn"),
    `Drawn: update ${latest.update.sequence}${latest.update.final ? " (final)" : ""}${made}`,
  );
}

/** The sentence above the curves where they are not what is measured now; empty when they are. */
export function warningOfResult(status, state, latest) {
  if (latest === null) return "";
  if (status?.session?.id && latest.session && status.session.id !== latest.session) {
    return `These curves are of run ${latest.run.number} from before the restart of livered; nothing has been reduced since.`;
  }
  if (status?.run && status.run.number !== latest.run.number) {
    return `These curves are of run ${latest.run.number}; run ${status.run.number} has no result yet.`;
  }
  if (status && !status.run)
    return `These curves are of run ${latest.run.number}, the last one${latest.update.final ? ": its final result" : ""}.`;
  if (state?.kind === "bad") return "These curves no longer grow: see the state above.";
  return "";
}

/** Say who reduces, from where and to where, with the versions. */
export function showAbout(status, version) {
  const session = status?.session;
  const words = [];
  if (session) {
    const plugins = Object.entries(session.plugins ?? {}).map(
      ([name, its]) => `${plain(name, 40)} ${plain(its, 40)}`,
    );
    words.push(`livered ${plain(session.livered_version, 40)}, ${plain(session.backend, 20)}`);
    words.push(`since ${utcTime(session.started_ns)} on ${plain(status.host, 80)}`);
    words.push(`data from ${plain(session.source, 120)}`);
    if (plugins.length) words.push(`plugins ${plugins.join(", ")}`);
    if (session.output_dir) words.push(`files in ${plain(session.output_dir, 200)}`);
  }
  if (version) words.push(`dashboard ${plain(version, 40)}`);
  setText(byId("about"), words.join(" · "));
}

/** Show or hide a notice. */
export function notice(id, text) {
  const place = byId(id);
  setText(place, text);
  show(place, text !== "");
}
