// Everything that Holdfast needs to run from a checkout. Each step first checks whether anything is missing, so a second start takes
// milliseconds.
import { spawnSync } from "node:child_process";
import { closeSync, fsyncSync, mkdtempSync, openSync, rmSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { build, buildIsFresh } from "./build.mjs";
import { dependenciesAreFresh, installDependencies } from "./dependencies.mjs";
import { installLibraries, librariesAreFresh } from "./evidence.mjs";
import { ensureProgram } from "./install.mjs";
import { alone } from "./lock.mjs";
import {
  findChromium,
  findOnPath,
  findPostgres,
  findPythonDriver,
  findServer,
  hasOwnStore,
} from "./programs.mjs";
import { step } from "./progress.mjs";
import { Failure } from "./script.mjs";
import { useTestServer } from "./test-server.mjs";

/** For the service: Redis, the dependencies and a build. */
export async function setUpToRun() {
  if (!hasOwnStore()) await ensureServer();
  await setUpToBuild();
}

/** For every test. Returns the path of Chromium. */
export async function setUpToTest() {
  useTestServer();
  await ensureServer();
  await ensurePostgres();
  await ensurePython();
  await ensurePythonDriver();
  const chromium = await ensureChromium();
  await ensurePromtool();
  await setUpToBuild();
  await setUpLibraries({ withRuntimes: false });
  return chromium;
}

const QUICK_MS = 100;
const QUICK_FOR_MS = 3_000;
const DISK_WITHIN_MS = 60_000;

/** A disk that has just taken an install can hold an fsync for ten seconds, and Redis's callers wait for two. */
export async function untilDiskIsQuick() {
  spawnSync("sync");
  const folder = mkdtempSync(path.join(tmpdir(), "holdfast-disk-"));
  const file = openSync(path.join(folder, "probe"), "w");
  const endAt = performance.now() + DISK_WITHIN_MS;
  let quickSince = performance.now();
  while (performance.now() - quickSince < QUICK_FOR_MS && performance.now() < endAt) {
    const begun = performance.now();
    writeSync(file, "x");
    fsyncSync(file);
    if (performance.now() - begun > QUICK_MS) quickSince = performance.now();
    await sleep(20);
  }
  closeSync(file);
  rmSync(folder, { recursive: true });
}

/** For the soak and the fuzzing, which start their own Redis. */
export async function setUpWithServer() {
  useTestServer();
  await ensureServer();
  await setUpToBuild();
}

/** For the fault laboratory, which starts its own Redis and PostgreSQL. */
export async function setUpForFaults() {
  await ensurePostgres();
  await setUpWithServer();
}

/** For the table of truth, which starts its own Redis and databases. */
export async function setUpForEvidence({ withDatabases, withRuntimes }) {
  await setUpWithServer();
  if (withDatabases) await ensureDatabases();
  await setUpLibraries({ withRuntimes });
}

/** The client libraries that the table of truth tries. */
export async function setUpLibraries({ withRuntimes }) {
  if (librariesAreFresh({ withRuntimes })) return;
  await alone(async () => {
    if (!librariesAreFresh({ withRuntimes })) await installLibraries({ withRuntimes });
  });
}

/** For the benchmarks, which start their own Redis. */
export async function setUpForBench() {
  useTestServer();
  await ensureServer();
  await ensureLoadGenerator();
  await setUpToBuild();
}

/** The dependencies and a build. */
export async function setUpToBuild() {
  if (dependenciesAreFresh() && buildIsFresh()) return;
  await alone(async () => {
    if (!dependenciesAreFresh()) await installDependencies();
    if (!buildIsFresh()) await step("Building", build);
  });
}

/** Only the dependencies. */
export async function setUpDependencies() {
  if (dependenciesAreFresh()) return;
  await alone(async () => {
    if (!dependenciesAreFresh()) await installDependencies();
  });
}

function ensureServer() {
  return ensureProgram({
    name: "a Redis server",
    find: findServer,
    apt: ["redis-server", "valkey-server"],
    brew: [["redis"]],
    otherwise:
      "Holdfast needs a Redis or Valkey server (7 or newer): install it, for example with " +
      "`sudo apt-get install redis-server`, or set REDIS_URL to one that runs.",
  });
}

function ensureChromium() {
  return ensureProgram({
    name: "Chromium",
    find: findChromium,
    apt: ["chromium"],
    brew: [["--cask", "chromium"]],
    otherwise:
      "Holdfast's browser tests need Chromium: install it, for example with " +
      "`sudo apt-get install chromium`, or set CHROMIUM_PATH to a Chromium or Chrome.",
  });
}

function ensurePromtool() {
  return ensureProgram({
    name: "promtool",
    find: () => findOnPath("promtool"),
    apt: ["promtool", "prometheus"], // if it has no package of its own, it comes with the server
    brew: [["prometheus"]],
    otherwise:
      "Holdfast's tests check metrics and alerts with promtool: install it, for example with " +
      "`sudo apt-get install promtool`.",
  });
}

function ensurePostgres() {
  return ensureProgram({
    name: "PostgreSQL",
    find: findPostgres,
    apt: ["postgresql"],
    brew: [["postgresql"]],
    otherwise:
      "Holdfast's tests need a PostgreSQL server (13 or newer): install it, for example with " +
      "`sudo apt-get install postgresql`.",
  });
}

function ensurePython() {
  return ensureProgram({
    name: "Python",
    find: () => findOnPath("python3"),
    apt: ["python3"],
    brew: [["python"]],
    otherwise:
      "Holdfast's tests try its client for Python: install Python 3, for example with " +
      "`sudo apt-get install python3`.",
  });
}

/** One test's alone: where it cannot be installed, that test says that it tries no Python. */
async function ensurePythonDriver() {
  const install = ensureProgram({
    name: "Python's driver psycopg2",
    find: findPythonDriver,
    apt: ["python3-psycopg2"],
    brew: [["psycopg"]],
    otherwise: "Python's driver psycopg2 cannot be installed here.",
  });
  await install.catch((error) => {
    if (!(error instanceof Failure)) throw error;
  });
}

async function ensureDatabases() {
  await ensurePostgres();
  await ensureProgram({
    name: "MariaDB",
    find: () => findOnPath("mariadbd"),
    apt: ["mariadb-server-core"],
    brew: [["mariadb"]],
    otherwise: "The table of truth needs a MariaDB server: install it, or choose libraries with --only.",
  });
}

function ensureLoadGenerator() {
  return ensureProgram({
    name: "wrk",
    find: () => findOnPath("wrk"),
    apt: ["wrk"],
    brew: [["wrk"]],
    otherwise:
      "Holdfast's benchmarks need wrk, the HTTP load generator: install it, for example with " +
      "`sudo apt-get install wrk`.",
  });
}
