/** The page: who is listened to, what is asked for, when it is drawn. */

import { fromHash, keepChoices, recall } from "./choices.js";
import { now } from "./clock.js";
import { showControls, showInstruments, wireControls } from "./controls.js";
import { curvePanels } from "./curves.js";
import { byId, setText, show } from "./dom.js";
import { asText, fileName, save } from "./downloads.js";
import { LOST_AFTER_MS, listen } from "./events.js";
import { showFailures, showSinks, showTroubles } from "./failures.js";
import { address, getJson, latestOnly, NotThere } from "./fetching.js";
import { plain } from "./format.js";
import { serverNow, showHead } from "./head.js";
import { drawHistory } from "./history.js";
import { imagePanels } from "./image.js";
import { logTable } from "./logs.js";
import { pictureOf } from "./picture.js";
import { showPlugins } from "./plugins.js";
import { forgetLook, plotlyReady } from "./plots.js";
import { painted, renderer, watch } from "./renderer.js";
import { fillCompare, showRuns } from "./runs.js";
import { hasEnded, notice, showAbout, showRun, toOpenWith } from "./state.js";
import { showStatistics } from "./statistics.js";
import { setUpTheme } from "./theme.js";

const TICK_MS = 1000;
const ASK_AGAIN_MS = 3000;

/** For tests and benchmarks: which version is on the screen, since when (ms since 1970), how long it took (ms). */
window.livered = { drawnVersion: 0, drawnAt: 0, drawMs: 0, draws: 0 };

/** What is known of one instrument. */
const NOTHING_YET = Object.freeze({
  status: null,
  state: null,
  lostSince: null, // Date.now() of the newest status, while the dashboard is lost
  latest: null, // the newest result that was fetched
  wanted: null, // the newest result that the stream told of
  earlier: null, // the result that is compared with
  runs: [],
  history: null,
  failures: null,
});

/** What the page knows; `heard` is when the newest status came. */
const page = {
  instruments: [],
  version: "",
  name: null,
  choices: null,
  stream: null,
  asking: false,
  heard: now(),
  ...NOTHING_YET,
};

const readers = { runs: latestOnly(), history: latestOnly(), failures: latestOnly(), earlier: latestOnly() };
const drawer = renderer(drawNewest, (error) => {
  if (error !== null) console.error(error);
  notice("notice-draw", error === null ? "" : `The page could not draw: ${plain(error.message)}`);
});
const panels = curvePanels(byId("panels"), byId("put-away"), choose, drawer.request);
const images = imagePanels(byId("images"));
const logs = logTable(byId("logs"), byId("logs-filter"), byId("logs-note"));

/* ---- time ------------------------------------------------------------------------------------------------------ */

function tick() {
  const silent = page.stream ? page.stream.silentMs() : 0;
  if (silent > LOST_AFTER_MS) page.lostSince ??= Date.now() - silent;
  if (page.lostSince !== null && !page.asking) void askWhy();
  showHead(page);
}

/** Ask why nothing comes: a dashboard that was started again wants its token again. */
async function askWhy() {
  page.asking = true;
  try {
    await getJson("/api/instruments");
  } catch (error) {
    if (error instanceof NotThere && error.status === 401)
      notice("notice-page", "The dashboard was started again and wants its token: load this page anew.");
  } finally {
    setTimeout(() => (page.asking = false), ASK_AGAIN_MS);
  }
}

/* ---- drawing --------------------------------------------------------------------------------------------------- */

async function drawNewest() {
  await plotlyReady();
  await fetchWanted();
  await drawAll();
}

async function fetchWanted() {
  const { wanted, name, latest } = page;
  if (wanted === null || (latest?.version === wanted.version && latest.session === wanted.session)) return;
  try {
    const newest = await getJson(address(name, "latest"));
    if (page.name === name) page.latest = newest;
  } catch (error) {
    const isGone = error instanceof NotThere && error.status === 404;
    if (isGone && page.name === name) page.latest = null;
    // While the dashboard is away there is nothing to say but that; it tells of the newest when it is back.
    else if (error instanceof NotThere) throw error;
  }
}

