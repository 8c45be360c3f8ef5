import { spawn } from "node:child_process";
import { once } from "node:events";
import type { Readable } from "node:stream";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { endWithUs } from "../../../test/support/command.ts";

const BIN = fileURLToPath(new URL("../../../bin/holdfast", import.meta.url));

export interface Ended {
  readonly stdout: string;
  readonly ms: number;
  /** Of the processor: on a busy machine a command waits for it most of the time. */
  readonly cpuMs: number;
}

/** Writes how much it took to a pipe. */
const REPORT_CPU = `data:text/javascript,${encodeURIComponent(
  'import { writeSync } from "node:fs"; process.on("exit", () => { const { user, system } = process.cpuUsage(); writeSync(3, String((user + system) / 1000)); });',
)}`;

/** The exit code where Redis did not answer in time, as on a machine with two processors for 25 processes. */
const NO_ANSWER = 3;

/**
 * Runs a command of the shipped command line to its end. As an operator does, it types once more what was not answered.
 *
 * @throws Error unless it exits with 0
 */
export async function runCli(
  env: Readonly<Record<string, string>>,
  args: readonly string[],
  isAgain = false,
): Promise<Ended> {
  const began = performance.now();
  const child = spawn(process.execPath, ["--import", REPORT_CPU, BIN, ...args], {
    env: { PATH: process.env.PATH, HOME: process.env.HOME, ...env },
    stdio: ["ignore", "pipe", "pipe", "pipe"],
  });
  endWithUs(child);
  const [, out, err, report] = child.stdio;
  const printed = Promise.all([out, err, report].map((pipe) => text(pipe as Readable)));
  const [code] = await once(child, "close");
  const ms = performance.now() - began;
  const [stdout = "", stderr, cpuMs] = await printed;
  if (code === NO_ANSWER && !isAgain) return await runCli(env, args, true);
  if (code !== 0) throw new Error(`holdfast ${args.join(" ")}: exit code ${code}\n${stderr}`);
  return { stdout, ms, cpuMs: Number(cpuMs) };
}
