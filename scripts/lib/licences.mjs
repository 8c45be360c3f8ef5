// The packages that Holdfast needs in production, from `package-lock.json`, and their licences.
import { readFileSync } from "node:fs";

/** Licences that only require attribution. */
const allowed = new Set([
  "MIT",
  "MIT-0",
  "ISC",
  "BSD-2-Clause",
  "BSD-3-Clause",
  "0BSD",
  "Apache-2.0",
  "BlueOak-1.0.0",
]);

/**
 * Packages whose install script Holdfast does not need: esbuild finds its program by itself, msgpackr and tsx's watcher work without
 * their native parts.
 */
const needlessScripts = new Set(["esbuild", "msgpackr-extract", "fsevents"]);

/** Each version of each package that is installed with Holdfast or, as Fastify, built into it; ordered by name. */
function productionPackages() {
  const { packages } = JSON.parse(readFileSync("package-lock.json", "utf8"));
  const found = reachedFrom(packages).map((path) => {
    const { version, license = "unknown", hasInstallScript = false } = packages[path];
    return { name: path.replace(/^.*node_modules\//, ""), version, license, hasInstallScript };
  });
  const unique = new Map(found.map((one) => [`${one.name} ${one.version}`, one]));
  return [...unique.values()].sort((a, b) => a.name.localeCompare(b.name, "en"));
}

/** The paths of the packages that the root needs in production, and those that they need. */
function reachedFrom(packages) {
  const { dependencies, peerDependencies } = packages[""];
  const names = [...Object.keys({ ...dependencies, ...peerDependencies }), "fastify"];
  const reached = new Set(names.map((name) => `node_modules/${name}`));
  for (const path of reached) {
    const { dependencies, optionalDependencies } = packages[path];
    for (const name of Object.keys({ ...dependencies, ...optionalDependencies })) {
      const found = nearest(packages, path, name);
      if (found !== undefined) reached.add(found);
    }
  }
  return [...reached];
}

/** Where Node.js finds a package from another one. */
function nearest(packages, from, name) {
  for (let folder = `${from}/`; ; folder = folder.replace(/node_modules\/(@[^/]+\/)?[^/]+\/$/, "")) {
    if (Object.hasOwn(packages, `${folder}node_modules/${name}`)) return `${folder}node_modules/${name}`;
    if (folder === "") return undefined;
  }
}

/** The table in `docs/licences.md`. */
export function licencesTable() {
  const packages = productionPackages();
  const licences = [...new Set(packages.map(({ license }) => license))].sort();
  const rows = licences.map((licence) => {
    const under = packages.filter(({ license }) => license === licence);
    return `| ${licence} | ${under.map(({ name, version }) => `${name} ${version}`).join(", ")} |`;
  });
  return ["| licence | packages |", "| --- | --- |", ...rows].join("\n");
}

/** What is wrong with the packages, one line each. */
export function supplyFaults() {
  return productionPackages().flatMap(({ name, version, license, hasInstallScript }) => [
    ...(isAllowed(license)
      ? []
      : [`${name} ${version}: its licence ${license} is not among ${[...allowed].join(", ")}`]),
    ...(hasInstallScript && !needlessScripts.has(name)
      ? [`${name} ${version}: has an install script; is it needed?`]
      : []),
  ]);
}

/** One allowed alternative is enough. */
function isAllowed(license) {
  return license
    .replace(/[()]/g, "")
    .split(" OR ")
    .some((one) => allowed.has(one));
}
