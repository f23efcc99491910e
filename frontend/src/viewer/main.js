// The page of `mclstexp view`: a slide, one gene's prediction over it, and the ways to move.

import OpenSeadragon from "openseadragon";

import { GeneBox } from "../shared/genes.js";
import { drawScaleBar } from "../shared/scale_bar.js";
import { themes } from "../shared/themes.js";
import { Overlay } from "./overlay.js";
import { belongs, openLayer, openSlide } from "./source.js";

const at = (id) => document.getElementById(id);
const short = (value) => (Number.isFinite(value) ? String(Number(value.toPrecision(3))) : "no value");
// as many digits for each, so that columns of them can be compared
const digits = (value) => (!Number.isFinite(value) ? "no value" : Math.abs(value) < 1000 ? value.toPrecision(3) : Math.round(value).toLocaleString("en"));
const named = (layer) => layer.replaceAll("_", " ");

let lasting = ""; // what no later success makes good

function trouble(text) {
  at("trouble").textContent = text || lasting;
  at("trouble").hidden = !at("trouble").textContent;
}

// OpenSeadragon adds a style element unless it finds one, and the content security policy forbids it: this is none,
// only called so. What would stand in it is in viewer.css.
function withoutOwnStyle() {
  const none = document.createElementNS("mclstexp", "style");
  none.setAttribute("data-openseadragon-mobile-css", "true");
  document.head.append(none);
}

