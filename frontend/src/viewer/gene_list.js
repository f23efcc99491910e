// The genes in an order, and those of a verdict alone.

import { at, short, verdictOf } from "./words.js";

const MOST = 200;
const VERDICTS = ["predictable", "doubtful", "not predictable", ""];

export class GeneList {
  constructor(slide, { onChoose }) {
    Object.assign(this, { slide, onChoose, shown: -1 });
    const { known, spread, layers } = slide;
    const highest = (values) => (a, b) => (values[b] ?? -Infinity) - (values[a] ?? -Infinity) || a - b;
    const byName = (a, b) => layers[a].localeCompare(layers[b], "en", { numeric: true });
    const trust = (gene) => VERDICTS.indexOf(verdictOf(slide, gene));
    const percent = (share) => (share === null ? "" : `${Math.round(100 * share)} %`);
    this.orders = {
      "Varies most here": { by: highest(spread), says: (gene) => short(spread[gene]), title: "standard deviation over this slide" },
      ...(known && {
        "Most trusted": { by: (a, b) => trust(a) - trust(b) || highest(known.share)(a, b), says: (gene) => percent(known.share[gene]), title: "share of the ceiling that the test reached" },
        "Highest PCC": { by: highest(known.tested_pcc), says: (gene) => known.tested_pcc[gene]?.toFixed(2) ?? "", title: "PCC in the test" },
      }),
      "A to Z": { by: byName, says: () => "", title: "" },
      "As predicted": { by: (a, b) => a - b, says: () => "", title: "" },
    };
    at("order").replaceChildren(...Object.keys(this.orders).map((name) => new Option(name)));
    at("of").hidden = at("of").labels[0].hidden = !known;
    const count = (verdict) => known.verdict.filter((one) => one === verdict).length;
    const some = known ? VERDICTS.filter(count) : [];
    at("of").replaceChildren(new Option("all", "all"), ...some.map((verdict) => new Option(`${verdict || "not tested"} (${count(verdict)})`, verdict)));
    for (const id of ["order", "of"]) at(id).addEventListener("change", () => this.list());
    this.list();
  }

  list() {
    const { by, says, title } = this.orders[at("order").value];
    const wanted = at("of").value;
    const all = Array.from({ length: this.slide.n_genes }, (_, gene) => gene);
    this.order = all.filter((gene) => wanted === "all" || verdictOf(this.slide, gene) === wanted).sort(by);
    at("ranking").replaceChildren(...this.order.slice(0, MOST).map((gene, rank) => this.row(gene, rank, { says, title })));
    const more = this.order.length - MOST;
    at("more").textContent = more > 0 ? `${more.toLocaleString("en")} more: type a gene above.` : "";
    this.mark(this.shown);
  }

  row(gene, rank, { says, title }) {
    const span = (textContent, className = "") => Object.assign(document.createElement("span"), { textContent, className });
    const item = document.createElement("li");
    const button = Object.assign(document.createElement("button"), { type: "button", title });
    const name = span(this.slide.layers[gene]);
    name.dataset.verdict = verdictOf(this.slide, gene);
    if (name.dataset.verdict) name.append(span(`, ${name.dataset.verdict}`, "unseen"));
    button.append(span(String(rank + 1)), " ", name, " ", span(says(gene)));
    button.addEventListener("click", () => this.onChoose(gene));
    item.append(button);
    return item;
  }

  mark(gene) {
    this.shown = gene;
    [...at("ranking").children].forEach((item, i) => item.firstChild.setAttribute("aria-current", String(this.order[i] === gene)));
  }

  // The gene a step further down the list than the one that is shown.
  beside(step) {
    const from = this.order.indexOf(this.shown);
    const next = from < 0 ? 0 : (from + step + this.order.length) % this.order.length;
    return this.order[next] ?? this.shown;
  }
}
