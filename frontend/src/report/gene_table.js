// The table of genes: as many rows as are in sight, so that thousands scroll as easily as ten.

import { fixed, number, plural } from "./words.js";

const ROW_PX = 30; // as in report.css
const SPARE = 12; // rows kept beyond what is in sight
const PRINTED = 50;
const VERDICTS = ["predictable", "doubtful", "not predictable"];
const at = (id) => document.getElementById(id);
const made = (tag, properties = {}, ...children) => {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
};

const COLUMNS = [
  { key: "gene", title: "Gene", up: true },
  { key: "verdict", title: "Verdict", value: (row) => VERDICTS.indexOf(row.verdict), up: true },
  { key: "pcc", title: "PCC", write: fixed },
  { key: "given_depth", title: "Given depth", write: fixed },
  { key: "ceiling_given_depth", title: "Ceiling", write: fixed },
  { key: "share", title: "Share", write: (share) => (share === null ? "–" : `${Math.round(100 * share)} %`.replace("-", "−")) },
  { key: "q", title: "False discoveries", up: true, write: (q) => (q !== null && q < 0.001 ? "<0.001" : fixed(q, 3)) },
  { key: "score", title: "Published score", write: (score) => (score === null ? "–" : score >= 100 ? number(score) : fixed(score, 1)) },
];

export class GeneTable {
  constructor(data, { onChoose }) {
    Object.assign(this, { data, onChoose, verdict: "", chosen: data.first });
    const sections = data.sections.map(({ id }) => ({ key: `section-${id}`, title: id, section: id, value: (row) => row.sections[id] ?? null }));
    this.columns = [...COLUMNS.map((column) => ({ value: (row) => row[column.key], ...column })), ...sections];
    this.table = at("gene-rows");
    this.table.classList.toggle("many", sections.length > 6); // more columns than a sheet of paper has room for
    this.window = this.table.parentElement;
    this.order = data.rank.map((_, i) => i);
    this.sorted = null;
    this.head();
    this.filters();
    at("gene-search").addEventListener("input", () => this.filter());
    this.window.addEventListener("scroll", () => this.fill());
    new ResizeObserver(() => this.fill()).observe(this.window);
    this.table.tBodies[0].addEventListener("click", (event) => this.clicked(event));
    this.table.tBodies[0].addEventListener("keydown", (event) => this.key(event));
    window.addEventListener("beforeprint", () => this.print());
    window.addEventListener("afterprint", () => this.fill());
    this.filter();
  }

  head() {
    const row = made("tr");
    for (const column of this.columns) {
      const button = made("button", { type: "button", textContent: column.title });
      button.addEventListener("click", () => this.sort(column));
      const cell = made("th", { scope: "col", className: column.section ? "heat" : column.write ? "num" : "" }, button);
      if (column.section) button.title = `PCC on section ${column.section}`;
      column.cell = cell;
      row.append(cell);
    }
    this.table.tHead.replaceChildren(row);
  }

  filters() {
    const count = (verdict) => this.data.rank.filter((row) => !verdict || row.verdict === verdict).length;
    const label = (verdict) => {
      const radio = made("input", { type: "radio", name: "verdict", value: verdict, checked: !verdict });
      radio.addEventListener("change", () => {
        this.verdict = verdict;
        this.filter();
      });
      const text = made("span", { textContent: verdict || "all" });
      text.dataset.verdict = verdict;
      return made("label", {}, radio, text, made("small", { textContent: count(verdict).toLocaleString("en") }));
    };
    at("verdicts").append(...["", ...VERDICTS].map(label));
  }

  // First the better end of a column, then the other, then the ranking again.
  sort(column) {
    const same = this.sorted?.column === column;
    if (same && this.sorted.turned) this.sorted = null;
    else this.sorted = { column, turned: same };
    this.filter();
  }