async function drawAll() {
  const { latest, choices, name } = page;
  const began = performance.now();
  const some = latest !== null && latest.curves.length > 0;
  show(byId("no-curves"), !some);
  show(byId("images-section"), latest !== null && latest.images.length > 0 && !choices.wall);
  await panels.draw(latest, choices, comparedWith());
  showStatistics(latest);
  byId("download-text").disabled = byId("download-png").disabled = !some;
  await painted();
  if (page.name !== name) return; // Another instrument was chosen meanwhile.
  showRun(page.status, latest, page.state);
  showHead(page);
  showControls(page.choices, latest); // They may be others than when this drawing began.
  fillCompare(byId("compare"), page.runs, latest?.run.number, page.choices.compare);
  Object.assign(window.livered, {
    drawnVersion: latest?.version ?? 0,
    drawnAt: Date.now(),
    drawMs: performance.now() - began,
    draws: window.livered.draws + 1,
  });
  setText(byId("updated-version"), latest === null ? "" : String(latest.version));
  if (!page.choices.wall) void images.draw(latest, page.choices);
}

async function drawTheHistory() {
  if (document.hidden || page.choices === null || page.choices.wall) return;
  await plotlyReady();
  await drawHistory(byId("history-plot"), byId("history-note"), page.history);
}

/** Draw everything anew: other colours, another size. */
function redraw() {
  forgetLook();
  if (page.choices === null) return;
  drawer.request();
  void reading(drawTheHistory);
}

/* ---- what the stream tells ------------------------------------------------------------------------------------- */

const handlers = (name) => ({
  status(data) {
    if (page.lostSince !== null) void reading(checkVersion);
    const isOther = hasEnded(page.state) !== hasEnded(data.state);
    Object.assign(page, {
      state: data.state,
      status: data.status,
      heard: now(),
      lostSince: null,
    });
    showStatus();
    if (isOther) showTheRuns();
  },
  latest(data) {
    page.wanted = data;
    drawer.request();
  },
  runs: () =>
    reading(async () => {
      const runs = await readers.runs.get(address(name, "runs"));
      if (runs === undefined) return;
      page.runs = runs.runs;
      showTheRuns();
      await fetchEarlier();
    }),
  history: () =>
    reading(async () => {
      const history = await readers.history.get(address(name, "history"));
      if (history === undefined) return;
      page.history = history;
      await drawTheHistory();
    }),
  failures: () =>
    reading(async () => {
      const failures = await readers.failures.get(address(name, "failures"));
      if (failures === undefined) return;
      page.failures = failures;
      showFailures(failures);
      showTroubles(failures, page.status?.sinks ?? []);
    }),
  instruments(data) {
    page.instruments = Array.isArray(data) ? data : data.instruments;
    showInstruments(page.instruments, page.name);
  },
});

/** A dashboard that comes back may be a newer one, which brings a newer page. */
async function checkVersion() {
  const answer = await getJson("/api/instruments");
  if (answer.livered_version !== page.version) location.reload();
}

/** Do something that asks the server; when that is away, the silence of the stream says so. */
async function reading(work) {
  try {
    await work();
  } catch (error) {
    if (!(error instanceof NotThere && error.status === 404)) console.warn(plain(error.message));
  }
}

function showStatus() {
  const { status, latest, state, name } = page;
  showRun(status, latest, page.state);
  showHead(page);
  logs.show(status, serverNow(page));
  showSinks(status?.sinks ?? []);
  showPlugins(status, hasEnded(page.state));
  showTroubles(page.failures, status?.sinks ?? []);
  showAbout(status, page.version);
  const isNever = status === null && state?.word === "never started";
  const how = "start one with “livered run”.";
  notice("notice-engine", isNever ? `No livered has run here yet for ${plain(name, 60)}: ${how}` : "");
}

function showTheRuns() {
  const { runs, status, state, choices, latest } = page;
  showRuns(byId("runs"), byId("no-runs"), runs, status, hasEnded(state), choices.compare, ({ number }) => {
    choose({ compare: number === page.choices.compare ? 0 : number });
  });
  fillCompare(byId("compare"), runs, latest?.run.number, choices.compare);
}

