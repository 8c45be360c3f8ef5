import { readFileSync } from "node:fs";
import type { Tally } from "./tally.ts";

/** Compares the effects with the submissions. @returns the number of ticks */
export function checkWitness(file: string, tally: Tally): number {
  const lines = readFileSync(file, "utf8").split("\n").filter(Boolean);
  const times = new Map<string, number>();
  for (const key of lines) times.set(key, (times.get(key) ?? 0) + 1);
  for (const [key, count] of times) if (count > 1) tally.fault(`${key}: its effect happened ${count} times`);
  const ticks = [...times.keys()].filter((key) => key.startsWith("schedule:"));
  const acted = times.size - ticks.length;
  if (acted !== tally.counts.effects)
    tally.fault(`${tally.counts.effects} jobs have an effect, ${acted} of them had it`);
  checkTicks(ticks, tally);
  return ticks.length;
}

const TICK_MS = 1_000;

/** There is one tick for each second from the first to the last. */
function checkTicks(keys: readonly string[], tally: Tally): void {
  const instants = keys.map((key) => Date.parse(key.replace(/^schedule:[^:]+:/, ""))).sort((a, b) => a - b);
  const [first = 0, last = 0] = [instants[0], instants.at(-1)];
  const expected = (last - first) / TICK_MS + 1;
  if (instants.length !== expected) tally.fault(`${expected} ticks were due, ${instants.length} ran`);
}
