import { readFileSync, renameSync, writeFileSync } from "node:fs";

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
  readonly outcome: "killed" | "tested" | "equivalent" | "survived" | "unreached";
  readonly why: string;
}

const keyOf = ({ file, change }: KeptMutant) => `${file} ${withoutLine(change)}`;

/** Of a change. */
export const withoutLine = (change: string): string => change.slice(change.indexOf(" ") + 1);

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

/**
 * Keeps what became of these; of others what is known.
 *
 * @param made a row for each mutant that there is
 */
export function keepMutants(made: readonly KeptMutant[], fresh: readonly KeptMutant[]): void {
  const found = new Map(fresh.map((row) => [`${row.file} ${row.change}`, row]));
  const rows = renewed(made).map((row) => found.get(`${row.file} ${row.change}`) ?? row);
  // Another run may read it meanwhile.
  const fresher = new URL(`mutants.${process.pid}`, files.mutants);
  writeFileSync(fresher, `[\n${rows.map((row) => JSON.stringify(row)).join(",\n")}\n]\n`);
  renameSync(fresher, files.mutants);
}

/** What is known of each: lines move. */
export function renewed(made: readonly KeptMutant[]): KeptMutant[] {
  const left = [...readKeptMutants()];
  return made.map((row) => {
    const at = left.findIndex((one) => keyOf(one) === keyOf(row));
    return { ...row, ...(at >= 0 && left.splice(at, 1)[0]), change: row.change };
  });
}

function replaced<T>(old: readonly T[], fresh: readonly T[] = [], nameOf: (one: T) => string): T[] {
  const names = new Set(fresh.map(nameOf));
  const all = [...old.filter((one) => !names.has(nameOf(one))), ...fresh];
  return all.sort((a, b) => nameOf(a).localeCompare(nameOf(b)));
}