function openViewer(slide) {
  withoutOwnStyle();
  const [width, height] = slide.size_px;
  return OpenSeadragon({
    element: at("view"),
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
    showNavigator: true,
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

class Page {
  constructor(slide) {
    this.slide = slide;
    this.viewer = openViewer(slide);
    this.viewer.addHandler("tile-load-failed", () => trouble("Parts of the slide could not be read: it is damaged, or `mclstexp view` was ended."));
    // turning the slide would leave map and scale bar behind
    this.viewer.addHandler("canvas-key", (event) => {
      if (["r", "R", "f"].includes(event.originalEvent.key)) event.preventDefaultAction = true;
    });
    this.overlay = new Overlay(this.viewer, slide);
    this.viewer.addHandler("update-viewport", () => {
      const where = this.overlay.where();
      if (where) drawScaleBar(at("bar"), slide.mpp / where.scale);
    });
    this.box = new GeneBox(at("gene"), at("found"), {
      names: slide.layers.map((name, i) => (i < slide.n_genes ? name : named(name))),
      onChoose: (number) => this.choose(number),
      onNone: (text) => (at("hint").textContent = text),
    });
    this.peak = -1;
    this.describe();
    this.listen();
    this.box.choose(slide.first);
    this.compare();
  }

  // A large slide is read whole for this, so it is asked last.
  async compare() {
    if (await belongs().catch(() => true)) return;
    lasting = "This is not the slide that was predicted, though it has its name and size: do not trust the map.";
    trouble(lasting);
  }

  describe() {
    const { slide } = this;
    document.title = `${slide.slide} · mclstexp`;
    at("slide").textContent = slide.slide;
    const size = slide.size_px.map((side) => short((side * slide.mpp) / 1000)).join(" × ");
    at("about").textContent = `${size} mm · ${slide.n_tiles.toLocaleString("en")} tiles, drawn ${short(slide.side_um)} µm wide · ${slide.n_genes.toLocaleString("en")} genes`;
    const context = at("scale").getContext("2d");
    slide.colours.forEach((colour, i) => {
      context.fillStyle = colour;
      context.fillRect(i, 0, 1, 1);
    });
    const looked = Math.abs(slide.tile_um - slide.side_um) > 0.5 ? ` A tile looks at ${short(slide.tile_um)} µm.` : "";
    const coarse = slide.upsampled ? ` The slide is ${short(slide.upsampled)} times coarser than the model's tiles: trust it less.` : "";
    const version = slide.version && `, mclstexp ${slide.version}`;
    at("made").textContent = `Predicted by ${slide.method}${version}.${looked}${coarse}`;
    at("outline").closest("label").hidden = !slide.outline.length;
  }

  async choose(number) {
    this.wanted = number;
    try {
      const layer = await openLayer(number);
      if (this.wanted !== number) return; // another was chosen meanwhile
      this.layer = layer;
    } catch (error) {
      trouble(`This gene could not be loaded (${error.message}): is mclstexp view still running?`);
      return;
    }
    trouble("");
    const isGene = number < this.slide.n_genes;
    [at("low").textContent, at("high").textContent] = this.layer.limits.map(digits);
    at("unit").textContent = isGene ? this.slide.unit : "0: like tissue the model has measured, 1: unlike any";
    at("scale").setAttribute("aria-label", `colours from ${digits(this.layer.limits[0])} to ${digits(this.layer.limits[1])}`);
    const { beyond } = this.layer;
    const tiles = beyond === 1 ? "1 tile lies" : `${beyond.toLocaleString("en")} of ${this.slide.n_tiles.toLocaleString("en")} tiles lie`;
    at("beyond").textContent = `${tiles} above ${short(this.slide.most)}, the most there can be: the model does not know this tissue.`;
    at("beyond").hidden = !beyond;
    at("missing").hidden = this.layer.values.every(Number.isFinite);
    this.overlay.take(this.layer);
    this.list();
    document.body.dataset.layer = this.layer.name; // what is drawn, for tests and for tools
  }

  list() {
    const { mpp } = this.slide;
    this.mark(-1);
    at("none").hidden = this.layer.peaks.length > 0;
    at("some").hidden = !at("none").hidden;
    at("peaks").replaceChildren(
      ...this.layer.peaks.map((peak, i) => {
        const item = document.createElement("li");
        const button = document.createElement("button");
        button.type = "button";
        const [x, y] = peak.xy.map((side) => ((side * mpp) / 1000).toFixed(2));
        const texts = [`${i + 1}`, digits(peak.value), `${x}, ${y} mm`];
        button.append(...texts.map((text) => Object.assign(document.createElement("span"), { textContent: text })));
        button.setAttribute("aria-label", `Region ${i + 1}: ${digits(peak.value)}, ${x} mm from the left, ${y} mm from the top`);
        button.addEventListener("click", () => this.jump(i));
        item.append(button);
        return item;
      }),
    );
  }

  mark(peak) {
    this.peak = peak;
    [...at("peaks").children].forEach((item, i) => item.firstChild.setAttribute("aria-current", String(i === peak)));
    this.overlay.show({ mark: peak < 0 ? null : this.layer.peaks[peak].xy });
  }

  // Show a region with some ten tiles around it.
  jump(peak) {
    const { peaks } = this.layer;
    if (!peaks.length) return;
    const next = (peak + peaks.length) % peaks.length;
    this.mark(next);
    const [x, y] = peaks[next].xy;
    const half = 8 * this.slide.side_px;
    const item = this.viewer.world.getItemAt(0);
    this.viewer.viewport.fitBounds(item.imageToViewportRectangle(x - half, y - half, 2 * half, 2 * half));
  }

  hover(event) {
    const where = this.overlay.where();
    const box = at("view").getBoundingClientRect();
    const [left, top] = [event.clientX - box.left, event.clientY - box.top];
    const tile = where && this.layer ? this.overlay.places.at((left - where.x) / where.scale, (top - where.y) / where.scale) : -1;
    at("hover").hidden = tile < 0 || event.pointerType === "touch";
    if (tile < 0) return;
    const { slide, layer } = this;
    const value = document.createElement("b");
    value.textContent = digits(layer.values[tile]);
    const place = [0, 1].map((axis) => ((slide.xy[2 * tile + axis] * slide.mpp) / 1000).toFixed(2)).join(", ");
    const region = slide.regions.length ? ` · region ${slide.regions[tile] || "none"}` : "";
    at("hover").replaceChildren(`${named(layer.name)} `, value, document.createElement("br"), `${place} mm${region}`);
    const { offsetWidth, offsetHeight } = at("hover");
    at("hover").style.left = `${Math.min(left + 14, box.width - offsetWidth - 4)}px`;
    at("hover").style.top = `${top + 18 + offsetHeight > box.height ? top - offsetHeight - 8 : top + 18}px`;
  }

  opacity(value) {
    at("opacity").value = value;
    at("percent").textContent = `${at("opacity").value} %`;
    this.overlay.show({ opacity: at("opacity").value / 100 });
  }

  listen() {
    const { viewport } = this.viewer;
    const zoom = (factor) => viewport.zoomBy(factor).applyConstraints();
    const toggle = (id) => at(id).click();
    at("opacity").addEventListener("input", () => this.opacity(at("opacity").value));
    for (const id of ["map", "outline"]) at(id).addEventListener("change", () => this.overlay.show({ [id]: at(id).checked }));
    const closer = () => zoom(1.6);
    const further = () => zoom(1 / 1.6);
    const whole = () => viewport.goHome();
    Object.entries({ closer, further, whole }).forEach(([id, does]) => at(id).addEventListener("click", does));
    at("view").addEventListener("pointermove", (event) => this.hover(event));
    at("view").addEventListener("pointerleave", () => (at("hover").hidden = true));
    const pan = (x, y) => viewport.panBy(viewport.deltaPointsFromPixels(new OpenSeadragon.Point(x, y))).applyConstraints();
    const keys = {
      "/": () => at("gene").focus(),
      n: () => this.jump(this.peak + 1),
      p: () => this.jump(this.peak < 0 ? -1 : this.peak - 1),
      Escape: () => this.mark(-1),
      m: () => toggle("map"),
      t: () => toggle("outline"),
      "[": () => this.opacity(Number(at("opacity").value) - 5),
      "]": () => this.opacity(Number(at("opacity").value) + 5),
      "+": closer,
      "=": closer,
      "-": further,
      0: whole,
      ArrowLeft: () => pan(-80, 0),
      ArrowRight: () => pan(80, 0),
      ArrowUp: () => pan(0, -80),
      ArrowDown: () => pan(0, 80),
    };
    // before the viewer's own keys, so that they work wherever the focus is, and only once
    document.addEventListener(
      "keydown",
      (event) => {
        const typing = event.target.matches?.("input:not([type=checkbox])");
        if (typing || event.ctrlKey || event.metaKey || event.altKey || !keys[event.key]) return;
        event.preventDefault();
        event.stopPropagation();
        keys[event.key]();
      },
      true,
    );
    this.opacity(at("opacity").value);
  }
}

themes(at("theme"));
openSlide().then(
  (slide) => new Page(slide),
  (error) => trouble(`The slide could not be loaded (${error.message}): is mclstexp view still running?`),
);
