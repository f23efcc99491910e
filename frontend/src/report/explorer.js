// The explorer: what is chosen, and the views that show it.

import { save } from "../shared/canvas_text.js";
import { GeneBox } from "../shared/genes.js";
import { Places } from "../shared/places.js";
import { picture } from "./download.js";
import { lookOf, TITLES } from "./looks.js";
import { Moves, spotsBox } from "./moves.js";
import { Sections } from "./payload.js";
import { facts, fixed, sentence, spotName } from "./words.js";
import { View } from "./view.js";

const at = (id) => document.getElementById(id);
const SMALL = 5; // screen pixels
const MARKS = { predictable: "●", doubtful: "◐", "not predictable": "○" };

export class Explorer {
  constructor(data, { onGene }) {
    Object.assign(this, { data, onGene, gene: data.first, spot: -1, opacity: 0.8 });
    Object.assign(TITLES, data.titles); // of an answer that is no prediction of an image
    this.sections = new Sections(data);
    this.moves = new Moves(() => this.wish());
    this.hover = Object.assign(document.createElement("div"), { className: "hover", hidden: true });
    this.hover.setAttribute("aria-hidden", "true");
    this.makeViews();
    this.box = new GeneBox(at("gene"), at("gene-list"), {
      names: data.genes,
      notes: (gene) => `${MARKS[data.rank[gene].verdict] ?? ""} ${fixed(data.rank[gene].pcc)}`,
      onChoose: (gene) => this.show(gene),
      onNone: (text) => (at("gene-hint").textContent = text),
    });
    const named = ({ id, patient, n_spots: n }) => `${id} · ${n.toLocaleString("en")} spots${patient && patient !== id ? ` · patient ${patient}` : ""}`;
    at("section").append(...data.sections.map((section, i) => new Option(named(section), i)));
    this.listen();
  }

  makeViews() {
    const kinds = this.data.views ?? ["truth", "predicted", "difference"];
    this.views = kinds.map((kind, i) => new View(i + 1, kind, { onKind: (chosen) => this.change(i, chosen) }));
    at("views").append(...this.views.map((view) => view.figure));
    at("views").after(this.hover);
    this.moves.attach(this.views.map((view) => view.stage));
    new ResizeObserver(() => this.resize()).observe(this.views[0].stage);
    this.count(at("views").clientWidth < 700 ? 2 : 3);
  }

  count(n) {
    this.shown = this.views.slice(0, n);
    this.views.forEach((view, i) => (view.figure.hidden = i >= n));
    at("views").dataset.count = n;
    document.querySelector(`input[name=views][value="${n}"]`).checked = true;
    this.refresh();
  }

  // Show the first gene on the first section.
  async open() {
    await this.choose(0);
    this.box.choose(this.gene);
  }

  async choose(number) {
    this.wanted = number;
    at("section").value = number;
    const section = await this.sections.get(number);
    if (this.wanted !== number) return; // another was chosen meanwhile
    if (!this.section) {
      const { width, height } = spotsBox(section);
      at("views").style.setProperty("--aspect", Math.min(1.5, Math.max(0.8, width / height)));
      this.resize();
    }
    this.section = section;
    this.moves.look(section);
    at("filled").checked = section.spot.size_px * this.moves.base.scale < SMALL; // too small to see their colour
    this.pick(-1);
    for (const view of this.views) view.offer(section);
    this.refresh();
    this.say();
  }

  show(gene) {
    this.gene = gene;
    this.refresh();
    this.say();
    this.onGene(gene);
  }

  change(view, kind) {
    this.views[view].kind = kind;
    this.refresh();
  }

  refresh() {
    if (!this.section) return;
    const { data, section, gene } = this;
    const size = at("filled").checked ? section.pitch : section.spot.size_px;
    this.places = new Places(section.xy, size);
    for (const view of this.shown) {
      const what = view.kind.startsWith("domains-") || ["image", "error"].includes(view.kind) ? "" : ` of ${data.genes[gene]}`;
      const alt = `${TITLES[view.kind]}${what}, over section ${section.id}`;
      view.show(section, lookOf(data, section, view.kind, gene), { size, alt });
    }
    this.wish();
    clearTimeout(this.idle);
    this.idle = setTimeout(() => this.shown.forEach((view) => view.scene.ready()), 250); // for the next move
    Object.assign(at("explorer").dataset, { gene: data.genes[gene], section: section.id }); // for tests and tools
  }

