// The page of `mclstexp view`: a slide, one gene's prediction over it or two beside each other, and the ways to move.

import OpenSeadragon from "openseadragon";

import { save } from "../shared/canvas_text.js";
import { themes } from "../shared/themes.js";
import { GeneList } from "./gene_list.js";
import { Pane, tissueBox } from "./pane.js";
import { picture } from "./picture.js";
import { Ruler } from "./ruler.js";
import { belongs, openSlide } from "./source.js";
import { at, digits, named, short } from "./words.js";

let lasting = ""; // what no later success makes good

function trouble(text) {
  at("trouble").textContent = text || lasting;
  at("trouble").hidden = !at("trouble").textContent;
}

class Page {
  constructor(slide) {
    this.slide = slide;
    this.panes = [];
    this.peak = -1;
    this.look = {};
    this.list = new GeneList(slide, { onChoose: (gene) => this.panes[0].control.box.choose(gene) });
    this.ruler = new Ruler(slide, { onChange: (change) => this.show(change) });
    at("colours").replaceChildren(...Object.keys(slide.maps).map((name) => new Option(name)));
    this.describe();
    this.show({ colours: slide.maps[at("colours").value] });
    this.add(slide.first);
    this.panes[0].viewer.addOnceHandler("open", () => this.panes[0].goTo(tissueBox(slide), { immediately: true }));
    this.listen();
    this.check();
  }

  // A large slide is read whole for this, so it is asked last.
  async check() {
    if (await belongs().catch(() => true)) return;
    lasting = "This is not the slide that was predicted, though it has its name and size: do not trust the map.";
    trouble(lasting);
  }

  describe() {
    const { slide } = this;
    document.title = `${slide.slide} · mclstexp`;
    at("slide").textContent = slide.slide;
    const size = slide.size_px.map((side) => short((side * slide.mpp) / 1000)).join(" × ");
    at("about").textContent = `${size} mm · ${slide.n_tiles.toLocaleString("en")} tiles, drawn ${short(slide.side_um)} µm wide · ${slide.n_genes.toLocaleString("en")} ${slide.says ? "values" : "genes"}`;
    const looked = Math.abs(slide.tile_um - slide.side_um) > 0.5 ? ` A tile looks at ${short(slide.tile_um)} µm.` : "";
    const coarse = slide.upsampled ? ` The slide is ${short(slide.upsampled)} times coarser than the model's tiles: trust it less.` : "";
    const version = slide.version && `, mclstexp ${slide.version}`;
    at("made").textContent = `Predicted by ${slide.method}${version}.${looked}${coarse}`;
    at("outline").closest("label").hidden = !slide.outline.length;
  }

  add(gene) {
    const pane = new Pane(this.slide, this.panes.length ? "-2" : "", {
      onShown: (shown) => this.shown(shown),
      onLead: (leader) => (this.leader = leader),
      onMove: (moved) => moved === this.leader && this.follow(),
      onTrouble: trouble,
    });
    this.panes.push(pane);
    this.leader ??= pane;
    pane.overlay.show(this.look);
    pane.control.colour(this.look.colours);
    this.ruler.listen(pane);
    const view = pane.find("view");
    view.addEventListener("pointermove", (event) => pane.hover(event, this.panes.map(({ layer }) => layer).filter(Boolean)));
    view.addEventListener("pointerleave", () => (pane.find("hover").hidden = true));
    pane.control.box.choose(gene);
  }

  // All panes draw alike.
  show(change) {
    Object.assign(this.look, change);
    for (const pane of this.panes) pane.overlay.show(change);
  }

  follow() {
    for (const pane of this.panes) if (pane !== this.leader && pane.overlay.where()) pane.follow(this.leader);
  }

  // One gene, or a second beside it.
  beside(on) {
    at("beside").checked = on;
    at("panes").classList.toggle("two", on);
    if (on === this.panes.length > 1) return;
    if (on) {
      this.leader = this.panes[0];
      this.add(this.list.beside(1));
      this.panes[1].viewer.addOnceHandler("open", () => this.follow());
    } else {
      this.leader = this.panes[0];
      this.panes.pop().close();
      this.name();
    }
  }

  shown(pane) {
    this.name();
    if (pane !== this.panes[0]) return;
    this.layer = pane.layer;
    this.list.mark(this.layer.layer);
    this.regions();
    document.body.dataset.layer = this.layer.name; // what is drawn, for tests and for tools
  }

  // Names of what is saved are those of what is shown.
  name() {
    const layers = this.panes.map(({ layer }) => layer).filter(Boolean);
    this.file = [this.slide.slide, ...layers.map(({ name }) => name)].join("-").replace(/[^\w.-]+/g, "_");
    Object.assign(at("qupath"), { href: `layers/${layers.map(({ layer }) => layer)}.geojson`, download: `${this.file}.geojson` });
    at("highest").textContent = layers.length > 1 ? `Highest regions of ${named(layers[0].name)}` : "Highest regions";
  }

