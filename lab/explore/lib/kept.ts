import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

/** What one scenario showed when it was last followed within these bounds. */
export interface KeptScenario {
  readonly name: string;
  readonly faults: number;
  /** How often time passes. */
  readonly jumps: number;
  readonly states: number;
  readonly orders: number;
  readonly steps: number;
  readonly seconds: number;
  /** Whether the time was enough for all of them. */
  readonly isWhole: boolean;
  readonly violations: number;
}

/** Of one file of the code, how many of its mutants were killed; of the mends, how many were missed when they were taken out. */
export interface KeptMutants {
  readonly file: string;
  readonly killed: number;
  readonly equivalent: number;
  readonly survived: number;
  readonly unreached: number;
}

export interface Kept {
  readonly date: string;
  readonly scenarios: readonly KeptScenario[];
  readonly walks: { readonly walks: number; readonly steps: number; readonly violations: number };
  readonly mutants: readonly KeptMutants[];
  readonly breaks: { readonly found: number; readonly of: number };
}

const file = fileURLToPath(new URL("../../../docs/explored.json", import.meta.url));
const nothing: Kept = {
  date: "",
  scenarios: [],
  walks: { walks: 0, steps: 0, violations: 0 },
  mutants: [],
  breaks: { found: 0, of: 0 },
};

export function readKept(): Kept {
  return existsSync(file) ? (JSON.parse(readFileSync(file, "utf8")) as Kept) : nothing;
}

/** Keeps what was not run this time. */
export function keep(fresh: Partial<Kept>): void {
  const kept = readKept();
  const scenarios = replaced(kept.scenarios, fresh.scenarios, boundsOf);
  const mutants = replaced(kept.mutants, fresh.mutants, (one) => one.file);
  const date = new Date().toISOString().slice(0, 10);
  writeFileSync(file, `${JSON.stringify({ ...kept, ...fresh, date, scenarios, mutants }, null, 1)}\n`);
}

function boundsOf({ name, faults, jumps }: KeptScenario): string {
  return `${name} ${faults} ${jumps}`;
}

function replaced<T>(old: readonly T[], fresh: readonly T[] = [], nameOf: (one: T) => string): T[] {
  const names = new Set(fresh.map(nameOf));
  return [...old.filter((one) => !names.has(nameOf(one))), ...fresh].sort((a, b) =>
    nameOf(a).localeCompare(nameOf(b)),
  );
}
