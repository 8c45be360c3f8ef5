import type { Experiment, Outcome, Table } from "./experiment.ts";

export function printOutcome(experiment: Experiment, outcome: Outcome, seed: number): void {
  const { counts, table, measured, broken, controls } = outcome;
  const lines = [
    Object.entries(counts).filter(([, count]) => count > 0).map(([kind, count]) => `${kind} ${count}`).join(", "),
    ...(table === undefined ? [] : plainTable(table)),
    ...measured,
    ...controls.map(({ protection, isCaught, seen }) => `control ${protection}: ${isCaught ? "caught" : "NOT CAUGHT"} (${seen})`),
    ...broken.map((what) => `BROKEN ${what}`),
    ...(broken.length > 0 ? [`replay: npm run faults -- --only ${experiment.number} --seed ${seed}`] : []),
  ];
  process.stdout.write(`${lines.map((line) => `    ${line}`).join("\n")}\n`);
}

function plainTable({ head, rows }: Table): string[] {
  return [head, ...rows].map((row) => row.join("\t"));
}

export function writeReport(_a: unknown, _s: number) {}
