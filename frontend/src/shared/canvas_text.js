// Words, colours and a scale bar in a picture that is saved, and the saving.

import { named, roundBelow } from "./scale_bar.js";

export const FONT = "system-ui, sans-serif";

export function write(context, text, x, y, { size = 12, weight = 400, align = "left", colour = "#1d2430", wide } = {}) {
  context.font = `${weight} ${size}px ${FONT}`;
  context.textAlign = align;
  context.fillStyle = colour;
  context.fillText(text, x, y, wide);
}

export function writeScale(context, legend, x, y, width) {
  const { colours, ends, middle, unit, missing } = legend;
  colours.forEach((colour, i) => {
    context.fillStyle = colour;
    context.fillRect(x + (i * width) / colours.length, y, width / colours.length + 0.5, 10);
  });
  write(context, ends[0], x, y + 24);
  write(context, middle, x + width / 2, y + 24, { align: "center" });
  write(context, ends[1], x + width, y + 24, { align: "right" });
  write(context, missing ? `${unit}; grey: no value` : unit, x, y + 40, { colour: "#586070", wide: width });
}

export function writeBar(context, umPerPixel, x, y) {
  const um = roundBelow(110 * umPerPixel);
  const long = um / umPerPixel;
  context.fillStyle = "#ffffffd9";
  context.fillRect(x, y - 32, Math.max(long, 44) + 16, 32);
  write(context, named(um), x + 8, y - 17);
  context.fillStyle = "#1d2430";
  context.fillRect(x + 8, y - 11, long, 3);
}

export function save(blob, name) {
  const address = URL.createObjectURL(blob);
  const link = Object.assign(document.createElement("a"), { href: address, download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(address), 10_000);
}
