"use strict";
// Zoom, legend and readout for the drawings of the page. Without it they are whole and still.
const SIZE = 1e6;
const SVG = "http://www.w3.org/2000/svg";

function make(name, attributes, text) {
  const element = document.createElementNS(SVG, name);
  for (const key in attributes) element.setAttribute(key, attributes[key]);
  if (text !== undefined) element.textContent = text;
  return element;
}

function scale(low, high, logarithmic) {
  const [a, b] = logarithmic ? [Math.log(low), Math.log(high)] : [low, high];
  return {
    value: (part) => (logarithmic ? Math.exp(a + part * (b - a)) : a + part * (b - a)),
    part: (value) => ((logarithmic ? Math.log(value) : value) - a) / (b - a),
    logarithmic,
  };
}

function ticks(low, high, most, logarithmic) {
  const found = [];
  if (logarithmic && high / low >= 10) {
    for (let decade = Math.floor(Math.log10(low)); 10 ** decade <= high; decade++)
      for (const digit of [1, 2, 5]) found.push(digit * 10 ** decade);
    return found.filter((value) => value >= low && value <= high);
  }
  const rough = (high - low) / most;
  if (!(rough > 0) || !isFinite(rough)) return [low];
  const decade = 10 ** Math.floor(Math.log10(rough));
  const step = decade * [1, 2, 5, 10].find((digit) => digit * decade >= rough * 0.999999);
  for (let index = Math.ceil(low / step); index * step <= high && found.length < 50; index++) found.push(index * step);
  return found;
}

function written(value, span) {
  const digits = Math.max(3, Math.ceil(Math.log10(Math.abs(value) / span || 1)) + 3);
  return String(Number((Math.abs(value) < span * 1e-9 ? 0 : value).toPrecision(Math.min(digits, 15))));
}

