import { markdownTable, type Table } from "../../../test/support/report.ts";
import { libraries, type Protocol } from "../libraries.ts";
import { modes } from "./effect-names.ts";
import type { RowEnd, RuntimeRun } from "./run-rows.ts";

export const legend =
  "Each cell says how often downstream acted, and what Holdfast said: ✓ done, ? in doubt, ↻ not done, so tried again. " +
  "A cell in bold is wrong; (?) is in doubt although nothing happened, and (✓) done with its result lost. " +
  "A dot: the library has no such thing as a time-out or a signal.";

const kindOf: Record<Protocol, string> = {
  http: "HTTP",
  http2: "HTTP",
  grpc: "gRPC",
  smtp: "SMTP",
  postgres: "SQL",
  mysql: "SQL",
  mongodb: "stores",
  redis: "stores",
  udp: "UDP",
};

/** One table for each way to use the libraries and each kind of downstream. */
export function matricesOf({ runtime, ends }: RuntimeRun & { readonly runtime: string }): string[] {
  return modes.flatMap((mode) =>
    kindsOf(ends.filter(({ row }) => row.mode === mode)).flatMap(([kind, own]) => [
      `### ${runtime}, ${mode}: ${kind}`,
      "",
      markdownTable(matrix(own)),
      "",
    ]),
  );
}

/** Downstreams with the same faults share a table. */
function kindsOf(ends: readonly RowEnd[]): [string, RowEnd[]][] {
  const kinds = new Map<string, RowEnd[]>();
  for (const end of ends) {
    const kind = kindOf[end.row.protocol];
    kinds.set(kind, [...(kinds.get(kind) ?? []), end]);
  }
  return [...kinds];
}

function matrix(ends: readonly RowEnd[]): Table {
  const names = libraries
    .map(({ name }) => name)
    .filter((name) => ends.some(({ row }) => row.library === name));
  const faults = [...new Set(ends.map(({ row }) => row.fault))];
  const cell = (fault: string, name: string) => {
    const end = ends.find(({ row }) => row.fault === fault && row.library === name);
    return end === undefined ? "·" : cellOf(end);
  };
  return {
    head: ["downstream", ...names],
    rows: faults.map((fault) => [fault, ...names.map((name) => cell(fault, name))]),
  };
}

function cellOf({ acted, verdict, wrong }: RowEnd): string {
  if (wrong === "needlessly in doubt") return `${acted} (?)`;
  if (wrong === "result lost") return `${acted} (✓)`;
  const mark = verdict === undefined ? "–" : { d: "✓", i: "?", n: "↻" }[verdict[0] ?? ""];
  return wrong === undefined ? `${acted} ${mark}` : `**${acted} ${mark}**`;
}
