// The box a gene is typed into: what fits is listed below it, after the pattern "combobox" of WAI-ARIA.

const MOST = 100;

export class GeneBox {
  constructor(input, list, { names, notes, onChoose, onNone }) {
    Object.assign(this, { input, list, names, notes, onChoose, onNone, chosen: "", active: -1, found: [] });
    this.lower = names.map((name) => name.toLowerCase());
    input.addEventListener("input", () => this.open(this.search(input.value)));
    input.addEventListener("focus", () => input.select());
    input.addEventListener("click", () => this.open(this.search("")));
    input.addEventListener("blur", () => this.close());
    input.addEventListener("keydown", (event) => this.key(event));
    list.addEventListener("mousedown", (event) => {
      event.preventDefault(); // the focus stays in the box
      const at = [...list.children].indexOf(event.target.closest("li"));
      if (at >= 0) this.choose(this.found[at]);
    });
  }

  // Numbers of the names that fit: those that begin with the text first.
  search(text) {
    const wanted = text.trim().toLowerCase();
    const all = this.lower.map((_, i) => i).filter((i) => this.lower[i].includes(wanted));
    const order = (i) => (this.lower[i] === wanted ? 0 : this.lower[i].startsWith(wanted) ? 1 : 2);
    return all.sort((a, b) => order(a) - order(b) || a - b);
  }

  open(found) {
    this.found = found.slice(0, MOST);
    this.active = this.input.value.trim() && this.found.length ? 0 : -1;
    this.list.replaceChildren(
      ...this.found.map((number, at) => {
        const item = document.createElement("li");
        Object.assign(item, { role: "option", id: `${this.list.id}-${at}`, textContent: this.names[number] });
        const note = this.notes?.(number);
        if (note) item.append(Object.assign(document.createElement("small"), { textContent: note }));
        return item;
      }),
    );
    this.list.hidden = this.found.length === 0;
    this.input.setAttribute("aria-expanded", String(!this.list.hidden));
    const more = found.length > MOST ? `${found.length} fit; the first ${MOST} are listed` : "";
    this.onNone(found.length ? more : `No gene of this prediction contains “${this.input.value.trim()}”.`);
    this.mark();
  }

  mark() {
    [...this.list.children].forEach((item, at) => item.setAttribute("aria-selected", String(at === this.active)));
    const item = this.list.children[this.active];
    if (item) item.scrollIntoView({ block: "nearest" });
    this.input.setAttribute("aria-activedescendant", item ? item.id : "");
  }

  close() {
    this.list.hidden = true;
    this.input.setAttribute("aria-expanded", "false");
    this.input.value = this.chosen;
    this.onNone("");
  }

  // The field never names another gene than the one that is shown.
  restore() {
    const wanted = this.input.value.trim();
    this.close();
    this.input.select();
    this.onNone(`No gene here contains “${wanted}”: ${this.chosen} is still shown.`);
  }

  choose(number) {
    this.chosen = this.names[number];
    this.close();
    this.onChoose(number);
  }

  key(event) {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step) {
      event.preventDefault();
      if (this.list.hidden) this.open(this.search(""));
      else {
        this.active = (this.active + step + this.found.length) % this.found.length;
        this.mark();
      }
    } else if (event.key === "Enter" && this.active >= 0 && !this.list.hidden) {
      this.choose(this.found[this.active]);
      this.input.blur();
    } else if (event.key === "Enter" && this.input.value.trim() && !this.found.length) this.restore();
    else if (event.key === "Escape") this.input.blur();
  }
}