  filter() {
    const { rank } = this.data;
    const wanted = at("gene-search").value.trim().toLowerCase();
    const fits = (row) => (!this.verdict || row.verdict === this.verdict) && row.gene.toLowerCase().includes(wanted);
    this.order = rank.map((_, i) => i).filter((i) => fits(rank[i]));
    if (this.sorted) {
      const { column, turned } = this.sorted;
      const sign = Boolean(column.up) === turned ? -1 : 1;
      const value = (i) => column.value(rank[i]);
      const compare = (a, b) => (typeof a === "string" ? a.localeCompare(b, "en", { numeric: true }) : a - b);
      // what is not known comes last, whichever way
      this.order.sort((a, b) => (value(a) === null) - (value(b) === null) || (value(a) === null ? 0 : sign * compare(value(a), value(b))) || a - b);
    }
    for (const column of this.columns) {
      const way = Boolean(column.up) !== Boolean(this.sorted?.turned) ? "ascending" : "descending";
      column.cell.setAttribute("aria-sort", this.sorted?.column === column ? way : "none");
    }
    at("gene-count").textContent = this.order.length < rank.length ? `${this.order.length.toLocaleString("en")} of ${plural(rank.length, "gene")}` : plural(rank.length, "gene");
    this.window.scrollTop = 0;
    this.table.setAttribute("aria-rowcount", this.order.length + 1);
    this.fill(true);
  }

  fill(anew = false) {
    const first = Math.max(0, Math.floor(this.window.scrollTop / ROW_PX) - SPARE);
    const last = Math.min(this.order.length, Math.ceil((this.window.scrollTop + this.window.clientHeight) / ROW_PX) + SPARE);
    if (anew === true || first !== this.first || last !== this.last) this.rows(first, last);
  }

  rows(first, last) {
    const focused = this.table.tBodies[0].contains(document.activeElement) ? document.activeElement.dataset.gene : null;
    Object.assign(this, { first, last });
    const space = (rows) => {
      const row = made("tr", { className: "space" }, made("td", { colSpan: this.columns.length }));
      row.setAttribute("aria-hidden", "true");
      row.style.height = `${rows * ROW_PX}px`;
      return row;
    };
    const shown = this.order.slice(first, last).map((gene, i) => this.row(gene, first + i));
    this.table.tBodies[0].replaceChildren(space(first), ...shown, space(this.order.length - last));
    if (focused !== null) this.button(focused)?.focus({ preventScroll: true });
  }

  row(gene, place) {
    const said = this.data.rank[gene];
    const row = made("tr");
    row.dataset.gene = gene;
    row.setAttribute("aria-rowindex", place + 2);
    if (gene === this.chosen) row.setAttribute("aria-current", "true");
    for (const column of this.columns) {
      const value = column.value(said);
      if (column.key === "gene") {
        const button = made("button", { type: "button", textContent: said.gene });
        button.dataset.gene = gene;
        row.append(made("th", { scope: "row" }, button));
      } else if (column.key === "verdict") {
        const mark = made("span", { textContent: said.verdict, title: said.why });
        mark.dataset.verdict = said.verdict;
        row.append(made("td", {}, mark));
      } else if (column.section) {
        const cell = made("td", { className: "heat", textContent: fixed(value).replace("0.", ".") });
        if (value !== null) cell.dataset.heat = value < 0 ? "below" : Math.min(9, Math.floor(10 * value));
        row.append(cell);
      } else row.append(made("td", { className: "num", textContent: column.write(value) }));
    }
    return row;
  }

  button(gene) {
    return this.table.tBodies[0].querySelector(`button[data-gene="${gene}"]`);
  }

  clicked(event) {
    const row = event.target.closest("tr[data-gene]");
    if (row) this.onChoose(Number(row.dataset.gene));
  }

  key(event) {
    const by = { ArrowDown: 1, ArrowUp: -1, PageDown: 10, PageUp: -10, Home: -Infinity, End: Infinity }[event.key];
    if (!by || !event.target.dataset.gene) return;
    event.preventDefault();
    const place = this.order.indexOf(Number(event.target.dataset.gene)) + by;
    const next = Math.min(this.order.length - 1, Math.max(0, place));
    const top = this.window.scrollTop;
    const inside = this.window.clientHeight - 2 * ROW_PX; // the heading stays
    if (next * ROW_PX < top) this.window.scrollTop = next * ROW_PX;
    else if (next * ROW_PX > top + inside) this.window.scrollTop = next * ROW_PX - inside;
    this.fill();
    this.button(this.order[next])?.focus({ preventScroll: true });
  }

  mark(gene) {
    this.chosen = gene;
    this.fill(true);
  }

  // On paper nothing scrolls: the first rows as they are sorted and filtered.
  print() {
    this.rows(0, Math.min(PRINTED, this.order.length));
    this.table.tBodies[0].lastChild.remove();
    this.first = -1;
  }
}
