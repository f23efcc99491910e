// Draws a section into a canvas: the picture below, the spots over it.

const LAYER_PX = 2048; // wider side of spots drawn beforehand
const EVERYWHERE = { left: -Infinity, top: -Infinity, right: Infinity, bottom: Infinity };
const FEW = 400; // spots in sight that are drawn one by one even while the view moves

export function trace(context, section, spot, size) {
  const { shape } = section.spot;
  const [x, y] = [section.xy[2 * spot], section.xy[2 * spot + 1]];
  if (shape === "square") context.rect(x - size / 2, y - size / 2, size, size);
  else {
    context.moveTo(x + size / 2, y);
    context.arc(x, y, size / 2, 0, 2 * Math.PI);
  }
}

// Spots of one colour are one path: thousands of fills would take longer than a frame.
function drawSpots(context, { section, look, size }, spots) {
  const byColour = look.hex.map(() => []);
  for (const spot of spots) byColour[look.indices[spot]].push(spot);
  byColour.forEach((some, colour) => {
    if (!some.length) return;
    context.fillStyle = look.hex[colour];
    context.beginPath();
    for (const spot of some) trace(context, section, spot, size);
    context.fill();
  });
}

// Spots inside a box; null where they are more than `most`.
function spotsIn({ section: { xy, n }, size }, { left, top, right, bottom }, most = Infinity) {
  const found = [];
  for (let spot = 0; spot < n; spot++) {
    const [x, y] = [xy[2 * spot], xy[2 * spot + 1]];
    if (x > left - size && x < right + size && y > top - size && y < bottom + size) found.push(spot);
    if (found.length > most) return null;
  }
  return found;
}

// The smallest of the pictures, each half of the one before, that is not smaller than it is drawn.
const enough = (levels, wanted) => levels.findLast((bitmap) => bitmap.width >= wanted) ?? levels[0];

export class Scene {
  // `size`: how wide spots are drawn, pixels of the picture.
  constructor(section, look, size) {
    Object.assign(this, { section, look, size, layers: [] });
  }

  // All spots as a picture, and halves of it, which a moving view draws faster than the spots.
  ready() {
    if (this.layers.length || !this.look.indices.length) return;
    const { width, height } = this.section.image;
    const scale = Math.min(4, LAYER_PX / Math.max(width, height));
    this.extent = [width, height];
    let size = this.extent.map((side) => Math.ceil(side * scale));
    do {
      const canvas = new OffscreenCanvas(...size);
      const context = canvas.getContext("2d");
      context.imageSmoothingQuality = "medium";
      if (this.layers.length) context.drawImage(this.layers.at(-1), 0, 0, ...size);
      else {
        context.scale(size[0] / width, size[1] / height);
        drawSpots(context, this, spotsIn(this, EVERYWHERE));
      }
      this.layers.push(canvas.transferToImageBitmap());
      size = size.map((side) => Math.ceil(side / 2));
    } while (size[0] > 300);
  }

  // `place` maps pixels of the picture to those of the canvas: scale, x, y.
  draw(context, size, place, { opacity, picture = true, moving = false }) {
    const [width, height] = size;
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(0, 0, width, height);
    context.setTransform(place.scale, 0, 0, place.scale, place.x, place.y);
    if (picture) this.drawPicture(context, place);
    if (!opacity || !this.look.indices.length) return;
    const [left, top] = [-place.x / place.scale, -place.y / place.scale];
    const sight = { left, top, right: left + width / place.scale, bottom: top + height / place.scale };
    context.globalAlpha = opacity;
    const spots = spotsIn(this, sight, moving ? FEW : Infinity);
    if (spots) drawSpots(context, this, spots);
    else {
      this.ready();
      context.drawImage(enough(this.layers, this.extent[0] * place.scale), 0, 0, ...this.extent);
    }
    context.globalAlpha = 1;
  }

  drawPicture(context, place) {
    const { levels, image } = this.section;
    if (!levels.length) return;
    context.drawImage(enough(levels, image.width * place.scale), 0, 0, image.width, image.height);
  }
}
