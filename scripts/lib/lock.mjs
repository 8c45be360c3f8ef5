// One set-up at a time: `npm start` and `npm test`, started together in a new checkout, would otherwise install and build over each
// other.
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";

const lockFolder = ".holdfast";
const lockFile = `${lockFolder}/setup.lock`;
const retryAfterMs = 200;

/** Runs `work` while no other process of this checkout does. */
export async function alone(work) {
  mkdirSync(lockFolder, { recursive: true, mode: 0o700 });
  if (!acquire()) await waitForTurn();
  try {
    await work();
  } finally {
    rmSync(lockFile, { force: true });
  }
}

async function waitForTurn() {
  console.log("Waiting for another set-up of this checkout to finish…");
  while (!acquire()) await delay(retryAfterMs);
}

function acquire() {
  try {
    writeFileSync(lockFile, String(process.pid), { flag: "wx" });
    return true;
  } catch (error) {
    if (error.code !== "EEXIST") throw error;
    if (holderLives()) return false;
    rmSync(lockFile, { force: true }); // its holder was killed before it could clean up
    return acquire();
  }
}

function holderLives() {
  try {
    process.kill(Number(readFileSync(lockFile, "utf8")), 0);
    return true;
  } catch (error) {
    return error.code === "EPERM";
  }
}
