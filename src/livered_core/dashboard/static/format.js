/** Numbers, times and texts written for people. Pure: nothing here touches the page. */

export const NOTHING = "–";
const LONGEST_TEXT = 300;
const INVISIBLE = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu;
const grouped = new Intl.NumberFormat("en-GB", { maximumFractionDigits: 0 });

/** Whether a value is a number that can be shown. */
export const isNumber = (value) => typeof value === "number" && Number.isFinite(value);

/** Put a text from anywhere on one line of visible characters, and shorten it. */
export function plain(text, longest = LONGEST_TEXT) {
  const line = String(text ?? "")
    .replace(INVISIBLE, " ")
    .split(/\s+/u)
    .filter(Boolean)
    .join(" ");
  const characters = Array.from(line);
  return characters.length <= longest ? line : characters.slice(0, longest - 1).join("") + "…";
}

/** Escape a text for plotly.js, which reads some tags and entities in names and titles, and TeX between dollars. */
export function forPlotly(text, longest = LONGEST_TEXT) {
  return plain(text, longest)
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;")
    .replaceAll("$", "&#36;");
}

/** Make a part of a file's name: ASCII letters, digits and single underscores. */
export function slug(text, otherwise = "unnamed") {
  const ascii = plain(text)
    .normalize("NFKD")
    .replace(/[^\x20-\x7e]/g, "");
  return (
    ascii
      .replace(/[^A-Za-z0-9]+/g, "_")
      .replace(/^_+|_+$/g, "")
      .slice(0, 80) || otherwise
  );
}

/** A whole number with its thousands set apart. */
export const count = (value) => (isNumber(value) ? grouped.format(value) : NOTHING);

/** A number to some significant digits; very large and very small ones with an exponent. */
export function number(value, digits = 5) {
  if (!isNumber(value)) return NOTHING;
  if (value === 0) return "0";
  const size = Math.abs(value);
  if (Number.isInteger(value) && size < 1e15) return size < 10000 ? String(value) : grouped.format(value);
  if (size >= 1e7 || size < 1e-4)
    return value
      .toExponential(digits - 1)
      .replace("e+", "e")
      .replace(/\.?0+e/, "e");
  if (size >= 10 ** (digits - 1)) return grouped.format(value);
  const decimals = Math.max(0, digits - 1 - Math.floor(Math.log10(size)));
  return value
    .toFixed(Math.min(decimals, 12))
    .replace(/(\.\d*?)0+$/, "$1")
    .replace(/\.$/, "");
}

/** Something per second, to three digits: `195 k/s`. */
export function rate(value) {
  if (!isNumber(value)) return NOTHING;
  const size = Math.abs(value);
  for (const [factor, letter] of [
    [1e9, "G"],
    [1e6, "M"],
    [1e3, "k"],
  ]) {
    if (size >= factor * 0.9995) return `${threeDigits(value / factor)} ${letter}/s`;
  }
  return `${size < 0.05 ? "0" : threeDigits(value)} /s`;
}

function threeDigits(value) {
  const size = Math.abs(value);
  return value.toFixed(size >= 99.95 ? 0 : size >= 9.995 ? 1 : 2);
}

/** A proton charge given in picocoulomb, written in microampere hours. */
export function charge(picocoulomb) {
  if (!isNumber(picocoulomb)) return NOTHING;
  const value = picocoulomb / 3.6e9;
  return `${value.toFixed(value >= 1000 ? 1 : value >= 10 ? 2 : 3)} µAh`;
}

/** An age or a length of time given in seconds: `0.8 s`, `42 s`, `3 min 05 s`, `2 h 05 min`, `3 d 4 h`. */
export function duration(seconds, tenths = true) {
  if (!isNumber(seconds)) return NOTHING;
  const size = Math.max(0, seconds);
  if (tenths && size < 9.95) return `${size.toFixed(1)} s`;
  const whole = Math.round(size);
  if (whole < 120) return `${whole} s`;
  const minutes = Math.floor(whole / 60);
  if (minutes < 60) return `${minutes} min ${String(whole % 60).padStart(2, "0")} s`;
  const hours = Math.floor(minutes / 60);
  if (hours < 48) return `${hours} h ${String(minutes % 60).padStart(2, "0")} min`;
  return `${grouped.format(Math.floor(hours / 24))} d ${hours % 24} h`;
}

/** An age in one unit, for a narrow column: `42 s`, `66 min`, `25 h`, `30 d`. */
export function coarse(seconds) {
  if (!isNumber(seconds)) return NOTHING;
  for (const [unit, size] of [
    ["s", 1],
    ["min", 60],
    ["h", 3600],
  ]) {
    const limit = unit === "h" ? 48 : 120;
    if (seconds < limit * size) return `${Math.max(0, Math.floor(seconds / size))} ${unit}`;
  }
  return `${grouped.format(Math.floor(seconds / 86400))} d`;
}

/** A size in bytes: `812 kB`. */
export function bytes(size) {
  if (!isNumber(size)) return NOTHING;
  if (size < 1000) return `${size} B`;
  for (const [factor, unit] of [
    [1e9, "GB"],
    [1e6, "MB"],
  ]) {
    if (size >= factor * 0.9995) return `${threeDigits(size / factor)} ${unit}`;
  }
  return `${threeDigits(size / 1e3)} kB`;
}

const two = (value) => String(value).padStart(2, "0");
const day = (date) => `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;

/** A time in this computer's own zone; with the day when that is not today's. `0` means that there is none. */
export function localTime(timeNs, nowMs = Date.now()) {
  if (!isNumber(timeNs) || timeNs <= 0) return NOTHING;
  const date = new Date(timeNs / 1e6);
  const clock = `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
  const today = day(date) === day(new Date(nowMs));
  return today ? clock : `${day(date)} ${clock}`;
}

/** A time in UTC, whole: for tooltips and files. */
export function utcTime(timeNs) {
  if (!isNumber(timeNs) || timeNs <= 0) return NOTHING;
  return `${new Date(timeNs / 1e6).toISOString().slice(0, 19).replace("T", " ")} UTC`;
}

/** The zone of this computer at a time, as `UTC+2` or `UTC+5:30`. */
export function zoneName(date = new Date()) {
  const minutes = -date.getTimezoneOffset();
  if (minutes === 0) return "UTC";
  const size = Math.abs(minutes);
  return `UTC${minutes < 0 ? "−" : "+"}${Math.floor(size / 60)}${size % 60 ? `:${two(size % 60)}` : ""}`;
}
