/** One run beside another: scale, the grid of the other, the difference with its error. Pure. */

import { isNumber } from "./format.js";
import { isCounts } from "./units.js";

const finite = (value) => (isNumber(value) ? value : NaN);
export const isHistogram = (curve) => curve.x.length === curve.y.length + 1;

/** The middle of each bin, or the points themselves. */
export function centres(curve) {
  if (!isHistogram(curve)) return curve.x;
  const { x } = curve;
  const middle = new Array(curve.y.length);
  for (let i = 0; i < middle.length; i += 1) middle[i] = (x[i] + x[i + 1]) / 2;
  return middle;
}

/** Whether two curves share their x to within rounding. */
export function sameGrid(one, other) {
  if (one.x.length !== other.x.length || one.y.length !== other.y.length) return false;
  for (let i = 0; i < one.x.length; i += 1) {
    const [a, b] = [one.x[i], other.x[i]];
    if (Math.abs(a - b) > 1e-9 * Math.max(Math.abs(a), Math.abs(b))) return false;
  }
  return true;
}

/**
 * By what an earlier run's values are multiplied so that they compare with this one's.
 *
 * @returns {number} The ratio of the charges for counts; 1 for everything else, or without a charge.
 */
export function chargeFactor(unit, charge, earlierCharge) {
  if (!isCounts(unit) || !(charge > 0) || !(earlierCharge > 0)) return 1;
  return charge / earlierCharge;
}

/** A curve with values and errors multiplied by a factor. */
export function scaled(curve, factor) {
  if (factor === 1) return curve;
  const times = (value) => (isNumber(value) ? value * factor : null);
  return { ...curve, y: curve.y.map(times), e: curve.e.map(times) };
}

/**
 * Interpolate a curve linearly onto the grid of another. Counts of bins go by their density, since bins differ in
 * width. Outside the curve, and beside a value that is missing, there is no value.
 *
 * @returns {{y: number[], e: number[]}} NaN where there is no value; errors of the two neighbours add in quadrature
 *   with their weights, as if they were independent.
 */
export function ontoGrid(curve, grid) {
  const at = centres(grid);
  const from = centres(curve);
  const byWidth = isCounts(curve.y_unit) && isHistogram(curve) && isHistogram(grid);
  const n = at.length;
  const y = new Array(n).fill(NaN);
  const e = new Array(n).fill(NaN);
  const width = (owner, i) => (byWidth ? owner.x[i + 1] - owner.x[i] : 1);
  let j = 0;
  for (let i = 0; i < n; i += 1) {
    while (j + 2 < from.length && from[j + 1] < at[i]) j += 1;
    const [low, high] = [from[j], from[j + 1] ?? from[j]];
    if (!(at[i] >= low && at[i] <= high)) continue;
    const share = high > low ? (at[i] - low) / (high - low) : 0;
    const own = width(grid, i);
    const value = (column, k) => finite(column[k]) / width(curve, k);
    const mix = (column) => {
      if (share === 0) return [value(column, j), 0];
      if (share === 1) return [0, value(column, j + 1)];
      return [(1 - share) * value(column, j), share * value(column, j + 1)];
    };
    const [a, b] = mix(curve.y);
    const [ea, eb] = mix(curve.e);
    y[i] = (a + b) * own;
    e[i] = Math.hypot(ea, eb) * own;
  }
  return { y, e };
}

/**
 * This run's curve minus an earlier run's, on the grid of this one; errors add in quadrature.
 *
 * @returns The difference as a curve (NaN where either has no value), with `interpolated`: whether the grids differed.
 */
export function difference(curve, earlier) {
  const interpolated = !sameGrid(curve, earlier);
  const other = interpolated ? ontoGrid(earlier, curve) : earlier;
  const n = curve.y.length;
  const y = new Array(n);
  const e = new Array(n);
  for (let i = 0; i < n; i += 1) {
    y[i] = finite(curve.y[i]) - finite(other.y[i]);
    e[i] = Math.hypot(finite(curve.e[i]), finite(other.e[i]));
  }
  return { ...curve, y, e, interpolated };
}

/** The earlier result's curve of the same quantity and label, or `null`. */
export function partner(curve, earlier) {
  const same = (other) =>
    other.label === curve.label &&
    other.x_name === curve.x_name &&
    other.x_unit === curve.x_unit &&
    other.y_name === curve.y_name &&
    other.y_unit === curve.y_unit;
  return earlier?.curves.find(same) ?? null;
}
