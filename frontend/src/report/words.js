// Numbers and sentences.

import { geneOf } from "./payload.js";

const MINUS = "−";
const NOT_JUDGED = "not judged";

export function number(value, digits = 3) {
  if (value === null || !Number.isFinite(value)) return "–";
  return String(Number(value.toPrecision(digits))).replace("-", MINUS);
}

export function signed(value) {
  return `${value > 0 ? "+" : ""}${number(value)}`;
}

export function fixed(value, digits = 2) {
  return value === null || !Number.isFinite(value) ? "–" : value.toFixed(digits).replace("-", MINUS);
}

export const plural = (n, what) => `${n.toLocaleString("en")} ${what}${n === 1 ? "" : "s"}`;

// What is shown, for who cannot see it and for who wants to be sure.
export function sentence(data, gene, section) {
  const said = data.rank[gene];
  const here = said.sections[section.id];
  const known = Object.values(said.sections).filter((pcc) => pcc !== null).length;
  const none = said.verdict === NOT_JUDGED ? "" : ": no PCC, as one of the two maps is constant or missing";
  const pcc = here === null || here === undefined ? none : `: PCC ${fixed(here)}`;
  const mean = known > 1 && said.pcc !== null ? ` (mean of ${known} sections ${fixed(said.pcc)})` : "";
  return [`${said.gene} on section ${section.id}${pcc}${mean}. `, `${said.verdict[0].toUpperCase()}${said.verdict.slice(1)}`, `: ${said.why}.`];
}

export function spotName(section, spot) {
  return `Spot ${section.names?.[spot] ?? spot + 1}`;
}

// The facts of a spot as pairs of a word and a value.
export function facts(data, section, gene, spot) {
  const [truth, predicted] = ["truth", "predicted"].map((which) => geneOf(data, section, which, gene).at(spot));
  const width = section.width ? geneOf(data, section, "width", gene).at(spot) : NaN;
  const about = Number.isFinite(width) ? ` ± ${number(width)}` : "";
  const { predicted: said = "Prediction", truth: was = "Truth", "domains-predicted": domain = "Domain, prediction" } = data.titles ?? {};
  const found = [[was, number(truth)]];
  if (data.titles === undefined || Number.isFinite(predicted)) {
    found.push([said, `${number(predicted)}${about}`], ["Difference", signed(predicted - truth)]);
  }
  if (section.error) found.push(["Error, all genes", `${number(section.error[spot], 2)} × mean`]);
  const names = { truth: "Domain, truth", predicted: domain, labels: "Label" };
  for (const [which, word] of Object.entries(names)) {
    if (section.domains?.[which]) found.push([word, section.domains[which][spot] ?? "none"]);
  }
  if (section.depth) found.push(["Depth", plural(section.depth[spot], "count")]);
  return found;
}
