// The numbers in the page: bytes, packed; unpacked when their section is looked at.

const KEPT = 4; // sections unpacked at once; a large one takes some 15 MB

export const MISSING = 255;

export function readData() {
  return JSON.parse(document.getElementById("data").textContent);
}

function bytesOf(base64) {
  const text = atob(base64);
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  return bytes;
}

async function unpacked(name) {
  const packed = bytesOf(document.getElementById(`blob-${name}`).textContent.trim());
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate-raw"));
  return new Response(stream).arrayBuffer();
}

async function picture(image) {
  if (!image?.jpeg) return [];
  const whole = await createImageBitmap(new Blob([bytesOf(image.jpeg)], { type: "image/jpeg" }));
  const levels = [whole];
  // halves of it: a picture drawn much smaller than it is would glitter, and slowly
  while (levels.at(-1).width > 400) {
    const { width, height } = levels.at(-1);
    const [resizeWidth, resizeHeight] = [Math.round(width / 2), Math.round(height / 2)];
    levels.push(await createImageBitmap(levels.at(-1), { resizeWidth, resizeHeight, resizeQuality: "high" }));
  }
  return levels;
}

export class Sections {
  constructor(data) {
    this.data = data;
    this.kept = new Map();
  }

  get(number) {
    const found = this.kept.get(number) ?? this.open(number);
    this.kept.delete(number); // and set again: the one last asked for is the last
    this.kept.set(number, found);
    if (this.kept.size > KEPT) this.kept.delete(this.kept.keys().next().value);
    return found;
  }

  async open(number) {
    const said = this.data.sections[number];
    const names = ["truth", "predicted", "width"].filter((name) => said[name]);
    const [xy, levels, ...arrays] = await Promise.all([
      unpacked(said.xy),
      picture(said.image),
      ...names.map((name) => unpacked(said[name])),
    ]);
    const values = Object.fromEntries(names.map((name, i) => [name, new Uint8Array(arrays[i])]));
    const section = { ...said, number, n: said.n_spots, levels, values, xy: new Float32Array(xy) };
    return { ...section, pitch: pitch(section) };
  }
}

// How far apart neighbours lie: the median over some spots.
function pitch({ xy, n, spot }) {
  const nearest = [];
  for (let i = 0; i < n; i += Math.ceil(n / 200)) {
    let least = Infinity;
    for (let j = 0; j < n; j++) {
      if (j !== i) least = Math.min(least, Math.hypot(xy[2 * i] - xy[2 * j], xy[2 * i + 1] - xy[2 * j + 1]));
    }
    nearest.push(least);
  }
  const median = nearest.sort((a, b) => a - b)[nearest.length >> 1];
  return Number.isFinite(median) ? Math.max(median, spot.size_px) : spot.size_px;
}

// The bytes of a gene, and what each byte means; NaN is no value.
export function geneOf(data, section, which, gene) {
  const bytes = section.values[which].subarray(gene * section.n, (gene + 1) * section.n);
  const [low, high] = data.scale[which === "width" ? "width" : "value"][gene];
  const meaning = Float64Array.from({ length: 256 }, (_, byte) => (byte === MISSING ? NaN : low + (byte / 254) * (high - low)));
  return { bytes, meaning, at: (spot) => meaning[bytes[spot]] };
}