  say() {
    const [where, verdict, why] = sentence(this.data, this.gene, this.section);
    const strong = Object.assign(document.createElement("strong"), { textContent: verdict });
    strong.dataset.verdict = this.data.rank[this.gene].verdict;
    at("says").replaceChildren(where, strong, why);
    if (this.spot >= 0) this.tell();
  }

  resize() {
    const { clientWidth: width, clientHeight: height } = this.views[0].stage;
    if (!width) return;
    this.ratio = Math.min(2, window.devicePixelRatio || 1);
    for (const view of this.views) view.resize([width, height], this.ratio);
    this.moves.resize([width, height]);
    this.draw(); // at once: a resized canvas is empty
  }

  // Draw in the next frame, once.
  wish() {
    this.frame ??= requestAnimationFrame(() => this.draw());
  }

  draw() {
    cancelAnimationFrame(this.frame);
    this.frame = undefined;
    if (!this.section || !this.ratio) return;
    const { place, moving } = this.moves;
    for (const view of this.shown) view.draw(place, this.ratio, { opacity: this.opacity, moving: moving || this.sliding });
    this.drawMarks();
  }

  drawMarks() {
    for (const view of this.shown) view.mark(this.spot, this.moves.place, this.ratio);
    if (this.spot >= 0) this.placeHover();
    else this.hover.hidden = true;
  }

  pick(spot, view = null) {
    if (spot === this.spot && view === this.over) return;
    Object.assign(this, { spot, over: view });
    if (spot >= 0) this.tell();
    if (this.ratio) this.drawMarks();
  }

  tell() {
    const { data, section, gene, spot } = this;
    const list = document.createElement("dl");
    this.said = [`${spotName(section, spot)}`, ...facts(data, section, gene, spot).map(([word, value]) => `${word} ${value}`)].join(", ");
    for (const [word, value] of facts(data, section, gene, spot)) {
      const name = Object.assign(document.createElement("dt"), { textContent: word });
      list.append(name, Object.assign(document.createElement("dd"), { textContent: value }));
    }
    this.hover.replaceChildren(Object.assign(document.createElement("b"), { textContent: spotName(section, spot) }), list);
  }

  // Beside the spot, inside the window of the views.
  placeHover() {
    const { hover, section, spot, over } = this;
    hover.hidden = !over;
    if (!over) return;
    const { place, size } = this.moves;
    const frame = hover.offsetParent.getBoundingClientRect();
    const stage = over.stage.getBoundingClientRect();
    const [x, y] = [section.xy[2 * spot] * place.scale + place.x, section.xy[2 * spot + 1] * place.scale + place.y];
    const away = (section.spot.size_px * place.scale) / 2 + 10;
    const left = stage.left - frame.left + x;
    const right = left + away + hover.offsetWidth < frame.width;
    hover.style.left = `${Math.max(0, right ? left + away : left - away - hover.offsetWidth)}px`;
    hover.style.top = `${stage.top - frame.top + Math.max(0, Math.min(y - 20, size[1] - hover.offsetHeight))}px`;
  }

  pointed(event, view) {
    const box = view.stage.getBoundingClientRect();
    const spot = this.section ? this.places.at(...this.moves.inPicture(event.clientX - box.left, event.clientY - box.top)) : -1;
    this.pick(spot, spot < 0 ? null : view);
  }

