import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { readVariable } from "../../../platform/config/settings.ts";
import { packageFile } from "../../../platform/lib/package-file.ts";
import type { Project } from "./project.ts";

/** How an image installs what the project needs in production, by its lock file. */
const installs = {
  npm: "COPY package.json package-lock.json ./\nRUN npm ci --omit=dev",
  pnpm: "RUN npm install --global pnpm@10\nCOPY package.json pnpm-*.yaml ./\nRUN pnpm install --prod --frozen-lockfile",
  yarn: [
    "RUN npm install --global @yarnpkg/cli-dist@4",
    "# Whatever the project has: the image runs from node_modules.",
    "ENV YARN_NODE_LINKER=node-modules YARN_ENABLE_GLOBAL_CACHE=false YARN_ENABLE_TELEMETRY=false",
    "COPY package.json yarn.lock ./",
    "RUN yarn workspaces focus --production",
  ].join("\n"),
  "yarn 1": "COPY package.json yarn.lock ./\nRUN yarn install --frozen-lockfile --production",
  bun: "RUN npm install --global bun@1\nCOPY package.json bun.lock* ./\nRUN bun install --production --frozen-lockfile",
} as const;

const OF_NPM = installs.npm;

/** Files for an image, Compose and systemd by their path: those of the package, for the project's package manager. */
export function deployFiles({ folder, packageManager }: Project): Readonly<Record<string, string>> {
  const dockerfile = read("Dockerfile");
  if (!dockerfile.includes(OF_NPM)) throw new Error("ops/deploy/Dockerfile installs otherwise than by npm");
  const manager = packageManager === "yarn" && isFirstYarn(folder) ? "yarn 1" : packageManager;
  const units = readdirSync(packageFile("ops/deploy/systemd"));
  return {
    Dockerfile: dockerfile
      .replace(OF_NPM, installs[manager])
      .replace(
        "# Your application: holdfast.config.ts, its jobs, and a package.json that depends on holdfast. Copy this beside them.\n",
        "",
      ),
    ".dockerignore": read("dockerignore"),
    "compose.yaml": read("compose.yaml"),
    ...Object.fromEntries(units.map((unit) => [`deploy/systemd/${unit}`, read(`systemd/${unit}`)])),
  };
}

function read(path: string): string {
  return readFileSync(packageFile(`ops/deploy/${path}`), "utf8");
}

/** Its lock file says so; without one, whether it runs this command. */
function isFirstYarn(folder: string): boolean {
  const lockFile = join(folder, "yarn.lock");
  if (existsSync(lockFile)) return /^# yarn lockfile v1$/m.test(readFileSync(lockFile, "utf8"));
  return /^yarn\/1\./.test(readVariable("npm_config_user_agent") ?? "");
}
