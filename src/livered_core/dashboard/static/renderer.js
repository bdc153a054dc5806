/** When to draw: the newest wins, nothing queues, and never under a moving pointer or for a page that nobody sees. */

const LONGEST_HOLD_MS = 10000;
const AFTER_RELEASE_MS = 50;
const SETTLED_MS = 150;

/**
 * Make the only caller of a drawing.
 *
 * @param {() => Promise<void>} draw Draws what is newest.
 * @param {(error: Error | null) => void} done Called after the last drawing: with what went wrong, or `null`.
 */
export function renderer(draw, done) {
  let drawing = false;
  let wanted = false;
  let held = 0;

  const isHeld = () => held > 0 && performance.now() - held < LONGEST_HOLD_MS;

  const loop = async () => {
    drawing = true;
    try {
      while (wanted && !document.hidden && !isHeld()) {
        wanted = false;
        await draw();
      }
      done(null);
    } catch (error) {
      done(error);
    } finally {
      drawing = false;
    }
  };

  return {
    /** Ask for a drawing. While one is made, any number of requests become one. */
    request() {
      wanted = true;
      if (!drawing) void loop();
    },
    /** A pointer went down in a plot: a drawing now would take its zoom box away. */
    hold() {
      held = performance.now();
    },
    /** The pointer is up again; plotly.js first makes its zoom of it. */
    release() {
      if (held === 0) return;
      held = 0;
      if (wanted) setTimeout(this.request, AFTER_RELEASE_MS);
    },
  };
}

/** Wait until the browser has put something on the screen; a hidden page has no frames to wait for. */
export function painted() {
  return new Promise((resolve) => {
    const late = setTimeout(resolve, 250);
    requestAnimationFrame(() =>
      requestAnimationFrame(() => {
        clearTimeout(late);
        resolve();
      }),
    );
  });
}

/**
 * Look after what lies outside the page's own doing: pointers in plots, the size of the window, whether it is seen.
 *
 * @param drawer Of `renderer`.
 * @param {Element} place Holds all plots.
 * @param {() => void} redraw Draws everything anew.
 */
export function watch(drawer, place, redraw) {
  place.addEventListener("pointerdown", (event) => {
    if (event.target.closest?.(".plot")) drawer.hold();
  });
  for (const name of ["pointerup", "pointercancel", "blur"]) addEventListener(name, () => drawer.release());
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden) redraw();
  });
  let later = null;
  addEventListener("resize", () => {
    clearTimeout(later);
    later = setTimeout(redraw, SETTLED_MS);
  });
}
