// The packages that `package-lock.json` installs in production, and their licences.
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

/** Each version of each package, ordered by name. */
function productionPackages() {
  const { packages } = JSON.parse(readFileSync("package-lock.json", "utf8"));
  const found = Object.entries(packages)
    .filter(([path, { dev, devOptional }]) => path !== "" && !dev && !devOptional)
    .map(([path, { version, license = "unknown", hasInstallScript = false }]) => ({
      name: path.replace(/^.*node_modules\//, ""),
      version,
      license,
      hasInstallScript,
    }));
  const unique = new Map(found.map((one) => [`${one.name} ${one.version}`, one]));
  return [...unique.values()].sort((a, b) => a.name.localeCompare(b.name, "en"));
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
