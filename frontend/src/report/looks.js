// What a view can show of a section, and the colour that each spot has in it.

import { Colours } from "../shared/colours.js";
import { geneOf, MISSING } from "./payload.js";
import { number, signed } from "./words.js";

const DOMAINS = { truth: "Domains of the truth", predicted: "Domains of the prediction", labels: "Labelled tissue" };

export const TITLES = {
  truth: "Truth, as measured",
  predicted: "Prediction",
  pattern: "Prediction, own scale",
  difference: "Prediction − truth",
  width: "Interval, ± around the prediction",
  error: "Error, all genes",
  ...Object.fromEntries(Object.entries(DOMAINS).map(([name, title]) => [`domains-${name}`, title])),
  image: "H&E alone",
};

// Names of what can be shown of a section, in the order of the list.
export function possible(section) {
  const domains = Object.keys(DOMAINS).filter((name) => section.domains?.[name]);
  return Object.keys(TITLES).filter((kind) => {
    if (kind === "width" || kind === "error") return Boolean(section[kind]);
    if (kind === "image") return Boolean(section.image?.jpeg);
    return !kind.startsWith("domains-") || domains.includes(kind.slice(8));
  });
}

function scaled(data, kind, limits, indices) {
  const colours = data.colours[kind === "difference" ? "difference" : kind === "width" ? "width" : "value"];
  const write = kind === "difference" ? signed : number;
  const ends = limits.map((limit) => write(limit));
  const middle = kind === "difference" ? "0" : "";
  const unit = kind === "width" ? `± ${data.unit}` : data.unit;
  const missing = indices.includes(colours.length);
  return { hex: [...colours, data.colours.missing], indices, legend: { colours, ends, middle, unit, missing } };
}

function ofBytes(data, section, kind, gene) {
  const { bytes, meaning } = geneOf(data, section, kind, gene);
  const limits = data.limits[kind === "width" ? "width" : "value"][gene];
  const colours = new Colours(data.colours[kind === "width" ? "width" : "value"], data.colours.missing);
  const colourOf = Uint16Array.from(meaning, (value) => colours.index(value, limits));
  const indices = new Uint16Array(section.n);
  for (let spot = 0; spot < section.n; spot++) indices[spot] = colourOf[bytes[spot]];
  return scaled(data, kind, limits, indices);
}

// The prediction alone: what pattern there is, where the shared scale shows little of it.
function pattern(data, section, gene) {
  const guess = geneOf(data, section, "predicted", gene);
  const known = Array.from(guess.bytes).filter((byte) => byte !== MISSING).sort((a, b) => a - b);
  const [low, high] = [0.01, 0.99].map((share) => guess.meaning[known[Math.round(share * (known.length - 1))]] ?? 0);
  const limits = high > low ? [low, high] : [low - 0.5, low + 0.5];
  const colours = new Colours(data.colours.value, data.colours.missing);
  const colourOf = guess.meaning.map((value) => colours.index(value, limits));
  return scaled(data, "pattern", limits, Uint16Array.from(guess.bytes, (byte) => colourOf[byte]));
}

function difference(data, section, gene) {
  const [truth, predicted] = ["truth", "predicted"].map((which) => geneOf(data, section, which, gene));
  const most = data.limits.difference[gene];
  const colours = new Colours(data.colours.difference, data.colours.missing);
  const of = (spot) => colours.index(predicted.at(spot) - truth.at(spot), [-most, most]);
  return scaled(data, "difference", [-most, most], Uint16Array.from({ length: section.n }, (_, spot) => of(spot)));
}

// Where all genes together are further off than usual: 1 is as far as anywhere.
function error(data, section) {
  const { error: limits } = data.limits;
  const { error: hex, missing } = data.colours;
  const colours = new Colours(hex, missing);
  const indices = Uint16Array.from(section.error, (value) => colours.index(value ?? NaN, limits));
  const unit = "times the mean error of a gene";
  const legend = { colours: hex, ends: limits.map((limit) => number(limit)), middle: "", unit, missing: indices.includes(hex.length) };
  return { hex: [...hex, missing], indices, legend };
}

function domains(data, section, which) {
  const given = section.domains[which];
  const names = [...new Set(given.filter((name) => name !== null))].sort((a, b) => a.localeCompare(b, "en", { numeric: true }));
  const place = new Map([...names.entries()].map(([i, name]) => [name, i]));
  const hex = [...names.map((name) => data.colours.domains[name] ?? data.colours.missing), data.colours.missing];
  const indices = Uint16Array.from(given, (name) => place.get(name) ?? names.length);
  return { hex, indices, legend: { names: names.map((name, i) => [name, hex[i]]), missing: given.includes(null) } };
}

export function lookOf(data, section, kind, gene) {
  if (kind === "image") return { hex: [], indices: new Uint16Array(), legend: {} };
  if (kind.startsWith("domains-")) return domains(data, section, kind.slice(8));
  if (kind === "error") return error(data, section);
  if (kind === "pattern") return pattern(data, section, gene);
  return kind === "difference" ? difference(data, section, gene) : ofBytes(data, section, kind, gene);
}
