// What is seen of the slide, with all that is needed to read it.

import { write, writeBar, writeScale } from "../shared/canvas_text.js";
import { digits, named, verdictOf } from "./words.js";

const MARGIN = 20;
const GAP = 16;

export async function picture(slide, panes, colours) {
  const [width, height] = [panes[0].overlay.canvas.clientWidth, panes[0].overlay.canvas.clientHeight];
  const whole = [2 * MARGIN + panes.length * (width + GAP) - GAP, 76 + height + 60 + 15 + MARGIN];
  const ratio = Math.max(1, window.devicePixelRatio || 1);
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = whole.map((side) => Math.round(side * ratio));
  const context = canvas.getContext("2d");
  context.scale(ratio, ratio);
  context.fillStyle = "#ffffff";
  context.fillRect(0, 0, ...whole);
  write(context, slide.slide, MARGIN, 36, { size: 18, weight: 600, wide: whole[0] - 2 * MARGIN });
  panes.forEach(({ viewer, overlay, control, layer }, i) => {
    const x = MARGIN + i * (width + GAP);
    const verdict = verdictOf(slide, layer.layer);
    write(context, `${named(layer.name)}${verdict && ` · ${verdict}`}`, x, 66, { weight: 600, size: 13, wide: width });
    for (const part of [viewer.drawer.canvas, overlay.canvas]) context.drawImage(part, x, 76, width, height);
    context.strokeStyle = "#d6dae0";
    context.strokeRect(x - 0.5, 75.5, width + 1, height + 1);
    writeBar(context, slide.mpp / overlay.where().scale, x + 8, 76 + height - 8);
    const legend = { colours, ends: control.limits.map(digits), middle: "", unit: control.find("unit").textContent };
    writeScale(context, { ...legend, missing: layer.values.some((value) => !Number.isFinite(value)) }, x, 76 + height + 12, width);
  });
  const version = slide.version && ` (mclstexp ${slide.version})`;
  const lines = [`Predicted from the image by ${slide.method}${version}, not measured. Research use only.`];
  lines.forEach((line, i) => {
    const y = whole[1] - MARGIN - 15 * (lines.length - 1 - i);
    write(context, line, MARGIN, y, { size: 11, colour: "#586070", wide: whole[0] - 2 * MARGIN });
  });
  return new Promise((resolve) => canvas.toBlob(resolve, "image/png"));
}
