// The views as a picture with all that is needed to read it: title, colours, scale bar.

import { FONT, write, writeBar, writeScale } from "../shared/canvas_text.js";
import { TITLES } from "./looks.js";

const SCALE = 2; // pixels of the picture per pixel of the screen
const MARGIN = 20;
const GAP = 16;

// Returns how high it is.
function writeNames(context, { names, missing }, x, y, width) {
  let [left, top] = [x, y];
  for (const [name, hex] of missing ? [...names, ["none", "#c8c8c8"]] : names) {
    context.font = `400 12px ${FONT}`;
    const wide = 16 + context.measureText(name).width + 14;
    if (left > x && left + wide > x + width) [left, top] = [x, top + 17];
    context.fillStyle = hex;
    context.fillRect(left, top, 11, 11);
    write(context, name, left + 16, top + 10);
    left += wide;
  }
  return top - y + 17;
}

// `views`: {kind, scene} each; `place` as on the screen.
export async function picture({ title, lines, views, size, place, how }) {
  const [width, height] = size;
  const scratch = new OffscreenCanvas(1, 1).getContext("2d");
  const high = ({ scene: { look } }) => (look.legend.names ? writeNames(scratch, look.legend, 0, 0, width) : 50);
  const legends = Math.max(...views.map(high));
  const whole = [2 * MARGIN + views.length * (width + GAP) - GAP, 76 + height + 12 + legends + 24 + MARGIN];
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = whole.map((side) => Math.round(side * SCALE));
  const context = canvas.getContext("2d");
  context.scale(SCALE, SCALE);
  context.fillStyle = "#ffffff";
  context.fillRect(0, 0, ...whole);
  write(context, title, MARGIN, 36, { size: 18, weight: 600, wide: whole[0] - 2 * MARGIN });
  views.forEach(({ kind, scene }, i) => {
    const x = MARGIN + i * (width + GAP);
    write(context, TITLES[kind], x, 66, { weight: 600, size: 13, wide: width });
    const part = new OffscreenCanvas(Math.round(width * SCALE), Math.round(height * SCALE));
    const at = { scale: place.scale * SCALE, x: place.x * SCALE, y: place.y * SCALE };
    scene.draw(part.getContext("2d"), [part.width, part.height], at, how);
    context.drawImage(part, x, 76, width, height);
    context.strokeStyle = "#d6dae0";
    context.strokeRect(x - 0.5, 75.5, width + 1, height + 1);
    writeBar(context, scene.section.image.um_per_px / place.scale, x + 8, 76 + height - 8);
    const { legend } = scene.look;
    if (legend.colours) writeScale(context, legend, x, 76 + height + 12, width);
    else if (legend.names) writeNames(context, legend, x, 76 + height + 12, width);
  });
  lines.forEach((line, i) => {
    const y = whole[1] - MARGIN - 14 * (lines.length - 1 - i);
    write(context, line, MARGIN, y, { size: 11, colour: "#586070", wide: whole[0] - 2 * MARGIN });
  });
  return new Promise((resolve) => canvas.toBlob(resolve, "image/png"));
}
