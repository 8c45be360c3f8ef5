// The second tier of tests in six parts, of which `npm run verify` runs one, another each time: all of it takes longer than a change can wait.
import { randomInt } from "node:crypto";
import { readFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { filesUnder } from "./files.mjs";
import { Failure } from "./script.mjs";

export const PARTS = 6;

/** The part that is asked for, or one at random. Returns undefined where all are. */
export function chosenPart(args) {
  const { all, part } = optionsIn(args);
  if (all) return undefined;
  if (part === undefined) return randomInt(PARTS) + 1;
  if (/^\d$/.test(part) && part >= 1 && part <= PARTS) return Number(part);
  throw new Failure(`--part: expected a number from 1 to ${PARTS}, got "${part}"`);
}

function optionsIn(args) {
  try {
    return parseArgs({ args, options: { all: { type: "boolean" }, part: { type: "string" } } }).values;
  } catch (error) {
    throw new Failure(`${error.message}. Usage: npm run verify [-- --all | -- --part N]`);
  }
}

/** The files of one part. Slow and quick ones are in each: it takes every sixth, by how long they last. */
export function filesOfPart(part) {
  const slowest = JSON.parse(readFileSync("test/slowest.json", "utf8"));
  const rank = (file) => (slowest.includes(file) ? slowest.indexOf(file) : slowest.length);
  return ["test/verify", "test/browser", "examples/providers"]
    .flatMap(filesUnder)
    .filter((file) => file.endsWith(".test.ts"))
    .sort((a, b) => rank(a) - rank(b) || (a < b ? -1 : 1))
    .filter((_, index) => index % PARTS === part - 1);
}
