/** How long ago something was, also when this computer slept meanwhile. */

/** A mark in time. */
export const now = () => ({ ticks: performance.now(), wall: Date.now() });

/** Milliseconds since a mark. Ticks may stand still while the computer sleeps, and the wall clock may be set. */
export const sinceMs = (mark) => Math.max(performance.now() - mark.ticks, Date.now() - mark.wall);
