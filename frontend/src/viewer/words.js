// Numbers and sentences, and what is looked up by its name on the page.

export const at = (id) => document.getElementById(id);

export const short = (value) => (Number.isFinite(value) ? String(Number(value.toPrecision(3))) : "no value");

// as many digits for each, so that columns of them can be compared
export const digits = (value) =>
  !Number.isFinite(value) ? "no value" : Math.abs(value) < 1000 ? value.toPrecision(3) : Math.round(value).toLocaleString("en");

export const named = (layer) => layer.replaceAll("_", " ");

export const length = (um) => (um >= 1000 ? `${(um / 1000).toFixed(2)} mm` : `${short(um)} µm`);

const percent = (share) => (share >= 1 ? "all" : `${Math.round(100 * share)} %`);

export const verdictOf = (slide, gene) => slide.known?.verdict[gene] ?? "";

// What a test of the model says of a gene.
export function tested(slide, gene) {
  const { known } = slide;
  if (gene >= slide.n_genes) return "";
  if (slide.says) return slide.says;
  if (!known) return "Not tested: this file does not say whether the gene can be predicted.";
  if (!known.verdict[gene]) return "This gene was not tested.";
  const [pcc, ceiling, share] = ["tested_pcc", "ceiling", "share"].map((name) => known[name][gene]);
  const most = ceiling === null ? "" : `, where counts this noisy allow ${ceiling.toFixed(2)}`;
  const part = share === null ? "" : `; beyond the density of cells, ${percent(share)} of what they allow`;
  const found = pcc === null ? "" : `: PCC ${pcc.toFixed(2)}${most}${part}`;
  const whom = known.tested_on.length ? ` on ${known.tested_on.length === 1 ? "patient" : "patients"} ${known.tested_on.join(", ")}` : "";
  return `${found}; tested${whom}${known.method && ` (${known.method})`}.`;
}

// How the colours were chosen, and how much of what training held a map spans.
export function spanned({ training, own }, mode) {
  if (mode === "set") return "Colours end where you set them.";
  if (!training) return "Colours span 98 % of this slide's tiles.";
  const share = (own[1] - own[0]) / (training[1] - training[0]);
  const flat = share < 0.2 ? " The map is nearly flat." : "";
  const here = `this map spans ${share < 0.01 ? "less than 1" : Math.round(100 * share)} % of the range that was measured in training.${flat}`;
  return mode === "own" ? `Colours are stretched over this slide: ${here}` : `Colours span training: ${here}`;
}

// A copy of a template in which each id is its own, and a way to find what is in it.
export function copyOf(template, suffix) {
  const copy = template.content.cloneNode(true).firstElementChild;
  for (const name of ["id", "for", "aria-controls", "aria-labelledby", "aria-describedby"]) {
    for (const element of copy.querySelectorAll(`[${name}]`)) element.setAttribute(name, element.getAttribute(name) + suffix);
  }
  return [copy, (id) => copy.querySelector(`#${id}${suffix}`)];
}
