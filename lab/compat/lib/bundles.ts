import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import * as esbuild from "esbuild";
import { checkout, must, newFolder, writeProject } from "./folder.ts";

/** A producer that was bundled and run. */
export interface Bundled {
  readonly bundler: string;
  readonly seconds: number;
  /** Of what it made. */
  readonly bytes: number;
  /** The id that the bundle printed. */
  readonly jobId: string;
}

/** Variables of a host application and of Kubernetes that are none of Holdfast's. */
export const ofTheHost = {
  HOST: "0.0.0.0",
  PORT: "web",
  LOG_LEVEL: "verbose",
  HOLDFAST_SERVICE_HOST: "10.0.0.1",
  HOLDFAST_PORT: "tcp://10.0.0.1:3000",
  HOLDFAST_PORT_3000_TCP_ADDR: "10.0.0.1",
};

/** ioredis is CommonJS: in a bundle of ES modules it needs Node.js's `require`. */
const banner = 'import { createRequire } from "node:module"; const require = createRequire(import.meta.url);';

export const jobId = /^default_[0-9a-f-]{36}$/m;

/** Installs the package into a project with our producer, and with other packages. */
export async function openBundledProject(tarball: string, packages: readonly string[]): Promise<string> {
  const folder = newFolder("bundles");
  writeProject(folder);
  const quiet = ["--no-audit", "--no-fund", "--prefer-offline", "--ignore-scripts"];
  await must(folder, "npm", ["install", ...quiet, tarball, "zod@^4", ...packages]);
  await addProducer(folder);
  return folder;
}

/** Adds our producer, and an application of all roles, to a project in which the package is installed. */
export async function addProducer(folder: string): Promise<void> {
  for (const name of ["contract", "script", "main", "application"]) {
    const source = readFileSync(join(checkout, `lab/compat/application/${name}.ts`), "utf8");
    const { code } = await esbuild.transform(source, { loader: "ts" });
    mkdirSync(join(folder, "app"), { recursive: true });
    writeFileSync(join(folder, "app", `${name}.js`), code);
  }
}

type Bundle = (folder: string, redisUrl: string) => Promise<Bundled>;

/** With the checkout's esbuild. */
const byEsbuild = (format: "esm" | "cjs"): Bundle => {
  const name = `esbuild, ${format === "esm" ? "ES module" : "CommonJS"}`;
  return async (folder, redisUrl) => {
    const outfile = join(newFolder("bundle"), format === "esm" ? "main.mjs" : "main.cjs");
    const begun = performance.now();
    const { warnings } = await esbuild.build({
      absWorkingDir: folder,
      entryPoints: ["app/main.js"],
      outfile,
      bundle: true,
      platform: "node",
      format,
      logLevel: "silent",
      ...(format === "esm" && { banner: { js: banner } }),
    });
    const seconds = (performance.now() - begun) / 1_000;
    if (warnings.length > 0) throw new Error(`${name} warns: ${warnings.map(({ text }) => text).join("; ")}`);
    return await runBundle(name, seconds, outfile, redisUrl);
  };
};

const byVite: Bundle = async (folder, redisUrl) => {
  const out = newFolder("bundle");
  const config = {
    logLevel: "warn",
    ssr: { noExternal: true },
    build: { ssr: "app/main.js", outDir: out, emptyOutDir: true },
  };
  writeFileSync(join(folder, "vite.config.js"), `export default ${JSON.stringify(config)};`);
  const { seconds } = await must(folder, "node_modules/.bin/vite", ["build"]);
  return await runBundle("Vite SSR", seconds, join(out, entryIn(out)), redisUrl);
};

const byWebpack: Bundle = async (folder, redisUrl) => {
  const out = newFolder("bundle");
  const config = {
    mode: "production",
    target: "node20",
    entry: "./app/main.js",
    output: { path: out, filename: "main.cjs" },
  };
  writeFileSync(join(folder, "webpack.config.cjs"), `module.exports = ${JSON.stringify(config)};`);
  const { seconds } = await must(folder, "node_modules/.bin/webpack", ["--config", "webpack.config.cjs"]);
  return await runBundle("webpack", seconds, join(out, "main.cjs"), redisUrl);
};

export const bundlers = {
  esbuild: { packages: [], bundles: [byEsbuild("esm"), byEsbuild("cjs")] },
  vite: { packages: ["vite@^8"], bundles: [byVite] },
  webpack: { packages: ["webpack@^5", "webpack-cli@^6"], bundles: [byWebpack] },
} satisfies Record<string, { readonly packages: readonly string[]; readonly bundles: readonly Bundle[] }>;

/** The bundle must run where nothing is beside it. */
async function runBundle(bundler: string, seconds: number, file: string, redisUrl: string): Promise<Bundled> {
  const folder = join(file, "..");
  const env = { ...ofTheHost, REDIS_URL: redisUrl };
  const { stdout } = await must(folder, process.execPath, [file, `bundled by ${bundler}`], {
    env,
    ms: 60_000,
  });
  const [id] = jobId.exec(stdout) ?? [];
  if (id === undefined) throw new Error(`${bundler}: expected the id of a job, got ${stdout}`);
  return { bundler, seconds, bytes: bytesIn(folder), jobId: id };
}

function entryIn(folder: string): string {
  return readdirSync(folder).find((name) => name.startsWith("main.")) ?? "main.js";
}

export function bytesIn(folder: string): number {
  return readdirSync(folder, { recursive: true, encoding: "utf8" })
    .map((name) => statSync(join(folder, name)))
    .reduce((sum, entry) => sum + (entry.isFile() ? entry.size : 0), 0);
}
