// Bundles the page into the Python package, with the licence of what is bundled. `npm ci && npm run build`.
import { build } from "esbuild";
import { copyFile, mkdir, readFile, writeFile } from "node:fs/promises";

const out = new URL("../../src/mclstexp/report/viewer_assets/", import.meta.url);
const here = (name) => new URL(name, import.meta.url);

await mkdir(out, { recursive: true });
await build({
  entryPoints: [here("src/main.js").pathname],
  outfile: new URL("viewer.js", out).pathname,
  bundle: true,
  minify: true,
  format: "iife",
  target: "es2020",
  legalComments: "none", // the whole text lies beside it
  banner: { js: "/* mclstexp viewer; holds OpenSeadragon, see licences.txt. Made by frontend/viewer. */" },
});
for (const name of ["index.html", "viewer.css", "icon.svg"]) {
  await copyFile(here(`src/${name}`), new URL(name, out));
}
const { version } = JSON.parse(await readFile(here("node_modules/openseadragon/package.json"), "utf8"));
const licence = await readFile(here("node_modules/openseadragon/LICENSE.txt"), "utf8");
await writeFile(
  new URL("licences.txt", out),
  `viewer.js holds OpenSeadragon ${version} (https://openseadragon.github.io), under this licence:\n\n${licence}`,
);