  regions() {
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
        const texts = [`${i + 1}`, " ", digits(peak.value), " ", `${x}, ${y} mm`];
        button.append(...texts.map((text) => (text === " " ? text : Object.assign(document.createElement("span"), { textContent: text }))));
        button.title = `Region ${i + 1}, ${x} mm from the left, ${y} mm from the top`;
        button.addEventListener("click", () => this.jump(i));
        item.append(button);
        return item;
      }),
    );
  }

  mark(peak) {
    this.peak = peak;
    [...at("peaks").children].forEach((item, i) => item.firstChild.setAttribute("aria-current", String(i === peak)));
    this.show({ mark: peak < 0 ? null : this.layer.peaks[peak].xy });
  }

  // Show a region with some ten tiles around it.
  jump(peak) {
    const { peaks } = this.layer;
    if (!peaks.length) return;
    const next = (peak + peaks.length) % peaks.length;
    this.mark(next);
    const [x, y] = peaks[next].xy;
    const half = 8 * this.slide.side_px;
    this.leader.goTo([x - half, y - half, x + half, y + half]);
  }

  opacity(value) {
    at("opacity").value = value;
    at("percent").textContent = `${at("opacity").value} %`;
    this.show({ opacity: at("opacity").value / 100 });
  }

  colour(name) {
    at("colours").value = name;
    this.show({ colours: this.slide.maps[name] });
    for (const { control } of this.panes) control.colour(this.look.colours);
  }

  async save() {
    if (!this.panes.every(({ layer }) => layer)) return;
    save(await picture(this.slide, this.panes, this.look.colours), `${this.file}.png`);
  }

  // Set an end of a distance in the middle of what is seen, for who has no pointer.
  point() {
    const { viewport, world } = this.leader.viewer;
    const { x, y } = world.getItemAt(0).viewportToImageCoordinates(viewport.getCenter(true));
    if (this.ruler.on) this.ruler.point([x, y]);
  }

  listen() {
    const lead = () => this.leader.viewer.viewport;
    const zoom = (factor) => lead().zoomBy(factor).applyConstraints();
    const toggle = (id) => at(id).click();
    at("opacity").addEventListener("input", () => this.opacity(at("opacity").value));
    at("colours").addEventListener("change", () => this.colour(at("colours").value));
    at("beside").addEventListener("change", () => this.beside(at("beside").checked));
    for (const id of ["map", "outline"]) at(id).addEventListener("change", () => this.show({ [id]: at(id).checked }));
    const closer = () => zoom(1.6);
    const further = () => zoom(1 / 1.6);
    const whole = () => lead().goHome();
    const tissue = () => this.leader.goTo(tissueBox(this.slide));
    const measure = () => this.ruler.toggle();
    const png = () => this.save();
    Object.entries({ closer, further, whole, tissue, measure, png }).forEach(([id, does]) => at(id).addEventListener("click", does));
    const pan = (x, y) => lead().panBy(lead().deltaPointsFromPixels(new OpenSeadragon.Point(x, y))).applyConstraints();
    const gene = (step) => this.panes[0].control.box.choose(this.list.beside(step));
    const keys = {
      "/": () => at("gene").focus(),
      ",": () => gene(-1),
      ".": () => gene(1),
      b: () => toggle("beside"),
      n: () => this.jump(this.peak + 1),
      p: () => this.jump(this.peak < 0 ? -1 : this.peak - 1),
      Escape: () => (this.ruler.on ? this.ruler.toggle(false) : this.mark(-1)),
      d: measure,
      s: png,
      m: () => toggle("map"),
      t: () => toggle("outline"),
      "[": () => this.opacity(Number(at("opacity").value) - 5),
      "]": () => this.opacity(Number(at("opacity").value) + 5),
      "+": closer,
      "=": closer,
      "-": further,
      0: whole,
      h: tissue,
      ArrowLeft: () => pan(-80, 0),
      ArrowRight: () => pan(80, 0),
      ArrowUp: () => pan(0, -80),
      ArrowDown: () => pan(0, 80),
    };
    // before the viewer's own keys, so that they work wherever the focus is, and only once
    document.addEventListener(
      "keydown",
      (event) => {
        const typing = event.target.matches?.("input:not([type=checkbox]), select");
        if (typing || event.ctrlKey || event.metaKey || event.altKey) return;
        const inView = event.key === "Enter" && this.ruler.on && event.target.closest?.("#panes");
        const does = inView ? () => this.point() : keys[event.key];
        if (!does) return;
        event.preventDefault();
        event.stopPropagation();
        does();
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
