// The script of the report's pages: explorer and table, where there are any, on the numbers that are in the page.

import { themes } from "../shared/themes.js";
import { Explorer } from "./explorer.js";
import { GeneTable } from "./gene_table.js";
import { readData } from "./payload.js";

function trouble(text) {
  const place = document.querySelector("#explorer .trouble");
  Object.assign(place, { textContent: text, hidden: false });
}

function themeButton() {
  const button = Object.assign(document.createElement("button"), { type: "button", className: "theme" });
  document.querySelector("nav")?.append(button);
  themes(button);
}

async function start() {
  const data = readData();
  for (const place of document.querySelectorAll(".scriptless")) place.hidden = true;
  for (const place of document.querySelectorAll(".explorer, .gene-table")) place.hidden = false;
  const table = new GeneTable(data, {
    onChoose: (gene) => {
      explorer.box.choose(gene);
      document.getElementById("explorer").scrollIntoView();
    },
  });
  const explorer = new Explorer(data, { onGene: (gene) => table.mark(gene) });
  await explorer.open();
}

themeButton();
const explored = document.getElementById("explorer") !== null;
if (explored && typeof DecompressionStream === "undefined") trouble("This browser is too old for the explorer: use one of 2023 or later.");
else if (explored) {
  start().catch((error) => {
    console.error(error);
    trouble(`The explorer could not be started (${error.message}): is the file whole?`);
  });
}
