/** The stream of events of one instrument, and how long the dashboard has been silent. */

import { now, sinceMs } from "./clock.js";

/** Without a status for so long, milliseconds, the page says that it has lost its dashboard. */
export const LOST_AFTER_MS = 5000;
const RETRY_MS = 2000;

/**
 * Listen to the events of an instrument until `close` is called.
 *
 * @param {string} url Of the stream.
 * @param {Object<string, (data: object) => void>} handlers By the name of the event.
 */
export function listen(url, handlers) {
  let source = null;
  let timer = null;
  let heard = now();
  let closed = false;

  const open = () => {
    source = new EventSource(url);
    for (const [name, handle] of Object.entries(handlers)) {
      source.addEventListener(name, (event) => {
        if (closed) return;
        if (name === "status") heard = now();
        handle(JSON.parse(event.data));
      });
    }
    // The browser comes back by itself from a broken connection, but not from a refusal.
    source.addEventListener("error", () => {
      if (closed || source.readyState !== EventSource.CLOSED) return;
      source.close();
      clearTimeout(timer);
      timer = setTimeout(open, RETRY_MS);
    });
  };
  open();

  return {
    /** Milliseconds since the newest status. */
    silentMs: () => sinceMs(heard),
    close() {
      closed = true;
      clearTimeout(timer);
      source.close();
    },
  };
}
