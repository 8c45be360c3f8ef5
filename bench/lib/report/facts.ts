import { spawnSync } from "node:child_process";
import { closeSync, fdatasyncSync, mkdtempSync, openSync, readFileSync, rmSync, writeSync } from "node:fs";
import { cpus, tmpdir, totalmem } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Form } from "../row.ts";
import { spread } from "../statistics.ts";
import { number } from "./numbers.ts";

const root = fileURLToPath(new URL("../../..", import.meta.url));

/** Where, when and on what was measured, by name. */
export function collectFacts({ rounds, seconds, warmUpSeconds }: Form): Record<string, string> {
  const [cpu] = cpus();
  return {
    date: new Date().toISOString().slice(0, 10),
    machine: `${cpus().length} cores, ${cpu?.model ?? "unknown"}, ${Math.round(totalmem() / 2 ** 30)} GB`,
    system: `${process.platform} ${process.arch}`,
    "disk, one fsync": `${number(fsyncMs())} ms`,
    Holdfast: versionIn(root),
    "Node.js": process.versions.node,
    store: `${storeVersion()}, appendonly yes, appendfsync always`,
    BullMQ: version("bullmq"),
    ioredis: version("ioredis"),
    Express: version("express"),
    "bee-queue": version("bee-queue"),
    "@platformatic/job-queue": version("@platformatic/job-queue"),
    "load generator": /^wrk\s+(\S+)/.exec(output("wrk", "--version"))?.[0] ?? "wrk",
    rounds: `${rounds}, each ${seconds} s after ${warmUpSeconds} s of warm-up`,
  };
}

function version(name: string): string {
  return versionIn(join(root, "node_modules", name));
}

function versionIn(directory: string): string {
  const json = readFileSync(join(directory, "package.json"), "utf8");
  return (JSON.parse(json) as { version: string }).version;
}

function storeVersion(): string {
  for (const name of ["redis-server", "valkey-server"]) {
    const [, version] = /v=(\S+)/.exec(output(name, "--version")) ?? [];
    if (version !== undefined) return `${name} ${version}`;
  }
  return "unknown";
}

function output(command: string, ...args: string[]): string {
  return spawnSync(command, args, { encoding: "utf8" }).stdout ?? "";
}

const FSYNCS = 200;

/** What each acknowledgement waits for, where the stores of the measurements keep their files. */
function fsyncMs(): number {
  const directory = mkdtempSync(join(tmpdir(), "holdfast-fsync-"));
  const file = openSync(join(directory, "log"), "a");
  const block = Buffer.alloc(1_024, "x");
  const times = Array.from({ length: FSYNCS }, () => {
    writeSync(file, block);
    const startedAt = performance.now();
    fdatasyncSync(file);
    return performance.now() - startedAt;
  });
  closeSync(file);
  rmSync(directory, { recursive: true });
  return spread(times).median;
}
