// A view of the slide with one gene over it, and that gene's part of the panel.

import OpenSeadragon from "openseadragon";

import { drawScaleBar } from "../shared/scale_bar.js";
import { Control } from "./control.js";
import { Overlay } from "./overlay.js";
import { openLayer } from "./source.js";
import { at, copyOf, digits, named, verdictOf } from "./words.js";

// OpenSeadragon adds a style element unless it finds one, and the content security policy forbids it: this is none,
// only called so. What would stand in it is in viewer.css.
function withoutOwnStyle() {
  if (document.querySelector("[data-openseadragon-mobile-css]")) return;
  const none = document.createElementNS("mclstexp", "style");
  none.setAttribute("data-openseadragon-mobile-css", "true");
  document.head.append(none);
}

function openViewer(element, slide, { showNavigator }) {
  withoutOwnStyle();
  const [width, height] = slide.size_px;
  return OpenSeadragon({
    element,
    drawer: "canvas",
    tileSources: {
      width,
      height,
      tileSize: slide.tile_px,
      tileOverlap: 0,
      minLevel: 0,
      maxLevel: slide.max_level,
      getTileUrl: (level, column, row) => `tiles/${level}/${column}_${row}.jpg`,
    },
    showNavigationControl: false,
    showNavigator,
    navigatorPosition: "BOTTOM_RIGHT",
    navigatorSizeRatio: 0.16,
    navigatorAutoFade: false,
    maxZoomPixelRatio: 8,
    visibilityRatio: 0.4,
    animationTime: matchMedia("(prefers-reduced-motion: reduce)").matches ? 0 : 0.7,
    gestureSettingsMouse: { clickToZoom: false, dblClickToZoom: true },
    keyboardNavEnabled: true,
  });
}

// Left, top, right, bottom of the tissue, and a little around it.
export function tissueBox(slide) {
  const half = slide.side_px / 2;
  const box = [Infinity, Infinity, -Infinity, -Infinity];
  const take = (list, by) => {
    for (let i = 0; i < list.length; i += 1) {
      box[i % 2] = Math.min(box[i % 2], list[i] - by);
      box[2 + (i % 2)] = Math.max(box[2 + (i % 2)], list[i] + by);
    }
  };
  take(slide.xy, half);
  for (const ring of slide.outline) take(ring, 0);
  const around = 0.03 * Math.max(box[2] - box[0], box[3] - box[1]);
  return box.map((side, i) => side + (i < 2 ? -around : around));
}

export class Pane {
  constructor(slide, suffix, { onShown, onLead, onMove, onTrouble }) {
    [this.element, this.find] = copyOf(at("pane"), suffix);
    at("panes").append(this.element);
    Object.assign(this, { slide, suffix, onShown, onTrouble });
    this.viewer = openViewer(this.find("view"), slide, { showNavigator: !suffix });
    this.overlay = new Overlay(this.viewer, slide, `overlay${suffix}`);
    this.control = new Control(slide, suffix, {
      onChoose: (number) => this.choose(number),
      onLimits: (limits) => this.overlay.show({ limits }),
    });
    this.viewer.addHandler("tile-load-failed", () => onTrouble("Parts of the slide could not be read: it is damaged, or `mclstexp view` was ended."));
    // turning the slide would leave map and scale bar behind
    this.viewer.addHandler("canvas-key", (event) => {
      if (["r", "R", "f"].includes(event.originalEvent.key)) event.preventDefaultAction = true;
    });
    this.viewer.addHandler("update-viewport", () => {
      const where = this.overlay.where();
      if (where) drawScaleBar(this.find("bar"), slide.mpp / where.scale);
      onMove(this);
    });
    for (const event of ["pointerenter", "pointerdown", "focusin", "wheel"]) {
      this.element.addEventListener(event, () => onLead(this), { capture: true, passive: true });
    }
  }

  async choose(number) {
    this.wanted = number;
    try {
      const layer = await openLayer(number);
      if (this.wanted !== number || this.closed) return; // another was chosen meanwhile
      this.layer = layer;
    } catch (error) {
      this.onTrouble(`This gene could not be loaded (${error.message}): is mclstexp view still running?`);
      return;
    }
    this.onTrouble("");
    this.overlay.take(this.layer);
    this.control.take(this.layer);
    const verdict = document.createElement("small");
    verdict.textContent = verdict.dataset.verdict = verdictOf(this.slide, number);
    this.find("title").replaceChildren(named(this.layer.name), ...(verdict.textContent ? [" ", verdict] : []));
    this.onShown(this);
  }

  // Show a part of the slide: left, top, right, bottom in its pixels.
  goTo([left, top, right, bottom], { immediately = false } = {}) {
    const item = this.viewer.world.getItemAt(0);
    if (item) this.viewer.viewport.fitBounds(item.imageToViewportRectangle(left, top, right - left, bottom - top), immediately);
  }

  // Show what another pane shows.
  follow({ viewer: { viewport } }) {
    const own = this.viewer.viewport;
    const [wanted, bounds] = [viewport.getBounds(true), own.getBounds(true)];
    const off = Math.max(Math.abs(wanted.x - bounds.x), Math.abs(wanted.y - bounds.y), Math.abs(wanted.width - bounds.width));
    if (off > 1e-6 * wanted.width) own.fitBounds(wanted, true);
  }

  // Pixels of the slide under a pointer.
  under(event) {
    const where = this.overlay.where();
    const box = this.find("view").getBoundingClientRect();
    return where && [(event.clientX - box.left - where.x) / where.scale, (event.clientY - box.top - where.y) / where.scale];
  }

  // Say the values of `layers` at the tile under the pointer.
  hover(event, layers) {
    const { slide } = this;
    const hover = this.find("hover");
    const place = this.under(event);
    const tile = place && this.layer ? this.overlay.places.at(...place) : -1;
    hover.hidden = tile < 0 || event.pointerType === "touch";
    if (tile < 0) return;
    const lines = layers.map((layer) => {
      const value = Object.assign(document.createElement("b"), { textContent: digits(layer.values[tile]) });
      return [`${named(layer.name)} `, value, document.createElement("br")];
    });
    const mm = [0, 1].map((axis) => ((slide.xy[2 * tile + axis] * slide.mpp) / 1000).toFixed(2)).join(", ");
    const region = slide.regions.length ? ` · region ${slide.regions[tile] || "none"}` : "";
    hover.replaceChildren(...lines.flat(), `${mm} mm${region}`);
    const box = this.find("view").getBoundingClientRect();
    const [left, top] = [event.clientX - box.left, event.clientY - box.top];
    const { offsetWidth, offsetHeight } = hover;
    hover.style.left = `${Math.min(left + 14, box.width - offsetWidth - 4)}px`;
    hover.style.top = `${top + 18 + offsetHeight > box.height ? top - offsetHeight - 8 : top + 18}px`;
  }

  close() {
    this.closed = true;
    this.viewer.destroy();
    this.element.remove();
    this.control.element.remove();
  }
}
