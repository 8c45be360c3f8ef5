import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { cpus, totalmem } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { table } from "../../src/edges/cli/screen/table.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));

/** Rows of cells under a head. */
export interface Table {
  readonly head: readonly string[];
  readonly rows: readonly (readonly (string | number)[])[];
}

export function plainTable({ head, rows }: Table): string {
  return table(
    head,
    rows.map((cells) => cells.map(String)),
  );
}

export function markdownTable({ head, rows }: Table): string {
  const line = (cells: readonly (string | number)[]) => `| ${cells.join(" | ")} |`;
  return [line(head), line(head.map(() => "---")), ...rows.map(line)].join("\n");
}

/** When and on what was measured, by name. */
export function commonFacts(): Record<string, string> {
  const [cpu] = cpus();
  return {
    date: new Date().toISOString().slice(0, 10),
    machine: `${cpus().length} cores, ${cpu?.model ?? "unknown"}, ${Math.round(totalmem() / 2 ** 30)} GB`,
    system: `${process.platform} ${process.arch}`,
    Holdfast: versionIn(root),
    "Node.js": process.versions.node,
    store: storeVersion(),
    BullMQ: versionOf("bullmq"),
    ioredis: versionOf("ioredis"),
  };
}

/** Of an installed package. */
export function versionOf(name: string): string {
  return versionIn(join(root, "node_modules", name));
}

/** What a command prints; empty if it does not exist. */
export function outputOf(command: string, ...args: string[]): string {
  return spawnSync(command, args, { encoding: "utf8" }).stdout ?? "";
}

function versionIn(directory: string): string {
  return (JSON.parse(readFileSync(join(directory, "package.json"), "utf8")) as { version: string }).version;
}

function storeVersion(): string {
  for (const name of ["redis-server", "valkey-server"]) {
    const [, version] = /v=(\S+)/.exec(outputOf(name, "--version")) ?? [];
    if (version !== undefined) return `${name} ${version}`;
  }
  return "unknown";
}
