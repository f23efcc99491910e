// What belongs to one gene in the panel: the box it is typed into, its verdict, its colours and where they end.

import { GeneBox } from "../shared/genes.js";
import { at, copyOf, digits, named, short, spanned, tested, verdictOf } from "./words.js";

export class Control {
  constructor(slide, suffix, { onChoose, onLimits }) {
    [this.element, this.find] = copyOf(at("control"), suffix);
    at("controls").append(this.element);
    Object.assign(this, { slide, onLimits });
    const { find } = this;
    if (suffix || slide.says) find("which").textContent = `${suffix ? "Second " : ""}${slide.says ? "value" : "gene"}`.replace(/^./, (first) => first.toUpperCase());
    if (suffix) find("gene").labels[0].querySelector("kbd").remove(); // the key leads to the first
    this.box = new GeneBox(find("gene"), find("found"), {
      names: slide.layers.map((name, i) => (i < slide.n_genes ? name : named(name))),
      notes: slide.known ? (number) => verdictOf(slide, number) : undefined,
      onChoose,
      onNone: (text) => (find("hint").textContent = text),
    });
    for (const end of [0, 1]) this.end(end).addEventListener("change", () => this.set(end));
    find("reset").addEventListener("click", () => this.limit(this.layer.limits, this.layer.training ? "training" : "own"));
    find("stretch").addEventListener("click", () => this.limit(this.layer.own, "own"));
  }

  end(which) {
    return this.find(["low", "high"][which]);
  }

  take(layer) {
    const { slide, find } = this;
    this.layer = layer;
    const isGene = layer.layer < slide.n_genes;
    const verdict = verdictOf(slide, layer.layer);
    const word = Object.assign(document.createElement("strong"), { textContent: verdict });
    word.dataset.verdict = verdict;
    find("verdict").replaceChildren(...(verdict ? [word] : []), tested(slide, layer.layer));
    find("unit").textContent = isGene ? (slide.units[layer.layer] ?? slide.unit) : "0: like tissue the model has measured, 1: unlike any";
    const { beyond } = layer;
    const tiles = beyond === 1 ? "1 tile lies" : `${beyond.toLocaleString("en")} of ${slide.n_tiles.toLocaleString("en")} tiles lie`;
    find("beyond").textContent = `${tiles} above ${short(slide.most)}, the most there can be: the model does not know this tissue.`;
    find("beyond").hidden = !beyond;
    find("missing").hidden = layer.values.every(Number.isFinite);
    this.limit(layer.limits, layer.training ? "training" : "own");
  }

  // Take a number that was typed; one that leaves no range is put back.
  set(end) {
    const limits = [...this.limits];
    limits[end] = this.end(end).value === "" ? NaN : Number(this.end(end).value);
    const fits = limits.every(Number.isFinite) && limits[0] < limits[1];
    this.limit(fits ? limits : this.limits, fits ? "set" : this.mode);
  }

  limit(limits, mode) {
    const { find, layer } = this;
    Object.assign(this, { limits, mode });
    limits.forEach((limit, end) => (this.end(end).value = Number(limit.toPrecision(4))));
    find("scale").setAttribute("aria-label", `Colours from ${digits(limits[0])} to ${digits(limits[1])}`);
    find("range").textContent = spanned(layer, mode);
    find("reset").hidden = mode === (layer.training ? "training" : "own");
    find("stretch").hidden = !layer.training || mode === "own";
    this.onLimits(limits);
  }

  colour(colours) {
    const context = this.find("scale").getContext("2d");
    colours.forEach((colour, i) => {
      context.fillStyle = colour;
      context.fillRect(i, 0, 1, 1);
    });
  }
}
