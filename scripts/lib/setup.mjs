// All that must be there before Holdfast can run from a checkout. Each step looks first and does nothing where
// nothing is missing, so that a second start costs milliseconds.
import { build, buildIsFresh } from "./build.mjs";
import { dependenciesAreFresh, installDependencies } from "./dependencies.mjs";
import { ensureProgram } from "./install.mjs";
import { alone } from "./lock.mjs";
import { findChromium, findOnPath, findServer, hasOwnStore } from "./programs.mjs";
import { step } from "./progress.mjs";

/** For running the service: a store, the dependencies and a build. */
export async function setUpToRun() {
  if (!hasOwnStore()) await ensureServer();
  await setUpToBuild();
}

/** For running every test. Returns the path of Chromium. */
export async function setUpToTest() {
  await ensureServer();
  const chromium = await ensureChromium();
  await ensurePromtool();
  await setUpToBuild();
  return chromium;
}

/** For running the fault laboratory or the soak, which always bring stores of their own. */
export async function setUpWithServer() {
  await ensureServer();
  await setUpToBuild();
}

/** For running the benchmarks, which always bring stores of their own. */
export async function setUpForBench() {
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

/** The dependencies alone. */
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
    apt: ["promtool", "prometheus"], // where it is no package of its own, it comes with the server
    brew: [["prometheus"]],
    otherwise:
      "Holdfast's tests check metrics and alerts with promtool: install it, for example with " +
      "`sudo apt-get install promtool`.",
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
