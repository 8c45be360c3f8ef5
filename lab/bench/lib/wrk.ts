import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { endWithUs } from "../../../test/support/command.ts";
import type { Latency } from "./row.ts";

export interface Load {
  readonly connections: number;
  readonly seconds: number;
  /** Jobs in one request to `POST /jobs/batch`; 0 for `POST /jobs`. */
  readonly batch: number;
}

/** The result of one run of wrk. */
export interface Loaded {
  /** Answered in time, with any status. */
  readonly requests: number;
  readonly seconds: number;
  /** Answers with another status than 202, or 200 for batches. */
  readonly refused: number;
  /** Connections that failed or timed out. */
  readonly broken: number;
  readonly latency: Latency;
}

const LONGEST_SECONDS = 3_600;

const script = fileURLToPath(new URL("wrk-submit.lua", import.meta.url));

/** Submits jobs with unique keys over keep-alive connections, as fast as they are answered. */
export async function runWrk(url: string, { connections, seconds, batch }: Load): Promise<Loaded> {
  const args = ["-t1", `-c${connections}`, `-d${LONGEST_SECONDS}s`, "--timeout", "10s", "-s", script, url];
  const keyPrefix = randomBytes(4).toString("hex");
  const wrk = spawn("wrk", [...args, "--", keyPrefix, String(batch)], { stdio: ["ignore", "pipe", "pipe"] });
  endWithUs(wrk);
  // wrk only accepts whole seconds, but reports in the same way after SIGINT.
  const end = setTimeout(() => wrk.kill("SIGINT"), seconds * 1_000);
  const [printed, complaints] = await Promise.all([text(wrk.stdout), text(wrk.stderr), once(wrk, "close")]);
  clearTimeout(end);
  const line = printed.split("\n").find((candidate) => candidate.startsWith("{"));
  if (line === undefined) throw new Error(`wrk did not measure: ${complaints || printed}`);
  const { requests, microseconds, refused, broken, p50, p90, p99 } = JSON.parse(line) as Printed;
  return {
    requests,
    seconds: microseconds / 1e6,
    refused,
    broken,
    latency: { p50: p50 / 1e3, p90: p90 / 1e3, p99: p99 / 1e3 },
  };
}

/** The line that the script prints; times in microseconds. */
interface Printed extends Latency {
  readonly requests: number;
  readonly microseconds: number;
  readonly refused: number;
  readonly broken: number;
}