/** Fetch the result to compare with, unless it is there already. */
async function fetchEarlier() {
  const { compare } = page.choices;
  const run = page.runs.find((one) => one.number === compare && one.kept);
  if (compare === 0 || !run) {
    readers.earlier.stop();
    page.earlier = null;
  } else {
    const { earlier } = page;
    const isThere = earlier?.run.number === compare && earlier.version === run.version;
    if (isThere && earlier.session === run.session) return;
    const found = await readers.earlier.get(address(page.name, "runs", compare));
    if (found === undefined) return;
    page.earlier = found;
  }
  drawer.request();
}

/* ---- what a person does ---------------------------------------------------------------------------------------- */

function choose(change) {
  if (page.name === null) return; // There is nobody yet for whom to keep it.
  const { wall } = page.choices;
  page.choices = { ...page.choices, ...change };
  keepChoices(page.name, page.choices);
  showControls(page.choices, page.latest);
  if ("compare" in change) {
    showTheRuns();
    void reading(fetchEarlier);
  }
  if (page.choices.wall !== wall) redraw();
  else drawer.request();
}

/** The result that is laid under this one; null also while it is fetched. */
const comparedWith = () => (page.earlier?.run.number === page.choices.compare ? page.earlier : null);

function saveText() {
  const { name, latest, status, choices } = page;
  const text = asText(
    name,
    latest,
    status,
    panels.shown().map(({ panel }) => panel),
    choices,
    comparedWith(),
  );
  save(new Blob([text], { type: "text/plain;charset=utf-8" }), `${fileName(name, latest)}.txt`);
}

async function savePicture() {
  const { name, latest, choices } = page;
  try {
    const maps = choices.wall ? [] : images.shown();
    save(
      await pictureOf(latest, comparedWith(), panels.shown(), maps, choices.off),
      `${fileName(name, latest)}.png`,
    );
    notice("notice-page", "");
  } catch (error) {
    notice("notice-page", `The picture could not be made: ${plain(error.message)}`);
  }
}

function setUp() {
  wireControls(choose, () => page.choices);
  byId("instrument").addEventListener("change", () => select(byId("instrument").value, null));
  byId("download-text").addEventListener("click", saveText);
  byId("download-png").addEventListener("click", () => void savePicture());
  addEventListener("hashchange", () => {
    const { name, query } = fromHash(location.hash);
    if (page.instruments.some((one) => one.name === name)) select(name, query);
  });
  watch(drawer, byId("main"), redraw);
  setUpTheme(byId("theme"), redraw);
}

/* ---- instruments ----------------------------------------------------------------------------------------------- */

function select(name, query) {
  page.stream?.close();
  for (const reader of Object.values(readers)) reader.stop();
  Object.assign(page, NOTHING_YET, { name, heard: now(), choices: recall(name, query) });
  keepChoices(name, page.choices);
  showInstruments(page.instruments, name);
  showControls(page.choices, null);
  showStatus();
  showTheRuns();
  showFailures(null);
  page.stream = listen(address(name, "events"), handlers(name));
  redraw();
}

async function begin() {
  try {
    const answer = await getJson("/api/instruments");
    page.version = answer.livered_version;
    page.lostSince = null;
    notice("notice-page", plain(answer.problem ?? ""));
    if (answer.instruments.length > 0) {
      page.instruments = answer.instruments;
      const { name, query } = fromHash(location.hash);
      // A screen may be put up before its instrument has run: what is in the address is waited for.
      if (name) select(name, query);
      else select(toOpenWith(answer.instruments).name, null);
      return;
    }
    page.heard = now();
    const sentence = "No livered has run here yet.";
    page.state = {
      word: "never started",
      kind: "wait",
      sentence,
      data_age_s: null,
      now_ns: Date.now() * 1e6,
    };
    const how =
      "start one with “livered run --instrument NOM --simulate”. This page shows it within seconds.";
    notice("notice-engine", `No livered has run here yet: ${how}`);
  } catch (error) {
    if (error instanceof NotThere) notice("notice-page", plain(error.message));
    else page.lostSince ??= Date.now();
  }
  showHead(page);
  setTimeout(begin, ASK_AGAIN_MS);
}

setUp();
setInterval(tick, TICK_MS);
void reading(plotlyReady);
void begin();
