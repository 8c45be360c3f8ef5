// What would be published: its size, its entries, its types, its links.
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { packagedPage, pages } from "./pages.mjs";
import { capture } from "./run.mjs";

/** In bytes; the reference page is a third, what is built in a quarter. Raise it only with a reason. */
const budget = { packed: 4_600_000, unpacked: 13_900_000 };

/** What is wrong with the package, one line each. */
export async function packageFaults() {
  const folder = await mkdtemp(path.join(tmpdir(), "holdfast-pack-"));
  try {
    const args = ["pack", "--json", "--ignore-scripts", "--pack-destination", folder];
    const { code, output } = await capture("npm", args);
    if (code !== 0) return [output];
    const [packed] = JSON.parse(output.slice(output.indexOf("[")));
    const tarball = await readFile(path.join(folder, packed.filename));
    const found = await Promise.all([entryFaults(tarball), typeFaults(tarball)]);
    return [...sizeFaults(packed), ...linkFaults(), ...found.flat()];
  } finally {
    await rm(folder, { recursive: true });
  }
}

function sizeFaults({ size: packed, unpackedSize: unpacked }) {
  return Object.entries({ packed, unpacked })
    .filter(([name, bytes]) => bytes > budget[name])
    .map(([name, bytes]) => `the package has ${bytes} bytes ${name}; ${budget[name]} are the most`);
}

/** No page of the package links to what is not in it. */
function linkFaults() {
  const links = pages.flatMap((page) =>
    [...packagedPage(page).matchAll(/\]\((?!https?:|#)[^)]*\)/g)].map(([link]) => `${page}: ${link}`),
  );
  return links.map((link) => `a link that does not work in the package: ${link}`);
}

async function entryFaults(tarball) {
  const { publint } = await import("publint");
  const { formatMessage } = await import("publint/utils");
  const data = tarball.buffer.slice(tarball.byteOffset, tarball.byteOffset + tarball.byteLength);
  const { messages, pkg } = await publint({ pack: { tarball: data }, level: "warning" });
  return messages.map((message) => `publint: ${formatMessage(message, pkg, { color: false })}`);
}

async function typeFaults(tarball) {
  const { checkPackage, createPackageFromTarballData } = await import("@arethetypeswrong/core");
  const entrypoints = { excludeEntrypoints: ["./package.json"] };
  const { problems = [] } = await checkPackage(createPackageFromTarballData(tarball), entrypoints);
  return problems.map((problem) => `types: ${JSON.stringify(problem)}`);
}
