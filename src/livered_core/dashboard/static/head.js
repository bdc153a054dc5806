/** What of the head changes with time: the state, the age of the data, what is drawn. */

import { sinceMs } from "./clock.js";
import { byId, setAttribute } from "./dom.js";
import { plain } from "./format.js";
import { notice, showAge, showDrawn, showState, stateShown, warningOfResult } from "./state.js";

const sinceHeardS = (page) => sinceMs(page.heard) / 1e3;

/** The server's clock now, nanoseconds; this computer's own may be wrong. */
export const serverNow = (page) =>
  page.state ? page.state.now_ns + sinceHeardS(page) * 1e9 : Date.now() * 1e6;

/** Everything in the head that changes with time. */
export function showHead(page) {
  const { latest, state, status, lostSince } = page;
  const shown = stateShown(state, lostSince);
  showState(shown);
  showAge(typeof state?.data_age_s === "number" ? state.data_age_s + sinceHeardS(page) : null);
  showDrawn(latest, latest ? Math.max(0, (serverNow(page) - latest.published_ns) / 1e9) : null);
  const isLost = lostSince !== null;
  notice(
    "connection-lost",
    isLost ? `${shown.sentence} What is shown may be old. It is asked again all the time.` : "",
  );
  notice("notice-result", isLost ? "" : warningOfResult(status, state, latest));
  setAttribute(byId("curves"), "data-still", latest !== null && shown.kind === "bad" ? "yes" : null);
  const title = page.name ? `${plain(page.name, 60)}: ${plain(shown.word, 40)}` : "livered";
  if (document.title !== title) document.title = title;
}
