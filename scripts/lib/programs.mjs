// Finds the programs that Holdfast needs and npm does not install.
import { execFileSync, spawnSync } from "node:child_process";
import { accessSync, constants, existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import path from "node:path";
import util from "node:util";

const oldestServer = 7;

const chromiumNames = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];
const chromiumOnMac = [
  "/Applications/Chromium.app/Contents/MacOS/Chromium",
  "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
];

/** The full path of a program on PATH, or undefined. */
export function findOnPath(name) {
  const folders = (process.env.PATH ?? "").split(path.delimiter).filter(Boolean);
  return folders.map((folder) => path.join(folder, name)).find(isProgram);
}

/** The path of a recent enough Redis or Valkey server, or undefined. */
export function findServer() {
  return ["redis-server", "valkey-server"].map(findOnPath).filter(Boolean).find(isNewEnough);
}

/** The path of a PostgreSQL server, or undefined. Debian keeps each version in a folder that is not on PATH. */
export function findPostgres() {
  const folder = "/usr/lib/postgresql";
  const versions = existsSync(folder) ? readdirSync(folder) : [];
  const files = versions.map((version) => path.join(folder, version, "bin/postgres"));
  return files.find(isProgram) ?? findOnPath("postgres");
}

/** The Python that has psycopg2, or undefined. PATH may begin with another make of Python than the driver's. */
export function findPythonDriver() {
  return ["python3", "/usr/bin/python3"].find(
    (program) => spawnSync(program, ["-c", "import psycopg2"]).status === 0,
  );
}

/** The path of Chromium or Chrome, or undefined. `CHROMIUM_PATH` comes first. */
export function findChromium() {
  if (process.env.CHROMIUM_PATH) return [process.env.CHROMIUM_PATH].find(isProgram);
  return chromiumNames.map(findOnPath).find(Boolean) ?? chromiumOnMac.find(isProgram);
}

/** Whether the user brings their own Redis, by the environment or `.env`. */
export function hasOwnStore() {
  return Boolean(process.env.REDIS_URL ?? readDotEnv().REDIS_URL);
}

/** Whether it is a file that this user may run. */
export function isProgram(file) {
  try {
    accessSync(file, constants.X_OK);
    return statSync(file).isFile();
  } catch {
    return false;
  }
}

/** Whether a Redis or Valkey server is recent enough. */
export function isNewEnough(server) {
  const version = execFileSync(server, ["--version"], { encoding: "utf8" }); // "Redis server v=8.0.2 sha=…"
  return Number(/\bv=(\d+)/.exec(version)?.[1]) >= oldestServer;
}

function readDotEnv() {
  try {
    return util.parseEnv(readFileSync(".env", "utf8"));
  } catch (error) {
    if (error.code === "ENOENT") return {};
    throw error;
  }
}
