/** The panels of curves: made, filled, put away and let go. */

import { keep, make, setAttribute, setText, show } from "./dom.js";
import { number, plain } from "./format.js";
import { curveKeys, drawing, groupCurves } from "./panels.js";
import { draw, drop, view } from "./plots.js";
import { isCounts } from "./units.js";

/**
 * Look after the panels.
 *
 * @param {Element} place Where panels go.
 * @param {Element} shelf Where buttons go that fetch back what was put away.
 * @param {(change: object) => void} choose Called with what a person chose.
 * @param {() => void} zoomed Called when a person zoomed.
 */
export function curvePanels(place, shelf, choose, zoomed) {
  let shown = [];
  let choices = null;

  const toggled = (list, item, on) =>
    on ? list.filter((other) => other !== item) : [...new Set([...list, item])];

  const create = () => {
    const section = make("section", { class: "panel", "data-testid": "panel" });
    const title = make("h3");
    const all = make("button", { type: "button", class: "quiet" }, "all");
    const none = make("button", { type: "button", class: "quiet" }, "none");
    const away = make("button", { type: "button", class: "quiet" }, "hide");
    const list = make("div", { class: "switches", role: "group", "aria-label": "Curves shown" });
    const tools = make("div", { class: "panel-tools" }, all, none, away);
    const plot = make("div", {
      class: "plot",
      tabindex: "0",
      role: "group",
      "aria-describedby": "plot-keys",
    });
    const caption = make("p", { class: "soft caption", hidden: true });
    section.append(make("div", { class: "head" }, title, list, tools), plot, caption);
    section.parts = { title, list, all, none, away, plot, caption };
    const keysOf = () => curveKeys(section.panel);
    all.addEventListener("click", () =>
      choose({ off: choices.off.filter((key) => !keysOf().includes(key)) }),
    );
    none.addEventListener("click", () => choose({ off: [...new Set([...choices.off, ...keysOf()])] }));
    away.addEventListener("click", () => choose({ away: toggled(choices.away, section.panel.name, false) }));
    return section;
  };

  const createSwitch = () => {
    const input = make("input", { type: "checkbox", "data-testid": "curve-toggle" });
    const swatch = make("span", { class: "swatch", "aria-hidden": "true" });
    const name = make("span");
    const label = make("label", { class: "switch" }, input, swatch, name);
    label.parts = { input, swatch, name };
    input.addEventListener("change", () =>
      choose({ off: toggled(choices.off, label.dataset.key, input.checked) }),
    );
    return label;
  };

  const fill = (section, panel) => {
    section.panel = panel;
    const { title, list, all, none, away, plot } = section.parts;
    setAttribute(section, "data-panel", panel.name);
    setAttribute(section, "aria-label", panel.name);
    setText(title, panel.name);
    const keys = curveKeys(panel);
    const alone = panel.curves.length === 1 && plain(panel.curves[0].label) === panel.name;
    keep(
      list,
      alone ? [] : panel.curves.map((curve, i) => ({ curve, key: keys[i], i })),
      (item) => item.key,
      createSwitch,
      (label, { curve, key, i }) => {
        const { input, swatch, name } = label.parts;
        if (input.checked !== !choices.off.includes(key)) input.checked = !choices.off.includes(key);
        swatch.style.setProperty("--colour", `var(--curve-${(i % 8) + 1})`);
        setText(name, plain(curve.label, 60));
      },
    );
    show(all, panel.curves.length > 2);
    show(none, panel.curves.length > 2);
    setAttribute(away, "aria-label", `Hide ${panel.name}`);
    const count = panel.curves.filter((_, i) => !choices.off.includes(keys[i])).length;
    setAttribute(
      plot,
      "aria-label",
      `Plot of ${panel.name} against ${panel.about}: ${count} of ${panel.curves.length} curves shown`,
    );
  };

  const caption = (section, made, earlier) => {
    const { caption: line } = section.parts;
    show(line, earlier !== null);
    if (earlier === null) return;
    const unit = section.panel.curves[0].y_unit;
    if (made.compared === 0) {
      setText(line, `Run ${earlier.run.number} has none of these curves.`);
      return;
    }
    const words = [`Dashed: run ${earlier.run.number}, ${plain(earlier.run.title, 60) || "without a title"}`];
    if (!earlier.update.complete) words[0] += " (incomplete)";
    if (made.factor !== 1)
      words.push(`its counts times ${number(made.factor, 4)}, the ratio of the proton charges`);
    else if (isCounts(unit) && !choices.scale) words.push("counts as they are, whatever the charge");
    if (choices.difference) {
      words.push("below: this run minus that one, errors added in quadrature");
      if (made.interpolated) words.push("that run interpolated linearly onto this run's bins");
    }
    setText(line, `${words.join("; ")}.`);
  };

  const shelve = (names) => {
    show(shelf, names.length > 0);
    keep(
      shelf,
      names,
      (name) => name,
      (name) => {
        const button = make("button", { type: "button", class: "quiet" });
        button.addEventListener("click", () =>
          choose({ away: choices.away.filter((other) => other !== name) }),
        );
        return button;
      },
      (button, name) => setText(button, `show ${name}`),
    );
  };

  return {
    /** Draw a result; `earlier` is a result to compare with or `null`. */
    async draw(result, chosen, earlier) {
      choices = chosen;
      const panels = groupCurves(result?.curves ?? []);
      const open = panels.filter((panel) => !choices.away.includes(panel.name));
      shelve([
        ...new Set(panels.filter((panel) => choices.away.includes(panel.name)).map((panel) => panel.name)),
      ]);
      const gone = new Set(shown.map((panel) => panel.key));
      for (const panel of open) gone.delete(panel.key);
      for (const section of place.children) if (gone.has(section.dataset.key)) drop(section.parts.plot);
      keep(place, open, (panel) => panel.key, create, fill);
      shown = open;
      setAttribute(place, "data-count", open.length);
      const work = [...place.children].map((section) => {
        const made = drawing(
          section.panel,
          choices,
          result.update.proton_charge_pc,
          earlier,
          view(section.parts.plot),
        );
        setAttribute(section, "data-below", made.layout.yaxis2 ? "yes" : null);
        caption(section, made, earlier);
        return draw(section.parts.plot, made.traces, made.layout, zoomed);
      });
      await Promise.all(work);
    },
    /** The panels that are shown, for downloads. */
    shown: () => [...place.children].map((section) => ({ panel: section.panel, plot: section.parts.plot })),
  };
}
