// Draws a section into a canvas: the picture below, the spots over it.

const LAYER_PX = 2048; // wider side of spots drawn beforehand
const FEW = 400; // spots in sight that are drawn one by one even while the view moves

function trace(context, section, spot) {
  const { shape, size_px: size } = section.spot;
  const [x, y] = [section.xy[2 * spot], section.xy[2 * spot + 1]];
  if (shape === "square") context.rect(x - size / 2, y - size / 2, size, size);
  else {
    context.moveTo(x + size / 2, y);
    context.arc(x, y, size / 2, 0, 2 * Math.PI);
  }
}

// Spots of one colour are one path: thousands of fills would take longer than a frame.
function drawSpots(context, section, look, spots) {
  const byColour = look.hex.map(() => []);
  for (const spot of spots) byColour[look.indices[spot]].push(spot);
  byColour.forEach((some, colour) => {
    if (!some.length) return;
    context.fillStyle = look.hex[colour];
    context.beginPath();
    for (const spot of some) trace(context, section, spot);
    context.fill();
  });
}

function everySpot(section) {
  return Array.from({ length: section.n }, (_, spot) => spot);
}

function spotsInSight(section, { left, top, right, bottom }) {
  const half = section.spot.size_px / 2;
  return everySpot(section).filter((spot) => {
    const [x, y] = [section.xy[2 * spot], section.xy[2 * spot + 1]];
    return x > left - half && x < right + half && y > top - half && y < bottom + half;
  });
}

export class Scene {
  constructor(section, look) {
    Object.assign(this, { section, look, layer: null });
  }

  // All spots as a picture, which a moving view draws faster than the spots.
  ready() {
    if (this.layer || !this.look.indices.length) return this.layer;
    const { width, height } = this.section.image;
    this.scale = Math.min(4, LAYER_PX / Math.max(width, height));
    const canvas = new OffscreenCanvas(Math.ceil(width * this.scale), Math.ceil(height * this.scale));
    const context = canvas.getContext("2d");
    context.scale(this.scale, this.scale);
    drawSpots(context, this.section, this.look, everySpot(this.section));
    this.layer = canvas.transferToImageBitmap();
    return this.layer;
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
    const spots = moving && this.section.n <= FEW ? everySpot(this.section) : spotsInSight(this.section, sight);
    if (moving && spots.length > FEW) context.drawImage(this.ready(), 0, 0, this.layer.width / this.scale, this.layer.height / this.scale);
    else drawSpots(context, this.section, this.look, spots);
    context.globalAlpha = 1;
  }

  drawPicture(context, place) {
    const { levels, image } = this.section;
    if (!levels.length) return;
    const wanted = image.width * place.scale;
    const level = levels.findLast((bitmap) => bitmap.width >= wanted) ?? levels[0];
    context.drawImage(level, 0, 0, image.width, image.height);
  }
}

export { trace };
