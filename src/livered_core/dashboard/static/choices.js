/** What a person has chosen for an instrument: in the address, so that it can be shared, and in this browser. */

export const DEFAULTS = Object.freeze({
  axis: "measured",
  logy: false,
  logx: false,
  logz: true,
  steps: true,
  band: false,
  apart: false,
  compare: 0,
  difference: false,
  scale: true,
  wall: false,
  off: Object.freeze([]),
  away: Object.freeze([]),
});

const key = (instrument) => `livered:${instrument}`;

/** Write choices that are not the default as a query. */
export function toQuery(choices) {
  const query = new URLSearchParams();
  for (const [name, usual] of Object.entries(DEFAULTS)) {
    const value = choices[name];
    if (Array.isArray(usual)) for (const item of value) query.append(name, item);
    else if (value !== usual)
      query.set(name, typeof value === "boolean" ? (value ? "1" : "0") : String(value));
  }
  return query.toString();
}

/** Read choices from a query; what it does not say, or says wrongly, is the default. */
export function fromQuery(text) {
  const query = new URLSearchParams(text);
  const choices = {};
  for (const [name, usual] of Object.entries(DEFAULTS)) {
    const value = query.get(name);
    if (Array.isArray(usual)) choices[name] = query.getAll(name);
    else if (value === null) choices[name] = usual;
    else if (typeof usual === "boolean") choices[name] = value === "1";
    else if (typeof usual === "number") choices[name] = /^\d+$/.test(value) ? Number(value) : usual;
    else choices[name] = ["measured", "d", "q"].includes(value) ? value : usual;
  }
  return choices;
}

/** Take the address apart: `#NAME?axis=q` is the instrument and the choices. */
export function fromHash(hash) {
  const text = hash.replace(/^#/, "");
  const at = text.indexOf("?");
  const raw = at < 0 ? text : text.slice(0, at);
  let name = raw;
  try {
    name = decodeURIComponent(raw);
  } catch {
    // Not an encoded text: taken as it is.
  }
  return { name, query: at < 0 ? null : text.slice(at + 1) };
}

/** The choices for an instrument: those of the address, else those kept in this browser, else the usual ones. */
export function recall(instrument, query) {
  if (query !== null) return fromQuery(query);
  try {
    return fromQuery(localStorage.getItem(key(instrument)) ?? "");
  } catch {
    return fromQuery(""); // The browser keeps nothing for this page.
  }
}

/** Keep the choices, in the address and in this browser. */
export function keepChoices(instrument, choices) {
  const query = toQuery(choices);
  history.replaceState(null, "", `#${encodeURIComponent(instrument)}${query ? `?${query}` : ""}`);
  try {
    localStorage.setItem(key(instrument), query);
  } catch {
    // The browser keeps nothing for this page; the address holds the choices.
  }
}
