// The map and the outline, drawn over the slide whenever the slide is.

import { Point } from "openseadragon";

import { Colours } from "../shared/colours.js";
import { Places } from "../shared/places.js";

export class Overlay {
  constructor(viewer, slide, id) {
    this.viewer = viewer;
    this.slide = slide;
    this.places = new Places(slide.xy, slide.side_px);
    this.shown = { map: true, outline: true, opacity: 0.6, mark: null, ruler: null, colours: null, limits: null };
    this.outline = new Path2D();
    for (const ring of slide.outline) {
      ring.forEach((_, i) => {
        if (i % 2 === 0) this.outline[i ? "lineTo" : "moveTo"](ring[i], ring[i + 1]);
      });
      this.outline.closePath();
    }
    this.canvas = document.createElement("canvas");
    this.canvas.id = id;
    Object.assign(this.canvas.style, { position: "absolute", inset: "0", width: "100%", height: "100%" });
    this.canvas.style.pointerEvents = "none";
    viewer.canvas.append(this.canvas);
    for (const event of ["update-viewport", "resize", "open"]) viewer.addHandler(event, () => this.draw());
  }

  take(layer) {
    this.values = layer.values; // drawn when it is known where the colours end
  }

  show(change) {
    Object.assign(this.shown, change);
    if (this.values && this.shown.limits && ("colours" in change || "limits" in change)) this.paint();
    this.draw();
  }

  // Give each tile its colour: a picture with a pixel per tile where tiles lie on a grid, colour numbers otherwise.
  paint() {
    const { places, slide, shown } = this;
    const colours = new Colours(shown.colours, slide.missing);
    this.colours = colours;
    this.index = Array.from(this.values, (value) => colours.index(value, shown.limits));
    if (places.isGrid) {
      this.picture = new OffscreenCanvas(places.columns, places.rows);
      const context = this.picture.getContext("2d");
      const image = context.createImageData(places.columns, places.rows);
      for (let i = 0; i < places.n; i++) {
        const [column, row] = places.cell(places.xy[2 * i], places.xy[2 * i + 1]);
        image.data.set([...colours.rgb[this.index[i]], 255], 4 * (row * places.columns + column));
      }
      context.putImageData(image, 0, 0);
    } else {
      this.byColour = colours.hex.map(() => []);
      this.index.forEach((colour, i) => this.byColour[colour].push(i));
    }
  }

  // Screen pixels per slide pixel, and where the slide's corner is.
  where() {
    const item = this.viewer.world.getItemAt(0);
    if (!item) return null;
    const [width] = this.slide.size_px;
    const start = item.imageToViewerElementCoordinates(new Point(0, 0));
    const stop = item.imageToViewerElementCoordinates(new Point(width, 0));
    return { scale: (stop.x - start.x) / width, x: start.x, y: start.y };
  }

  draw() {
    const where = this.where();
    if (!where) return;
    const { canvas, shown } = this;
    const ratio = window.devicePixelRatio || 1;
    const width = Math.round(canvas.clientWidth * ratio);
    const height = Math.round(canvas.clientHeight * ratio);
    if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
    const context = canvas.getContext("2d");
    const scale = where.scale * ratio;
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(0, 0, width, height);
    context.setTransform(scale, 0, 0, scale, where.x * ratio, where.y * ratio);
    if (shown.map && this.index) {
      context.save();
      context.beginPath();
      context.rect(0, 0, ...this.slide.size_px); // a tile at the rim looks past it; nothing is predicted there
      context.clip();
      context.globalAlpha = shown.opacity;
      if (this.places.isGrid) this.drawGrid(context);
      else this.drawSpots(context, { width, height, scale, where, ratio });
      context.restore();
    }
    if (shown.outline) {
      for (const [colour, wide] of [["#ffffffcc", 3.5], ["#101010", 1.5]]) {
        context.strokeStyle = colour;
        context.lineWidth = (wide * ratio) / scale;
        context.stroke(this.outline);
      }
    }
    if (shown.mark) this.drawMark(context, ratio / scale);
    if (shown.ruler) this.drawRuler(context, ratio / scale);
  }

  drawGrid(context) {
    const { places } = this;
    context.imageSmoothingEnabled = false; // a tile has one value; nothing between two is known
    const half = places.side / 2;
    const size = [places.columns * places.side, places.rows * places.side];
    context.drawImage(this.picture, places.left - half, places.top - half, ...size);
  }

  drawSpots(context, { width, height, scale, where, ratio }) {
    const { xy, side } = this.places;
    const [left, top] = [-(where.x * ratio) / scale - side, -(where.y * ratio) / scale - side];
    const [right, bottom] = [left + width / scale + 2 * side, top + height / scale + 2 * side];
    this.byColour.forEach((spots, colour) => {
      context.fillStyle = this.colours.hex[colour];
      for (const i of spots) {
        const [x, y] = [xy[2 * i], xy[2 * i + 1]];
        if (x > left && x < right && y > top && y < bottom) context.fillRect(x - side / 2, y - side / 2, side, side);
      }
    });
  }

  drawMark(context, pixel) {
    const [x, y] = this.shown.mark;
    for (const [colour, wide] of [["#ffffff", 5], ["#d01c8b", 2.5]]) {
      context.beginPath();
      context.arc(x, y, Math.max(2.5 * this.places.side, 10 * pixel), 0, 2 * Math.PI);
      context.strokeStyle = colour;
      context.lineWidth = wide * pixel;
      context.stroke();
    }
  }

  drawRuler(context, pixel) {
    const { ends, says } = this.shown.ruler;
    const [[x, y], [farX, farY]] = ends;
    for (const [colour, wide] of [["#ffffff", 5], ["#101010", 2]]) {
      context.strokeStyle = colour;
      context.lineWidth = wide * pixel;
      context.beginPath();
      context.moveTo(x, y);
      context.lineTo(farX, farY);
      for (const [endX, endY] of ends) {
        context.moveTo(endX + 5 * pixel, endY);
        context.arc(endX, endY, 5 * pixel, 0, 2 * Math.PI);
      }
      context.stroke();
    }
    context.font = `600 ${13 * pixel}px system-ui, sans-serif`;
    context.lineWidth = 4 * pixel;
    context.strokeStyle = "#ffffff";
    context.fillStyle = "#101010";
    const at = [(x + farX) / 2 + 10 * pixel, (y + farY) / 2 - 10 * pixel];
    context.strokeText(says, ...at);
    context.fillText(says, ...at);
  }
}
