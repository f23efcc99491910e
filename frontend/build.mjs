// Bundles the pages into the Python package, with the licences of what is bundled. `npm ci && npm run build`.
import { build } from "esbuild";
import { createHash } from "node:crypto";
import { copyFile, mkdir, readFile, readdir, writeFile } from "node:fs/promises";

const here = (name) => new URL(name, import.meta.url);
const PAGES = [
  { name: "viewer", out: "viewer_assets", copied: ["index.html", "viewer.css", "icon.svg"] },
  { name: "report", out: "page_assets", copied: ["explorer.html", "genes.html", "report.css"] },
];

// What a page is made from; the tests make the same number and see whether somebody forgot to build.
async function sourcesHash(page) {
  const hash = createHash("sha256");
  const inside = async (folder) => (await readdir(here(folder))).map((file) => `${folder}/${file}`);
  const own = [...(await inside(`src/${page}`)), ...(await inside("src/shared"))];
  for (const name of ["build.mjs", "package-lock.json", "package.json", ...own.sort()]) {
    hash.update(`${name}\n`).update(await readFile(here(name)));
  }
  return hash.digest("hex");
}

// Names of the packages whose code is in a bundle.
function bundled(metafile) {
  const inputs = Object.values(metafile.outputs).flatMap((output) => Object.entries(output.inputs));
  const used = inputs.filter(([, { bytesInOutput }]) => bytesInOutput > 0);
  const names = used.map(([path]) => path.match(/node_modules\/((?:@[^/]+\/)?[^/]+)/)?.[1]);
  return [...new Set(names.filter(Boolean))].sort();
}

async function licence(name) {
  const folder = here(`node_modules/${name}/`);
  const { version, homepage } = JSON.parse(await readFile(new URL("package.json", folder), "utf8"));
  const file = (await readdir(folder)).find((entry) => /^licen[cs]e/i.test(entry));
  const text = await readFile(new URL(file, folder), "utf8"); // a package without one may not be bundled
  return `${name} ${version}${homepage ? ` (${homepage})` : ""}, under this licence:\n\n${text.trim()}\n`;
}

const wanted = process.argv.slice(2); // all pages where none is named
for (const { name, out, copied } of PAGES) {
  if (wanted.length && !wanted.includes(name)) continue;
  const sources = await sourcesHash(name);
  const folder = here(`../src/mclstexp/report/${out}/`);
  await mkdir(folder, { recursive: true });
  const { metafile } = await build({
    absWorkingDir: here(".").pathname,
    entryPoints: [`src/${name}/main.js`],
    outfile: new URL(`${name}.js`, folder).pathname,
    bundle: true,
    minify: true,
    metafile: true,
    format: "iife",
    target: "es2020",
    charset: "utf8",
    legalComments: "none", // the whole texts lie beside it
    banner: { js: `/* mclstexp ${name}; holds other people's work, see licences.txt. Made by frontend/ from ${sources}. */` },
  });
  for (const file of copied) await copyFile(here(`src/${name}/${file}`), new URL(file, folder));
  const texts = await Promise.all(bundled(metafile).map(licence));
  await writeFile(new URL("licences.txt", folder), `${name}.js holds:\n\n${texts.join(`\n${"-".repeat(72)}\n\n`)}`);
}
