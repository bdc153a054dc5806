/** Two-dimensional views as maps of colour. */

import { keep, make, setAttribute, setText } from "./dom.js";
import { forPlotly, plain } from "./format.js";
import { axis, draw, drop, layout, look } from "./plots.js";
import { prettyUnit } from "./units.js";

const words = (unit) => (unit === "deg" ? "degrees" : prettyUnit(unit));

/** Ticks of a bar of colours whose values are logarithms: powers of ten, with 2 and 5 between where there is room. */
export function logTicks(low, high) {
  if (!(high > low)) return { tickvals: [low], ticktext: [String(Number((10 ** low).toPrecision(3)))] };
  const factors = high - low > 3 ? [1] : [1, 2, 5];
  const tickvals = [];
  const ticktext = [];
  for (let power = Math.floor(low); power <= Math.ceil(high); power += 1) {
    for (const factor of factors) {
      const at = power + Math.log10(factor);
      if (at < low - 1e-9 || at > high + 1e-9) continue;
      tickvals.push(at);
      ticktext.push(
        Math.abs(power) < 5
          ? Number((factor * 10 ** power).toPrecision(3)).toLocaleString("en-GB")
          : `${factor}e${power}`,
      );
    }
  }
  return { tickvals, ticktext };
}

/** What plotly.js draws for an image. */
export function imageDrawing(image, log) {
  const { size, narrow, touch, ink, line } = look();
  let z = image.z;
  let ticks = {};
  if (log) {
    let low = Infinity;
    let high = -Infinity;
    z = image.z.map((row) =>
      row.map((value) => {
        if (!(value > 0)) return null;
        const at = Math.log10(value);
        if (at < low) low = at;
        if (at > high) high = at;
        return at;
      }),
    );
    ticks = Number.isFinite(low) ? logTicks(low, high) : {};
  }
  const unit = words(image.z_unit);
  const trace = {
    type: "heatmap",
    uid: "image",
    x: image.x,
    y: image.y,
    z,
    zsmooth: false,
    colorscale: "Viridis",
    hoverongaps: false,
    hovertemplate: `%{x:.5~g} ${forPlotly(words(image.x_unit))}, %{y:.5~g} ${forPlotly(words(image.y_unit))}<br>%{customdata:.6~g} ${forPlotly(unit)}<extra></extra>`,
    customdata: image.z,
    colorbar: {
      title: { text: forPlotly(unit), side: "right", font: { size: size * 0.85, color: ink } },
      tickfont: { size: size * 0.8, color: ink },
      outlinecolor: line,
      outlinewidth: 1,
      thickness: size * 0.9,
      len: 1,
      y: 0.5,
      exponentformat: "power",
      ...ticks,
    },
  };
  const shape = layout("kept", {
    hovermode: "closest",
    margin: { l: size * 4.2, r: size * 6.2, t: size * (touch ? 2.2 : 0.6), b: size * 3.1 },
    xaxis: axis(forPlotly(words(image.x_unit)), { showgrid: false, nticks: narrow ? 5 : 10 }),
    yaxis: axis(forPlotly(words(image.y_unit)), { showgrid: false }),
  });
  return { traces: [trace], layout: shape };
}

const whenIdle = (work) =>
  window.requestIdleCallback ? requestIdleCallback(work, { timeout: 5000 }) : setTimeout(work, 1000);

/** Look after the images in an element. */
export function imagePanels(place) {
  const create = () => {
    const section = make("section", { class: "panel", "data-testid": "image-panel" });
    const title = make("h3");
    const plot = make("div", {
      class: "plot",
      tabindex: "0",
      role: "group",
      "aria-describedby": "plot-keys",
    });
    section.append(make("div", { class: "head" }, title), plot);
    section.parts = { title, plot };
    seen.observe(section);
    return section;
  };
  const fill = (section, { image }) => {
    section.image = image;
    setText(section.parts.title, plain(image.label, 100));
    setAttribute(section, "data-panel", plain(image.label, 100));
    setAttribute(section.parts.plot, "aria-label", `Map of ${plain(image.label, 100)}`);
  };
  let newest = { choices: null, number: 0 };
  const drawOne = (section) => {
    section.drawn = newest.number;
    const made = imageDrawing(section.image, newest.choices.logz);
    return draw(section.parts.plot, made.traces, made.layout);
  };
  // Maps cost more than curves: those that nobody sees wait until they are scrolled to.
  const seen = new IntersectionObserver(
    (entries) => {
      for (const { target, isIntersecting } of entries) {
        target.seen = isIntersecting;
        if (isIntersecting && target.drawn !== undefined && target.drawn !== newest.number)
          void drawOne(target);
      }
    },
    { rootMargin: "200px" },
  );
  return {
    /** Draw a result's images. */
    async draw(result, choices) {
      newest = { choices, number: newest.number + 1 };
      const items = (result?.images ?? []).map((image, i) => ({ image, key: `${i} ${image.label}` }));
      const keys = new Set(items.map((item) => item.key));
      for (const section of place.children)
        if (!keys.has(section.dataset.key)) {
          drop(section.parts.plot);
          seen.unobserve(section);
        }
      keep(place, items, (item) => item.key, create, fill);
      const work = [];
      for (const section of place.children) {
        if (section.seen) work.push(drawOne(section));
        else if (section.drawn === undefined)
          whenIdle(() => section.isConnected && section.drawn === undefined && void drawOne(section));
      }
      await Promise.all(work);
    },
    /** The maps that are drawn, for downloads. */
    shown: () =>
      [...place.children]
        .filter((section) => section.parts.plot.classList.contains("js-plotly-plot"))
        .map((section) => ({ image: section.image, plot: section.parts.plot })),
  };
}
