// Packages that are built into dist/vendor/ instead of being installed: their own dependencies stay out of people's projects.
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";

/**
 * What is imported of each. BullMQ brings an install script, which pnpm 11 and later refuse; Fastify a package that refuses Node.js 20 under
 * `--engine-strict` and Yarn 1; the others most of the packages and bytes of an install. No range of ours can prevent that. OpenTelemetry's API
 * is some sixty files, which each process would load; all its copies in a process share one tracer.
 */
const vendored = {
  "@fastify/swagger": "default",
  "@noble/ciphers/chacha.js": "xchacha20poly1305",
  "@opentelemetry/api": "context, propagation, ROOT_CONTEXT, SpanKind, SpanStatusCode, trace",
  bullmq: "DelayedError, Job, Queue, SpanKind, UnrecoverableError, WaitingError, Worker",
  "bullmq-otel": "BullMQOtel",
  "cli-progress": "SingleBar",
  fastify: "default",
  "pino-pretty": "default",
  "prom-client": "Counter, collectDefaultMetrics, Gauge, Histogram, Registry",
};

/** Their instances are shared with the application's; or required by code of BullMQ that Holdfast never reaches. */
const external = ["ioredis", "pino", "pg", "redis", "@valkey/valkey-glide"];

const folder = "dist/vendor";

/** The packages that are built in, by name; their own dependencies are built in with them. */
export const vendoredPackages = [...new Set(Object.keys(vendored).map(packageOf))];

/** Builds them. */
export async function buildVendored() {
  const inputs = await Promise.all(Object.keys(vendored).map(bundle));
  const folders = new Set(
    inputs
      .flat()
      .flatMap((file) => /^node_modules\/(?:.*node_modules\/)?(?:@[^/]+\/)?[^/]+/.exec(file) ?? []),
  );
  const packages = [...folders].sort().map((where) => ({ where, ...readPackage(where) }));
  writeFileSync(path.join(folder, "licenses.md"), packages.map(licenceOf).join("\n"));
  writeFileSync(path.join(folder, "bom.cdx.json"), `${JSON.stringify(billOf(packages), null, 1)}\n`);
}

/** BullMQ's other store, which Holdfast does not use: a quarter of its code, and every process would keep its text in memory. */
const withoutPostgresBackend = {
  name: "without BullMQ's PostgreSQL backend",
  setup({ onLoad }) {
    onLoad({ filter: /[\\/]bullmq[\\/]dist[\\/]cjs[\\/]postgres[\\/]index\.js$/ }, () => ({ contents: "" }));
  },
};

/** @returns the files that it consists of */
async function bundle(specifier) {
  const { build } = await import("esbuild"); // not installed yet when this file is first loaded
  const names = vendored[specifier];
  const { metafile } = await build({
    stdin: {
      contents:
        names === "default"
          ? `module.exports = require("${specifier}");`
          : `export { ${names} } from "${specifier}";`,
      resolveDir: ".",
    },
    outfile: path.join(folder, fileOf(specifier).replace(/\.cjs$/, ".bundle.cjs")),
    bundle: true,
    platform: "node",
    // For both builds of Holdfast.
    format: "cjs",
    target: "node20.19",
    external,
    minifyWhitespace: true,
    plugins: [withoutPostgresBackend],
    metafile: true,
    logLevel: "error",
  });
  writeFileSync(path.join(folder, fileOf(specifier)), entryOf(specifier));
  return Object.keys(metafile.inputs);
}

/**
 * What is imported. Node.js looks through all that an ES module imports for the names that it exports: for a fifth of a second in these
 * bundles, but not in what they are required by.
 */
function entryOf(specifier) {
  const names = vendored[specifier];
  const exported =
    names === "default"
      ? "module.exports = bundle;"
      : names
          .split(", ")
          .map((name) => `exports.${name} = bundle.${name};`)
          .join("\n");
  return `const bundle = require("./${fileOf(specifier).replace(/\.cjs$/, ".bundle.cjs")}");\n${exported}\n`;
}

/** The text of a file of `dist/`, which loads what is built in from there. */
export function linkToVendored(text, file, dist = "dist") {
  return text.replace(/(\bfrom |\bimport ?\(?|\brequire\()"([^"]+)"/g, (found, before, specifier) => {
    if (!Object.hasOwn(vendored, specifier)) return found;
    const link = path.relative(path.dirname(file), path.join(dist, "vendor", fileOf(specifier)));
    return `${before}"${link.startsWith(".") ? link : `./${link}`}"`;
  });
}

function fileOf(specifier) {
  return `${packageOf(specifier).replace("@", "").replace("/", "-")}.cjs`;
}

function packageOf(specifier) {
  return /^(?:@[^/]+\/)?[^/]+/.exec(specifier)[0];
}

function readPackage(where) {
  return JSON.parse(readFileSync(path.join(where, "package.json"), "utf8"));
}

function licenceOf({ where, name, version, license }) {
  const file = readdirSync(where).find((entry) => /^licen[cs]e/i.test(entry));
  const text = file === undefined ? license : readFileSync(path.join(where, file), "utf8").trim();
  return `## ${name} ${version}\n\n${text}\n`;
}

/** For scanners, which see only what is installed. [CycloneDX](https://cyclonedx.org). */
function billOf(packages) {
  return {
    bomFormat: "CycloneDX",
    specVersion: "1.5",
    version: 1,
    components: packages.map(({ name, version, license }) => ({
      type: "library",
      name,
      version,
      purl: `pkg:npm/${name.replace("@", "%40")}@${version}`,
      licenses: [{ expression: license }],
    })),
  };
}
