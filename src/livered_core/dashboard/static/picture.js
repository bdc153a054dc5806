/** What is shown, as a picture. */

import { charge, count, plain, utcTime } from "./format.js";
import { curveKeys } from "./panels.js";
import { look } from "./plots.js";

async function picture(plot, width, height) {
  const url = await window.Plotly.toImage(plot, { format: "png", width, height, scale: 2 });
  const image = new Image();
  image.src = url;
  await image.decode();
  return image;
}

const PAD = 16;
const TITLE = 30;
const NAME = 20;
const NAME_WIDTH = 200;

const across = (width) => Math.max(1, Math.floor(width / NAME_WIDTH));
const headHeight = (part) => TITLE + Math.ceil(part.names.length / across(part.plot.clientWidth)) * NAME;

/** Give each plot its place: beside the one before where there is room, else below. */
export function arrange(sizes, width, top) {
  const places = [];
  let [x, y, row] = [0, top, 0];
  for (const size of sizes) {
    if (x > 0 && x + size.width > width) [x, y, row] = [0, y + row, 0];
    places.push({ x, y });
    x += size.width;
    row = Math.max(row, size.height);
  }
  return { places, height: y + row };
}

/**
 * Draw what is shown into one picture: who and what on top, then each plot with the names of its curves.
 *
 * @param {{title: string, names: {text: string, colour: string}[], plot: Element}[]} parts
 */
async function asPicture(heading, lines, parts) {
  const { ink, soft, surface, font } = look();
  const scale = 2;
  const width = Math.max(600, ...parts.map(({ plot }) => plot.clientWidth)) + 2 * PAD;
  const pictures = [];
  for (const { plot } of parts) pictures.push(await picture(plot, plot.clientWidth, plot.clientHeight));
  const sizes = parts.map((part) => ({
    width: part.plot.clientWidth,
    height: headHeight(part) + part.plot.clientHeight,
  }));
  const { places, height } = arrange(sizes, width, PAD * 2 + 26 + lines.length * 18);
  const canvas = document.createElement("canvas");
  canvas.width = width * scale;
  canvas.height = (height + PAD) * scale;
  const pen = canvas.getContext("2d");
  pen.scale(scale, scale);
  pen.fillStyle = surface;
  pen.fillRect(0, 0, width, height + PAD);
  pen.textBaseline = "top";
  const write = (text, x, y, style, colour, room) => {
    pen.font = `${style} ${font}`;
    pen.fillStyle = colour;
    pen.fillText(text, x, y, room);
  };
  write(heading, PAD, PAD, "600 20px", ink, width - 2 * PAD);
  lines.forEach((line, i) => write(line, PAD, PAD + 30 + i * 18, "13px", soft, width - 2 * PAD));
  parts.forEach((part, i) => {
    const { x, y } = places[i];
    const { clientWidth, clientHeight } = part.plot;
    write(part.title, x + PAD, y + 6, "600 15px", ink, clientWidth - PAD);
    part.names.forEach(({ text, colour }, k) => {
      const left = x + PAD + (k % across(clientWidth)) * NAME_WIDTH;
      const at = y + TITLE + Math.floor(k / across(clientWidth)) * NAME;
      pen.fillStyle = colour;
      pen.fillRect(left, at + 6, 18, 3);
      write(text, left + 24, at, "12px", ink, NAME_WIDTH - 34);
    });
    pen.drawImage(pictures[i], x, y + headHeight(part), clientWidth, clientHeight);
  });
  return new Promise((resolve, reject) => {
    canvas.toBlob(
      (blob) => (blob ? resolve(blob) : reject(new Error("The picture is too large for this browser."))),
      "image/png",
    );
  });
}

/** The lines under the heading of a picture. */
function pictureLines(latest, earlier = null) {
  const { run, update } = latest;
  const lines = [
    [plain(run.title, 100), plain(run.proposal, 40)].filter(Boolean).join(" · "),
    `update ${update.sequence}${update.final ? " (final)" : ""} · ${charge(update.proton_charge_pc)} · ${count(update.n_events)} events · data until ${utcTime(update.last_pulse_ns)}`,
    update.complete
      ? "complete"
      : `INCOMPLETE: ${update.missing.map((reason) => plain(reason, 120)).join(" ")}`,
  ];
  if (earlier !== null) {
    const whole = earlier.update.complete ? "" : " (INCOMPLETE)";
    lines.push(`dashed: run ${earlier.run.number}, ${plain(earlier.run.title, 100)}${whole}`);
  }
  return lines.filter(Boolean);
}

/**
 * Make a picture of a result as it is shown.
 *
 * @param latest The result.
 * @param earlier The result that it is compared with, or `null`.
 * @param curves `shown()` of the panels of curves.
 * @param images `shown()` of the panels of images.
 * @param {string[]} off Curves that are switched off.
 * @returns {Promise<Blob>} PNG.
 */
export function pictureOf(latest, earlier, curves, images, off) {
  const colours = look().curves;
  const parts = curves.map(({ panel, plot }) => {
    const keys = curveKeys(panel);
    const names = panel.curves
      .map((curve, i) => ({
        text: plain(curve.label, 60),
        colour: colours[i % colours.length],
        key: keys[i],
      }))
      .filter((one) => !off.includes(one.key));
    return { title: panel.name, names, plot };
  });
  parts.push(...images.map(({ image, plot }) => ({ title: plain(image.label, 100), names: [], plot })));
  const heading = `${plain(latest.run.instrument, 40)} run ${latest.run.number}`;
  return asPicture(heading, pictureLines(latest, earlier), parts);
}