  // The next spot in a direction; from none, the one in the middle.
  step(dx, dy, view) {
    const { xy, n } = this.section;
    const [x, y] = this.spot < 0 ? this.moves.inPicture(...this.moves.size.map((side) => side / 2)) : [xy[2 * this.spot], xy[2 * this.spot + 1]];
    let [best, least] = [-1, Infinity];
    for (let i = 0; i < n; i++) {
      const [offX, offY] = [xy[2 * i] - x, xy[2 * i + 1] - y];
      const along = offX * dx + offY * dy;
      const across = Math.abs(offX * dy - offY * dx);
      const far = this.spot < 0 ? Math.hypot(offX, offY) : i !== this.spot && along > 0 && across <= along ? along + 2 * across : Infinity;
      if (far < least) [best, least] = [i, far];
    }
    if (best < 0) return;
    this.moves.reveal(xy[2 * best], xy[2 * best + 1]);
    this.pick(best, view);
    at("spot-says").textContent = this.said;
  }

  fade(percent) {
    at("opacity").value = percent;
    at("opacity-said").textContent = `${at("opacity").value} %`;
    this.opacity = at("opacity").value / 100;
    this.sliding = true;
    clearTimeout(this.slid);
    this.slid = setTimeout(() => {
      this.sliding = false;
      this.wish();
    }, 150);
    this.wish();
  }

  next(by) {
    const n = this.data.genes.length;
    this.box.choose((this.gene + by + n) % n);
  }

  async download() {
    const { data, gene, section, shown, moves } = this;
    const title = `${data.genes[gene]} · section ${section.id}`;
    const lines = [sentence(data, gene, section).join(""), `${data.title} · predicted by ${data.method} · mclstexp · research use only`];
    const how = { opacity: this.opacity };
    save(await picture({ title, lines, views: shown, size: moves.size, place: moves.place, how }), `${data.genes[gene]}_${section.id}.png`);
  }

  listen() {
    const { moves } = this;
    at("gene-before").addEventListener("click", () => this.next(-1));
    at("gene-after").addEventListener("click", () => this.next(1));
    at("section").addEventListener("change", () => this.choose(Number(at("section").value)));
    at("opacity").addEventListener("input", () => this.fade(at("opacity").value));
    at("filled").addEventListener("change", () => this.refresh());
    for (const radio of document.querySelectorAll("input[name=views]")) radio.addEventListener("change", () => this.count(Number(radio.value)));
    at("closer").addEventListener("click", () => moves.zoomBy(1.6));
    at("further").addEventListener("click", () => moves.zoomBy(1 / 1.6));
    at("whole").addEventListener("click", () => moves.home());
    at("download").addEventListener("click", () => this.download());
    for (const view of this.views) {
      view.stage.addEventListener("pointermove", (event) => this.pointed(event, view));
      view.stage.addEventListener("pointerdown", (event) => this.pointed(event, view)); // a finger does not hover
      view.stage.addEventListener("pointerleave", () => this.pick(-1));
      view.stage.addEventListener("blur", () => this.pick(-1));
      view.stage.addEventListener("keydown", (event) => this.keyInView(event, view));
    }
    document.addEventListener("keydown", (event) => this.key(event));
    this.fade(80);
  }

  keyInView(event, view) {
    const way = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
    if (!way || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    if (event.shiftKey) this.step(...way, view);
    else this.moves.panBy(-80 * way[0], -80 * way[1]);
  }

  // Letters do something only while nobody types, and nothing else of the page has the focus.
  key(event) {
    const { target } = event;
    const busy = target.matches?.("input:not([type=radio], [type=checkbox]), select, textarea");
    if (busy || event.ctrlKey || event.metaKey || event.altKey) return;
    if (target !== document.body && event.key !== "/" && !at("explorer").contains(target)) return;
    const { length } = this.data.sections;
    const keys = {
      "/": () => at("gene").focus(),
      n: () => this.next(1),
      p: () => this.next(-1),
      s: () => this.choose((Number(at("section").value) + 1) % length),
      "[": () => this.fade(Number(at("opacity").value) - 5),
      "]": () => this.fade(Number(at("opacity").value) + 5),
      f: () => at("filled").click(),
      "+": () => this.moves.zoomBy(1.6),
      "=": () => this.moves.zoomBy(1.6),
      "-": () => this.moves.zoomBy(1 / 1.6),
      0: () => this.moves.home(),
      d: () => this.download(),
    };
    if (!keys[event.key]) return;
    event.preventDefault();
    keys[event.key]();
  }
}
