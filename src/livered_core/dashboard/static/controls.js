/** Switches, lists and buttons above the curves, and the list of instruments. */

import { byId, keep, make, setAttribute, setText, show } from "./dom.js";
import { plain } from "./format.js";
import { isCounts } from "./units.js";

const SWITCHES = ["logy", "logx", "logz", "steps", "band", "apart", "difference", "scale"];
const KIND_OF_DATA = /-(simulated|recorded)$/u;

/** Listen to the controls; `choose` is called with what changed, `current` gives the choices. */
export function wireControls(choose, current) {
  for (const id of SWITCHES) byId(id).addEventListener("change", () => choose({ [id]: byId(id).checked }));
  byId("axis").addEventListener("change", () => choose({ axis: byId("axis").value }));
  byId("compare").addEventListener("change", () => choose({ compare: Number(byId("compare").value) }));
  byId("wall").addEventListener("click", () => choose({ wall: !current()?.wall }));
  addEventListener("keydown", (event) => {
    if (event.key === "Escape" && current()?.wall) choose({ wall: false });
  });
  document.querySelector(".skip").addEventListener("click", (event) => {
    event.preventDefault(); // The address holds the choices: it stays.
    byId("curves").focus();
  });
}

/** Show what is chosen. */
export function showControls(choices, latest) {
  for (const id of SWITCHES) byId(id).checked = choices[id];
  byId("axis").value = choices.axis;
  byId("difference").disabled = choices.compare === 0;
  setAttribute(byId("wall"), "aria-pressed", choices.wall ? "true" : "false");
  document.documentElement.classList.toggle("wall", choices.wall);
  // Scaling by the charge is for counts: elsewhere it would change nothing, and the switch says so.
  const counts = latest === null || latest.curves.some((curve) => isCounts(curve.y_unit));
  byId("scale").disabled = choices.compare === 0 || !counts;
  const why = counts
    ? "Multiply the earlier run's counts by the ratio of the proton charges"
    : "Nothing here is in counts: the curves compare as they are";
  setAttribute(byId("scale-label"), "title", why);
}

/** Show the instruments: a name where there is one, a list where there are several. */
export function showInstruments(list, name) {
  const several = list.length > 1;
  show(byId("instrument-choice"), several);
  byId("instrument-name").classList.toggle("unseen", several);
  setText(byId("instrument-name"), name === null ? "livered" : plain(name.replace(KIND_OF_DATA, ""), 60));
  const kind = KIND_OF_DATA.exec(name ?? "")?.[1] ?? "";
  setText(byId("kind-of-data"), kind);
  show(byId("kind-of-data"), kind !== "" && !several); // The list of several says it itself.
  const isListed = name === null || list.some((one) => one.name === name);
  const options = isListed ? list : [{ name, state: { word: "gone" } }, ...list];
  const create = (one) => make("option", { value: one.name });
  keep(
    byId("instrument"),
    options,
    (one) => one.name,
    create,
    (option, one) => {
      setText(option, `${plain(one.name, 60)} (${plain(one.state.word, 40)})`);
    },
  );
  if (name !== null) byId("instrument").value = name;
}
