// The packages that Holdfast needs in production, from `package-lock.json`, and their licences.
import { readFileSync } from "node:fs";
import { vendoredPackages } from "./vendor.mjs";

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

/** Packages whose install script nobody runs: msgpackr is built in, and works without its native part. */
const needlessScripts = new Set(["msgpackr-extract"]);

/** The packages that are installed with Holdfast, and those that are built into it: each version of each, ordered by name. */
function productionPackages() {
  const { packages } = JSON.parse(readFileSync("package-lock.json", "utf8"));
  return {
    installed: described(packages, Object.keys(packages[""].dependencies)),
    builtIn: described(packages, vendoredPackages),
  };
}

function described(packages, names) {
  const found = reachedFrom(packages, names).map((path) => {
    const { version, license = "unknown", hasInstallScript = false } = packages[path];
    return { name: path.replace(/^.*node_modules\//, ""), version, license, hasInstallScript };
  });
  const unique = new Map(found.map((one) => [`${one.name} ${one.version}`, one]));
  return [...unique.values()].sort((a, b) => a.name.localeCompare(b.name, "en"));
}

/** The paths of the packages of these names, and of those that they need. */
function reachedFrom(packages, names) {
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

/** The tables in `docs/licences.md`. */
export function licencesTables() {
  const { installed, builtIn } = productionPackages();
  return `Installed with it:\n\n${licencesTable(installed)}\n\nBuilt into it, in \`dist/vendor/\`:\n\n${licencesTable(builtIn)}`;
}

function licencesTable(packages) {
  const licences = [...new Set(packages.map(({ license }) => license))].sort();
  const rows = licences.map((licence) => {
    const under = packages.filter(({ license }) => license === licence);
    return `| ${licence} | ${under.map(({ name, version }) => `${name} ${version}`).join(", ")} |`;
  });
  return ["| licence | packages |", "| --- | --- |", ...rows].join("\n");
}

/** What is wrong with the packages, one line each. */
export function supplyFaults() {
  const { installed, builtIn } = productionPackages();
  return [...installed, ...builtIn].flatMap(({ name, version, license, hasInstallScript }) => [
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
