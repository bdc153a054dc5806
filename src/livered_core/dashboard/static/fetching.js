/** Reading the server: one request at a time for each thing, the newest wins. */

/** An answer that is not what was asked for; `status` is HTTP's. */
export class NotThere extends Error {
  constructor(status, message) {
    super(message);
    this.name = "NotThere";
    this.status = status;
  }
}

/** The address of something of an instrument. */
export const address = (instrument, ...parts) =>
  ["/api/instruments", encodeURIComponent(instrument), ...parts.map(encodeURIComponent)].join("/");

/** Fetch JSON, or throw `NotThere`. */
export async function getJson(url, signal) {
  const answer = await fetch(url, { signal, credentials: "same-origin", cache: "no-cache" });
  if (!answer.ok) {
    const said = await answer.json().catch(() => ({}));
    throw new NotThere(answer.status, said.error ?? `The dashboard answered ${answer.status}.`);
  }
  return answer.json();
}

/**
 * A reader of one thing. `get` gives `undefined` when a newer request has taken over meanwhile: a late answer never
 * covers a newer one.
 */
export function latestOnly() {
  let current = null;
  return {
    async get(url) {
      current?.abort();
      const mine = new AbortController();
      current = mine;
      try {
        const value = await getJson(url, mine.signal);
        return current === mine ? value : undefined;
      } catch (error) {
        if (mine.signal.aborted) return undefined;
        throw error;
      } finally {
        if (current === mine) current = null;
      }
    },
    stop() {
      current?.abort();
      current = null;
    },
  };
}
