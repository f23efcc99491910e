// Where tiles lie: which one is under a point, and whether they fill the cells of a grid.

export class Places {
  constructor(xy, side) {
    this.xy = xy;
    this.side = side;
    this.n = xy.length / 2;
    this.left = Infinity;
    this.top = Infinity;
    for (let i = 0; i < this.n; i++) {
      this.left = Math.min(this.left, xy[2 * i]);
      this.top = Math.min(this.top, xy[2 * i + 1]);
    }
    this.cells = new Map();
    this.columns = 0;
    this.rows = 0;
    let fits = true;
    for (let i = 0; i < this.n; i++) {
      const [column, row] = this.cell(xy[2 * i], xy[2 * i + 1]);
      const offX = (xy[2 * i] - this.left) / side - column;
      const offY = (xy[2 * i + 1] - this.top) / side - row;
      const key = this.key(column, row);
      fits &&= Math.abs(offX) < 0.01 && Math.abs(offY) < 0.01 && !this.cells.has(key);
      this.cells.set(key, [...(this.cells.get(key) ?? []), i]);
      this.columns = Math.max(this.columns, column + 1);
      this.rows = Math.max(this.rows, row + 1);
    }
    // a canvas of this size is still drawn at once
    this.isGrid = fits && this.columns <= 8192 && this.rows <= 8192 && this.columns * this.rows <= 2 ** 24;
  }

  cell(x, y) {
    return [Math.round((x - this.left) / this.side), Math.round((y - this.top) / this.side)];
  }

  key(column, row) {
    return row * 1e6 + column;
  }

  // Number of the tile that covers a point, the nearest where several do; -1 for none.
  at(x, y) {
    const [column, row] = this.cell(x, y);
    let best = -1;
    let least = Infinity;
    for (let dy = -1; dy <= 1; dy++) {
      for (let dx = -1; dx <= 1; dx++) {
        for (const i of this.cells.get(this.key(column + dx, row + dy)) ?? []) {
          const off = Math.max(Math.abs(this.xy[2 * i] - x), Math.abs(this.xy[2 * i + 1] - y));
          if (off <= this.side / 2 && off < least) [best, least] = [i, off];
        }
      }
    }
    return best;
  }
}
