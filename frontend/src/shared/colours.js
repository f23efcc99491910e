const rgb = (hex) => [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16));

// 257 colours: those of the scale, and the one of no value.
export class Colours {
  constructor(scale, missing) {
    this.hex = [...scale, missing];
    this.rgb = this.hex.map(rgb);
  }

  index(value, [low, high]) {
    if (!Number.isFinite(value)) return this.hex.length - 1;
    const share = Math.min(1, Math.max(0, (value - low) / (high - low || 1)));
    return Math.min(this.hex.length - 2, Math.floor(share * (this.hex.length - 1)));
  }
}
