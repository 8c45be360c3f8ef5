import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { Outcome } from "./experiment.ts";

/** What an experiment found when it was last run. */
export interface Result {
  readonly number: number;
  /** Short: the same faults, but fewer. */
  readonly form: "full" | "short";
  readonly date: string;
  readonly seed: number;
  readonly seconds: number;
  /** The server and its version, where it was not Redis. */
  readonly store?: string;
  readonly outcome: Outcome;
}

const file = fileURLToPath(new URL("../../../docs/reliability.json", import.meta.url));

export function readResults(): Result[] {
  return JSON.parse(readFileSync(file, "utf8")) as Result[];
}

export function writeResults(results: readonly Result[]): void {
  writeFileSync(file, `[\n${results.map((result) => JSON.stringify(result)).join(",\n")}\n]\n`);
}

/** Each experiment's latest result, on Redis and on Valkey. A short form does not replace a full one: it shows less. */
export function mergeResults(kept: readonly Result[], fresh: readonly Result[]): Result[] {
  const keyOf = ({ number, store }: Result) => (store === undefined ? `${number}` : `${number} elsewhere`);
  const results = new Map(kept.map((result) => [keyOf(result), result]));
  for (const result of fresh) {
    const key = keyOf(result);
    if (result.form === "short" && results.get(key)?.form === "full") continue;
    results.set(key, result);
  }
  return [...results.values()].sort(
    (a, b) => a.number - b.number || Number(a.store !== undefined) - Number(b.store !== undefined),
  );
}
