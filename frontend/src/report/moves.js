// Where the views look: one place for all of them, moved in any of them.

import { select } from "d3-selection";
import "d3-transition";
import { zoom, zoomIdentity } from "d3-zoom";

const CLOSEST = 6; // screen pixels per pixel of the picture
const QUIET_MS = 120; // without a move, after which a view rests
const STILL = matchMedia("(prefers-reduced-motion: reduce)");

// Box around the spots, with a margin, within the picture.
export function spotsBox({ xy, n, image, spot }) {
  const box = { left: Infinity, top: Infinity, right: -Infinity, bottom: -Infinity };
  for (let i = 0; i < n; i++) {
    const [x, y] = [xy[2 * i], xy[2 * i + 1]];
    box.left = Math.min(box.left, x);
    box.right = Math.max(box.right, x);
    box.top = Math.min(box.top, y);
    box.bottom = Math.max(box.bottom, y);
  }
  const margin = spot.size_px + 0.03 * Math.max(box.right - box.left, box.bottom - box.top);
  const [left, top] = [Math.max(0, box.left - margin), Math.max(0, box.top - margin)];
  const [right, bottom] = [Math.min(image.width, box.right + margin), Math.min(image.height, box.bottom + margin)];
  return { left, top, width: right - left, height: bottom - top };
}

export class Moves {
  constructor(onMove) {
    this.onMove = onMove;
    this.nodes = [];
    this.size = [1, 1];
    this.transform = zoomIdentity;
    this.moving = false;
    this.zoom = zoom()
      .clickDistance(4)
      .filter((event) => this.takes(event))
      .on("zoom", ({ transform }) => this.moved(transform));
    // a page that is being scrolled is not zoomed when a view comes under the pointer
    this.scrolled = -Infinity;
    document.addEventListener("wheel", (event) => {
      if (!this.nodes.some((node) => node.contains(event.target))) this.scrolled = event.timeStamp;
    }, { passive: true });
  }

  takes(event) {
    if (event.type === "wheel" && !event.ctrlKey && event.timeStamp - this.scrolled < 350) {
      this.scrolled = event.timeStamp;
      return false;
    }
    if (event.type === "touchstart") return event.touches.length > 1; // one finger scrolls the page
    return !event.button && (!event.ctrlKey || event.type === "wheel");
  }

  attach(nodes) {
    this.nodes = nodes;
    for (const node of nodes) {
      select(node).call(this.zoom);
      node.__zoom = this.transform; // d3-zoom's own place for it
    }
  }

  look(section) {
    this.section = section;
    this.transform = zoomIdentity;
    this.fit();
  }

  resize(size) {
    const [before] = this.size;
    this.size = size;
    const { k, x, y } = this.transform;
    const ratio = size[0] / before;
    this.transform = zoomIdentity.translate(x * ratio, y * ratio).scale(k);
    this.fit();
  }

  // What is seen unmoved: the spots; how far one may go: all of the picture.
  fit() {
    if (!this.section) return;
    const [width, height] = this.size;
    const { image } = this.section;
    const box = spotsBox(this.section);
    const scale = Math.min(width / box.width, height / box.height);
    const x = (width - box.width * scale) / 2 - box.left * scale;
    const y = (height - box.height * scale) / 2 - box.top * scale;
    this.base = { scale, x, y };
    const least = Math.min(1, width / (image.width * scale), height / (image.height * scale));
    const [right, bottom] = [x + image.width * scale, y + image.height * scale];
    this.zoom
      .extent([[0, 0], [width, height]])
      .scaleExtent([least, Math.max(8, CLOSEST / scale)])
      .translateExtent([[Math.min(0, x), Math.min(0, y)], [Math.max(width, right), Math.max(height, bottom)]]);
    this.set(this.zoom.constrain()(this.transform, [[0, 0], this.size], this.zoom.translateExtent()));
  }

  set(transform) {
    this.transform = transform;
    for (const node of this.nodes) node.__zoom = transform;
    this.onMove();
  }

  moved(transform) {
    this.moving = true;
    clearTimeout(this.rest);
    this.rest = setTimeout(() => {
      this.moving = false;
      this.onMove();
    }, QUIET_MS);
    this.set(transform);
  }

  // Pixels of the picture to those of a view.
  get place() {
    const { k, x, y } = this.transform;
    return { scale: k * this.base.scale, x: k * this.base.x + x, y: k * this.base.y + y };
  }

  inPicture(x, y) {
    const { place } = this;
    return [(x - place.x) / place.scale, (y - place.y) / place.scale];
  }

  smoothly(does) {
    const node = select(this.nodes[0]);
    does(STILL.matches ? node : node.transition().duration(180));
  }

  zoomBy(factor) {
    this.smoothly((node) => this.zoom.scaleBy(node, factor));
  }

  panBy(x, y) {
    this.smoothly((node) => this.zoom.translateBy(node, x / this.transform.k, y / this.transform.k));
  }

  home() {
    this.smoothly((node) => this.zoom.transform(node, zoomIdentity));
  }

  // Bring a spot into sight without a change of scale.
  reveal(x, y) {
    const { place, size } = this;
    const [left, top] = [x * place.scale + place.x, y * place.scale + place.y];
    const off = (at, most) => (at < 30 ? 30 - at : at > most - 30 ? most - 30 - at : 0);
    const [dx, dy] = [off(left, size[0]), off(top, size[1])];
    if (dx || dy) this.zoom.translateBy(select(this.nodes[0]), dx / this.transform.k, dy / this.transform.k);
  }
}