function equip(figure) {
  const plot = figure.querySelector(".plot");
  const area = plot.querySelector(".area");
  const frame = plot.querySelector(".frame");
  const marks = plot.querySelector(".marks");
  const box = Object.fromEntries(["x", "y", "width", "height"].map((key) => [key, +frame.getAttribute(key)]));
  const data = figure.dataset;
  const across = scale(+data.xLow, +data.xHigh, data.xLog === "yes");
  const up = scale(+data.yLow, +data.yHigh, false);
  const whole = { x0: 0, x1: 1, y0: 0, y1: 1 };
  let view = { ...whole };

  function draw() {
    area.setAttribute(
      "viewBox",
      [view.x0 * SIZE, (1 - view.y1) * SIZE, (view.x1 - view.x0) * SIZE, (view.y1 - view.y0) * SIZE].join(" "),
    );
    marks.replaceChildren();
    const [left, right] = [across.value(view.x0), across.value(view.x1)];
    const [bottom, top] = [up.value(view.y0), up.value(view.y1)];
    for (const value of ticks(left, right, 8, across.logarithmic)) {
      const x = box.x + ((across.part(value) - view.x0) / (view.x1 - view.x0)) * box.width;
      marks.append(make("line", { class: "grid", x1: x, x2: x, y1: box.y, y2: box.y + box.height }));
      marks.append(make("text", { class: "x", x, y: box.y + box.height + 9 }, written(value, right - left)));
    }
    for (const value of ticks(bottom, top, 6, false)) {
      const y = box.y + box.height - ((up.part(value) - view.y0) / (view.y1 - view.y0)) * box.height;
      marks.append(make("line", { class: "grid", x1: box.x, x2: box.x + box.width, y1: y, y2: y }));
      marks.append(make("text", { class: "y", x: box.x - 8, y }, written(value, top - bottom)));
    }
  }

  function show(x0, x1, y0, y1) {
    const kept = (low, high) => {
      const width = Math.min(1, Math.max(1e-4, high - low));
      const start = Math.min(1 - width, Math.max(0, (low + high - width) / 2));
      return [start, start + width];
    };
    [view.x0, view.x1] = kept(x0, x1);
    [view.y0, view.y1] = kept(y0, y1);
    draw();
  }

  function zoom(factor) {
    const [x, y] = [(view.x0 + view.x1) / 2, (view.y0 + view.y1) / 2];
    const [w, h] = [((view.x1 - view.x0) * factor) / 2, ((view.y1 - view.y0) * factor) / 2];
    show(x - w, x + w, y - h, y + h);
  }

  function move(share) {
    const by = (view.x1 - view.x0) * share;
    show(view.x0 + by, view.x1 + by, view.y0, view.y1);
  }

  function reset() {
    show(0, 1, 0, 1);
  }

  const tools = document.createElement("div");
  tools.className = "tools";
  for (const [text, name, action] of [
    ["+", "zoom in", () => zoom(0.5)],
    ["\u2212", "zoom out", () => zoom(2)],
    ["\u25c0", "to the left", () => move(-0.25)],
    ["\u25b6", "to the right", () => move(0.25)],
    ["all", "show everything", reset],
  ]) {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = text;
    button.title = name;
    button.setAttribute("aria-label", name);
    button.addEventListener("click", action);
    tools.append(button);
  }
  const readout = document.createElement("span");
  tools.append(readout);
  plot.after(tools);

  const glass = plot.appendChild(make("rect", { class: "catch", ...box }));
  const here = (event) => {
    const place = glass.getBoundingClientRect();
    const share = (value, low, size) => Math.min(1, Math.max(0, (value - low) / size));
    const x = share(event.clientX, place.left, place.width);
    const y = 1 - share(event.clientY, place.top, place.height);
    return { x: view.x0 + x * (view.x1 - view.x0), y: view.y0 + y * (view.y1 - view.y0) };
  };
  let start = null;
  let mark = null;
  const end = () => {
    if (mark) mark.remove();
    start = mark = null;
  };
  glass.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    start = here(event);
    mark = area.appendChild(make("rect", { class: "drag" }));
    glass.setPointerCapture(event.pointerId);
    event.preventDefault();
  });
  glass.addEventListener("pointermove", (event) => {
    const now = here(event);
    const [x, y] = [across.value(now.x), up.value(now.y)];
    const spans = [across.value(view.x1) - across.value(view.x0), up.value(view.y1) - up.value(view.y0)];
    readout.textContent = `${written(x, spans[0])}, ${written(y, spans[1])}`;
    if (!start) return;
    mark.setAttribute("x", Math.min(start.x, now.x) * SIZE);
    mark.setAttribute("y", (1 - Math.max(start.y, now.y)) * SIZE);
    mark.setAttribute("width", Math.abs(now.x - start.x) * SIZE);
    mark.setAttribute("height", Math.abs(now.y - start.y) * SIZE);
  });
  glass.addEventListener("pointerup", (event) => {
    if (!start) return;
    const [from, to] = [start, here(event)];
    const wide = Math.abs(to.x - from.x) > 0.01 * (view.x1 - view.x0);
    const tall = Math.abs(to.y - from.y) > 0.03 * (view.y1 - view.y0);
    end();
    // A drag along one axis zooms that axis alone, and a click none.
    show(
      wide ? Math.min(from.x, to.x) : view.x0,
      wide ? Math.max(from.x, to.x) : view.x1,
      tall ? Math.min(from.y, to.y) : view.y0,
      tall ? Math.max(from.y, to.y) : view.y1,
    );
  });
  glass.addEventListener("pointercancel", end);
  glass.addEventListener("dblclick", reset);
  for (const choice of figure.querySelectorAll(".legend input")) {
    choice.hidden = false;
    choice.addEventListener("change", () => {
      for (const part of area.querySelectorAll(`[data-curve="${choice.value}"]`))
        part.toggleAttribute("hidden", !choice.checked);
    });
  }
}

for (const figure of document.querySelectorAll("figure")) equip(figure);
