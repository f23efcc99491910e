// One of the views: a list of what it can show, the map, its colours.

import { drawScaleBar } from "../shared/scale_bar.js";
import { possible, TITLES } from "./looks.js";
import { Scene, trace } from "./scene.js";

const made = (tag, properties = {}, ...children) => {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
};

export class View {
  constructor(number, kind, { onKind }) {
    this.kind = kind;
    this.select = made("select", { id: `view-${number}` });
    this.select.setAttribute("aria-label", `Shown in view ${number}`);
    this.select.addEventListener("change", () => onKind(this.select.value));
    this.map = made("canvas", { className: "map" });
    this.marks = made("canvas", { className: "marks" });
    this.map.setAttribute("role", "img");
    this.marks.setAttribute("aria-hidden", "true");
    this.marks.hidden = true;
    this.bar = made("div", { className: "scale-bar" }, made("span"), made("i"));
    this.stage = made("div", { className: "stage", tabIndex: 0 }, this.map, this.marks, this.bar);
    this.stage.setAttribute("role", "application");
    this.stage.setAttribute("aria-label", `View ${number}: arrows move, plus and minus zoom, Shift and arrows go from spot to spot`);
    this.legend = made("div", { className: "legend" });
    this.figure = made("figure", { className: "view" }, made("figcaption", {}, this.select), this.stage, this.legend);
  }

  offer(section) {
    const kinds = possible(section);
    this.select.replaceChildren(...kinds.map((value) => made("option", { value, textContent: TITLES[value] })));
    if (!kinds.includes(this.kind)) this.kind = "predicted";
    this.select.value = this.kind;
  }

  show(section, look, { size, alt }) {
    this.scene = new Scene(section, look, size);
    this.map.setAttribute("aria-label", alt);
    this.legend.replaceChildren(...legendOf(look.legend));
  }

  resize([width, height], ratio) {
    for (const canvas of [this.map, this.marks]) {
      Object.assign(canvas, { width: Math.round(width * ratio), height: Math.round(height * ratio) });
    }
  }

  draw(place, ratio, how) {
    const { map } = this;
    const at = { scale: place.scale * ratio, x: place.x * ratio, y: place.y * ratio };
    this.scene?.draw(map.getContext("2d"), [map.width, map.height], at, how);
    if (!this.scene || (how.moving && performance.now() - this.measured < 150)) return; // text is slow to draw
    this.measured = performance.now();
    drawScaleBar(this.bar, this.scene.section.image.um_per_px / place.scale, 110);
  }

  mark(spot, place, ratio) {
    if (spot < 0 && !this.marked) return;
    this.marked = spot >= 0;
    this.marks.hidden = !this.marked;
    const context = this.marks.getContext("2d");
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(0, 0, this.marks.width, this.marks.height);
    if (!this.marked) return;
    context.setTransform(place.scale * ratio, 0, 0, place.scale * ratio, place.x * ratio, place.y * ratio);
    for (const [colour, wide] of [["#ffffff", 4.5], ["#101010", 2]]) {
      context.beginPath();
      trace(context, this.scene.section, spot, this.scene.size);
      context.strokeStyle = colour;
      context.lineWidth = wide / place.scale;
      context.stroke();
    }
  }
}

function legendOf({ colours, ends, middle, unit, names, missing }) {
  const swatch = (colour, text) => {
    const square = made("i", { className: "swatch" });
    square.style.background = colour;
    return made("span", { className: "named" }, square, text);
  };
  const none = missing ? [swatch("var(--missing)", "no value")] : [];
  if (names) return [made("div", { className: "names" }, ...names.map(([name, hex]) => swatch(hex, name)), ...none)];
  if (!colours) return [];
  const bar = made("canvas", { className: "colours", width: colours.length, height: 1 });
  bar.setAttribute("role", "img");
  bar.setAttribute("aria-label", `Colours from ${ends[0]} to ${ends[1]}`);
  const context = bar.getContext("2d");
  colours.forEach((colour, i) => {
    context.fillStyle = colour;
    context.fillRect(i, 0, 1, 1);
  });
  const numbers = [ends[0], middle, ends[1]].filter((text) => text !== "").map((textContent) => made("span", { textContent }));
  return [bar, made("div", { className: "ends" }, ...numbers), made("div", { className: "unit" }, unit, ...none)];
}
