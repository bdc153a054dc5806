/** Units for people, and the x axis of diffraction patterns as d-spacing or Q = 2π/d. Pure. */

import { plain } from "./format.js";

const TWO_PI = 2 * Math.PI;
const NO_UNIT = new Set(["", "dimensionless", "1", "one", "none"]);
const D_NAME = /^d([\s_-]*spacing)?$|d[\s_-]*spacing/iu;
const Q_NAME = /^q$|momentum[\s_-]*transfer/iu;
const ANGSTROM = /^(angstroms?|å|a)$/iu;
const PER_ANGSTROM = /^(1\s*\/\s*(angstroms?|å|a)|(angstroms?|å|a)\s*\^?\s*(-1|⁻¹))$/iu;
const COUNTS = /^(counts?|events?|neutrons?)$/iu;

/** What a pattern's x axis may be shown as; `measured` leaves it alone. */
export const AXES = Object.freeze({
  d: Object.freeze({ name: "d-spacing", unit: "Angstrom" }),
  q: Object.freeze({ name: "momentum transfer", unit: "1/Angstrom" }),
});

/** Write a unit with the signs that people use: `1/Angstrom^2` is `Å⁻²`; empty for no unit. */
export function prettyUnit(unit) {
  const text = plain(unit);
  if (NO_UNIT.has(text.toLowerCase())) return "";
  return text
    .replace(/\b1\s*\/\s*angstrom\s*\^\s*(\d)/giu, (_, power) => `Å⁻${"⁰¹²³⁴⁵⁶⁷⁸⁹"[Number(power)]}`)
    .replace(/\b1\s*\/\s*angstrom\b/giu, "Å⁻¹")
    .replace(/\bangstroms?\b/giu, "Å")
    .replace(/\buAh\b/gu, "µAh")
    .replace(/\bus\b/gu, "µs")
    .replace(/^deg$/u, "°")
    .replace(/^degC$/u, "°C")
    .replace(/\^2\b/gu, "²")
    .replace(/\^3\b/gu, "³");
}

/** A quantity with its unit, for an axis: `d-spacing (Å)`. */
export function axisTitle(name, unit) {
  const shown = prettyUnit(unit);
  const quantity = plain(name);
  if (!quantity) return shown;
  return shown ? `${quantity} (${shown})` : quantity;
}

/** Whether values in this unit grow with the time measured, so that two runs compare only when scaled. */
export const isCounts = (unit) => COUNTS.test(plain(unit));

/** Whether values in this unit are per charge already. */
export const isPerCharge = (unit) => /\/\s*(uAh|µAh|pC|uA\s*h)/u.test(plain(unit));

/** Whether a logarithmic y axis says anything about a curve: not about functions that go around zero or one. */
export function mayBeLog(curve) {
  if (isCounts(curve.y_unit) || isPerCharge(curve.y_unit) || axisOf(curve) !== null) return true;
  if (/\(\s*[qr]\s*\)/iu.test(curve.y_name) && !/error/iu.test(curve.y_name)) return false;
  return curve.y.every((value) => value === null || value > 0);
}

/**
 * Which of the two axes of diffraction a curve has: `d`, `q`, or `null` where the conversion makes no sense: another
 * quantity, a function of Q by its name such as S(Q), or a density per Angstrom, which would need another height.
 */
export function axisOf(curve) {
  if (/\(\s*(q|d)\s*\)/iu.test(curve.y_name) || /angstrom|å/iu.test(curve.y_unit)) return null;
  if (D_NAME.test(curve.x_name.trim()) && ANGSTROM.test(curve.x_unit.trim())) return "d";
  if (Q_NAME.test(curve.x_name.trim()) && PER_ANGSTROM.test(curve.x_unit.trim())) return "q";
  return null;
}

/**
 * Show a curve against the other axis. Each bin keeps its height; edges are converted one by one, and the order is
 * reversed because Q falls as d grows. Bins or points at or below zero have no partner and are left out.
 *
 * @param curve A curve of the run directory.
 * @param {"measured"|"d"|"q"} wanted The axis asked for.
 * @returns The curve itself where nothing is to be done, or a new one.
 */
export function onAxis(curve, wanted) {
  const own = axisOf(curve);
  if (own === null || wanted === "measured" || wanted === own || !(wanted in AXES)) return curve;
  const isHistogram = curve.x.length === curve.y.length + 1;
  let first = 0;
  while (first < curve.x.length && !(curve.x[first] > 0)) first += 1;
  const n = curve.x.length - first;
  const x = new Array(n);
  for (let i = 0; i < n; i += 1) x[i] = TWO_PI / curve.x[curve.x.length - 1 - i];
  const m = Math.max(0, isHistogram ? n - 1 : n);
  const last = curve.y.length - 1;
  const y = new Array(m);
  const e = new Array(m);
  for (let i = 0; i < m; i += 1) {
    y[i] = curve.y[last - i];
    e[i] = curve.e[last - i];
  }
  const { name, unit } = AXES[wanted];
  return { ...curve, x_name: name, x_unit: unit, x, y, e };
}
