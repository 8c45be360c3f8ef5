import { spawnSync } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { cpus, totalmem } from "node:os";
import { dirname, join } from "node:path";
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

/** The names of the pages in docs/ that have a whole report beside them. */
export type ReportName = "evidence" | "HOSTILE-INPUT" | "PERFORMANCE" | "RELIABILITY";

/** Writes docs/NAME.md, the summary that the repository has. The gate says how long it may be. */
export function writeSummary(name: ReportName, lines: readonly string[]): void {
  write(`docs/${name}.md`, lines);
}

/** Writes docs/whole/NAME.md, which git ignores and the site shows. */
export function writeWhole(name: ReportName, lines: readonly string[]): void {
  write(`docs/whole/${name}.md`, lines);
}

function write(file: string, lines: readonly string[]): void {
  const path = join(root, file);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, `${lines.join("\n").trimEnd()}\n`);
}

/** The first lines of a summary. @param command writes it, e.g. `npm run fuzz`; @param method the page that says how it measures */
export function summaryHead(title: string, command: string, name: ReportName, method: string): string[] {
  return [
    `# ${title}`,
    "",
    `A summary. \`${command}\` writes it, and the whole report to \`docs/whole/${name}.md\`; do not edit it by hand. [How it is measured](../${method}).`,
    "",
  ];
}

/** In one line. */
export function factsLine(facts: Readonly<Record<string, string | number>>): string {
  return `Measured with: ${Object.entries(facts)
    .map(([name, value]) => `${name} ${value}`)
    .join("; ")}.`;
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

/** Under the name of one can be the other: `TEST_SERVER`. */
export function storeVersion(): string {
  for (const name of ["redis-server", "valkey-server"]) {
    const [, server, version] = /^(\S+) server v=(\S+)/.exec(outputOf(name, "--version")) ?? [];
    if (server !== undefined) return `${server} ${version}`;
  }
  return "unknown";
}
