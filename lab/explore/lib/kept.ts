import { readFileSync, writeFileSync } from "node:fs";

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

interface Kept {
  readonly date: string;
  readonly scenarios: readonly KeptScenario[];
  readonly walks: { readonly walks: number; readonly steps: number; readonly violations: number };
}

/** What became of a changed condition: its outcome, and what it breaks, or why it need not be noticed. */
export interface KeptMutant {
  readonly file: string;
  /** Its line, and what it was and became. */
  readonly change: string;
  readonly outcome: "killed" | "equivalent" | "survived" | "unreached";
  readonly why: string;
}

/** Lines move. Of what stands in two places, both have to be killed. */
const keyOf = ({ file, change }: KeptMutant) => `${file} ${withoutLine(change)}`;

/** Of a change. */
export function withoutLine(change: string): string {
  return change.slice(change.indexOf(" ") + 1);
}

const fileOf = (name: string) => new URL(`../../../docs/${name}.json`, import.meta.url);
const files = { explored: fileOf("explored"), mutants: fileOf("mutants") };

export function readKept(): Kept {
  return JSON.parse(readFileSync(files.explored, "utf8"));
}

export function readKeptMutants(): readonly KeptMutant[] {
  return JSON.parse(readFileSync(files.mutants, "utf8"));
}

/** Keeps what was not run this time. */
export function keep(fresh: Partial<Kept>): void {
  const kept = readKept();
  const boundsOf = ({ name, faults, jumps }: KeptScenario) => `${name} ${faults} ${jumps}`;
  const scenarios = replaced(kept.scenarios, fresh.scenarios, boundsOf);
  const date = new Date().toISOString().slice(0, 10);
  writeFileSync(files.explored, `${JSON.stringify({ ...kept, ...fresh, date, scenarios }, null, 1)}\n`);
}

/** Keeps those of files that were not tried this time. @param isPart whether one scenario has tried them: it adds what it kills */
export function keepMutants(fresh: readonly KeptMutant[], isPart: boolean): void {
  const kept = readKeptMutants();
  const others = new Set(fresh.filter(({ outcome }) => outcome !== "killed").map(keyOf));
  const killed = new Map(fresh.filter((row) => !others.has(keyOf(row))).map((row) => [keyOf(row), row]));
  const better = (row: KeptMutant) => (row.outcome === "killed" ? row : (killed.get(keyOf(row)) ?? row));
  const rows = isPart ? kept.map(better) : replaced(kept, fresh, ({ file }) => file);
  writeFileSync(files.mutants, `[\n${rows.map((row) => JSON.stringify(row)).join(",\n")}\n]\n`);
}

function replaced<T>(old: readonly T[], fresh: readonly T[] = [], nameOf: (one: T) => string): T[] {
  const names = new Set(fresh.map(nameOf));
  const all = [...old.filter((one) => !names.has(nameOf(one))), ...fresh];
  return all.sort((a, b) => nameOf(a).localeCompare(nameOf(b)));
}
