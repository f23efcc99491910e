// Measures a distance: by two clicks, by dragging, or by keys from the middle of the view to the middle of the next.

import { at, length } from "./words.js";

export class Ruler {
  constructor(slide, { onChange }) {
    Object.assign(this, { slide, onChange, on: false, open: false, ends: null });
  }

  // Hear of what is done in a pane.
  listen(pane) {
    const place = (event) => {
      const { x, y } = pane.viewer.world.getItemAt(0).viewerElementToImageCoordinates(event.position);
      return [x, y];
    };
    const hear = (name, does) => pane.viewer.addHandler(name, (event) => this.on && does(event));
    hear("canvas-press", (event) => (this.pressed = place(event)));
    hear("canvas-drag", (event) => {
      event.preventDefaultAction = true;
      this.open = false;
      this.put([this.pressed, place(event)]);
    });
    hear("canvas-drag-end", (event) => (event.preventDefaultAction = true));
    hear("canvas-double-click", (event) => (event.preventDefaultAction = true));
    hear("canvas-click", (event) => {
      event.preventDefaultAction = true;
      if (event.quick) this.point(place(event));
    });
    pane.find("view").addEventListener("pointermove", (event) => {
      if (this.on && this.open && event.pointerType !== "touch" && !event.buttons) this.put([this.ends[0], pane.under(event)]);
    });
  }

  // Set an end: the second where the first is set.
  point(place) {
    this.put(this.open ? [this.ends[0], place] : [place, place]);
    this.open = !this.open;
  }

  put(ends) {
    this.ends = ends;
    const [from, to] = ends;
    this.says = length(Math.hypot(to[0] - from[0], to[1] - from[1]) * this.slide.mpp);
    at("length").textContent = this.says;
    this.onChange({ ruler: { ends, says: this.says } });
  }

  toggle(on = !this.on) {
    Object.assign(this, { on, open: false, ends: null });
    at("measure").setAttribute("aria-pressed", String(on));
    at("panes").classList.toggle("measuring", on);
    at("length").textContent = on ? "Click two places, or drag." : "";
    this.onChange({ ruler: null });
  }
}
