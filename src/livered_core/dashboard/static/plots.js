/** What all plots share: plotly.js, colours and sizes of the page, redrawing on resize, keys. */

let cached = null;
const plots = new Set();

let loading = null;

/** Wait for plotly.js, which comes beside the page because it is large; after a failure it is asked for again. */
export function plotlyReady() {
  loading ??= new Promise((resolve, reject) => {
    const script = document.createElement("script");
    script.src = "/plotly.js";
    script.addEventListener("load", resolve, { once: true });
    script.addEventListener(
      "error",
      () => {
        loading = null;
        script.remove();
        reject(new Error("the dashboard does not give plotly.js."));
      },
      { once: true },
    );
    document.head.append(script);
  });
  return loading;
}

/** Forget the colours and sizes read from the style sheet: the theme or the size of the window is another. */
export function forgetLook() {
  cached = null;
}

/** Colours and sizes of plots, as the style sheet has them now. */
export function look() {
  if (cached !== null) return cached;
  // A colour of the style sheet is two, for light and dark: an element in that colour says which it is.
  const probe = document.createElement("i");
  document.body.append(probe);
  const read = (name) => {
    probe.style.color = `var(${name})`;
    return getComputedStyle(probe).color;
  };
  const size = parseFloat(getComputedStyle(document.documentElement).fontSize) || 16;
  cached = {
    size,
    narrow: innerWidth < 700,
    touch: matchMedia("(pointer: coarse)").matches,
    font: getComputedStyle(document.body).fontFamily,
    ink: read("--ink"),
    soft: read("--ink-soft"),
    grid: read("--plot-grid"),
    line: read("--plot-line"),
    surface: read("--surface"),
    curves: Array.from({ length: 8 }, (_, i) => read(`--curve-${i + 1}`)),
    good: read("--shade-good"),
    wait: read("--shade-wait"),
    warn: read("--shade-warn"),
    bad: read("--shade-bad"),
  };
  probe.remove();
  return cached;
}

/** A colour read by `look`, but transparent. */
export const faded = (colour, share) => colour.replace(/^rgb\((.*)\)$/u, `rgba($1, ${share})`);

/** An axis in the look of the page. */
export function axis(title, more = {}) {
  const { ink, grid, line, size } = look();
  return {
    title: { text: title, font: { size: size * 0.92, color: ink }, standoff: size * 0.5 },
    tickfont: { size: size * 0.85, color: ink },
    gridcolor: grid,
    linecolor: line,
    tickcolor: line,
    zerolinecolor: line,
    zerolinewidth: 1,
    showline: true,
    ticks: "outside",
    ticklen: 4,
    automargin: false,
    exponentformat: more.type === "log" ? "power" : "e",
    ...more,
  };
}

/** A layout in the look of the page. `revision` changes when zoom is to be forgotten. */
export function layout(revision, more = {}) {
  const { size, touch, font, ink, surface, line } = look();
  return {
    uirevision: revision,
    autosize: true,
    font: { family: font, size: size * 0.85, color: ink },
    paper_bgcolor: surface,
    plot_bgcolor: surface,
    // The buttons of a plot stand above it where no pointer can call them up.
    margin: { l: size * 5.4, r: size * 0.8, t: size * (touch ? 2.2 : 0.5), b: size * 3.1 },
    showlegend: false,
    hovermode: "x unified",
    hoverlabel: {
      bgcolor: surface,
      bordercolor: line,
      font: { size: size * 0.85, color: ink, family: font },
      namelength: 40,
    },
    dragmode: touch ? false : "zoom", // A finger scrolls the page.
    ...more,
  };
}

const CONFIG = {
  responsive: false, // An observer of the element itself does it: it also sees a panel change alone.
  displaylogo: false,
  displayModeBar: "hover",
  doubleClick: "reset",
  // plotly.js 4 offers to send charts to a service of its maker: nothing leaves this page.
  modeBarButtonsToRemove: ["sendChartToCloud", "lasso2d", "select2d", "autoScale2d", "toImage"],
  plotlyServerURL: "",
  showTips: false,
};

const sizes = new ResizeObserver((entries) => {
  for (const { target } of entries) {
    if (plots.has(target) && target.clientWidth > 0 && target._fullLayout) window.Plotly.Plots.resize(target);
  }
});

/** What of the x axis is in view, as numbers, and how many pixels wide that is; `range` is `null` for all of it. */
export function view(div) {
  const shown = div._fullLayout?.xaxis;
  if (!shown) return { width: div.clientWidth, range: null };
  const range = shown.autorange ? null : shown.range.map((end) => shown.r2c(end));
  return { width: shown._length, range };
}

/** Draw into an element; the element keeps its zoom. `zoomed` is called when a person zooms. */
export async function draw(div, traces, shape, zoomed = null) {
  if (div.clientWidth === 0) return;
  if (!plots.has(div)) {
    div.classList.add("js-plotly-plot"); // Its height hangs on it.
    await window.Plotly.newPlot(div, traces, shape, CONFIG);
    plots.add(div);
    sizes.observe(div);
    div.addEventListener("keydown", moveByKey);
    if (zoomed !== null) div.on("plotly_relayout", zoomed);
  } else await window.Plotly.react(div, traces, shape, CONFIG);
}

/** Let a plot go. */
export function drop(div) {
  if (!plots.delete(div)) return;
  sizes.unobserve(div);
  div.removeEventListener("keydown", moveByKey);
  window.Plotly.purge(div);
  div.classList.remove("js-plotly-plot");
}

/** Zoom and move a plot by keys; the others go on to the page, so that nobody is trapped. */
function moveByKey(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target !== event.currentTarget) return;
  const div = event.currentTarget;
  const { xaxis, yaxis } = div._fullLayout ?? {};
  if (!xaxis || !yaxis) return;
  const step = { ArrowLeft: [-0.15, 0], ArrowRight: [0.15, 0], ArrowUp: [0, 0.15], ArrowDown: [0, -0.15] }[
    event.key
  ];
  const zoom = { "+": 0.7, "=": 0.7, "-": 1 / 0.7 }[event.key];
  let change = null;
  if (event.key === "0" || event.key === "Home")
    change = { "xaxis.autorange": true, "yaxis.autorange": true };
  else if (zoom) change = { "xaxis.range": scaledRange(xaxis, zoom) };
  else if (step?.[0]) change = { "xaxis.range": movedRange(xaxis, step[0]) };
  else if (step?.[1]) change = { "yaxis.range": movedRange(yaxis, step[1]) };
  if (change === null) return;
  event.preventDefault();
  window.Plotly.relayout(div, change);
}

const linear = (axis) => axis.range.map((end) => axis.r2l(end));
const back = (axis, range) => range.map((end) => axis.l2r(end));

function scaledRange(axis, factor) {
  const [low, high] = linear(axis);
  const middle = (low + high) / 2;
  const half = ((high - low) / 2) * factor;
  return back(axis, [middle - half, middle + half]);
}

function movedRange(axis, share) {
  const [low, high] = linear(axis);
  const by = (high - low) * share;
  return back(axis, [low + by, high + by]);
}
