import { createReadStream, statSync } from "node:fs";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import { SingleBar } from "cli-progress";
import type { Submitter } from "../../core/submit/submitter.ts";
import { HoldfastError } from "../../platform/errors/holdfast-error.ts";
import { malformed, parseJson } from "../../platform/lib/parse-json.ts";
import { exitCode, usage } from "./exit-code.ts";
import { print, printError, printJson } from "./screen/output.ts";
import { printable } from "./screen/text.ts";
import { interruptible } from "./system/signals.ts";

const IN_FLIGHT_MAX = 128;

interface Counts {
  accepted: number;
  duplicate: number;
  refused: number;
}

/**
 * Submits each line of an NDJSON file. It is safe to run again: lines that were accepted then count as duplicates.
 *
 * A refused line is reported with its number and does not stop the others. An unreachable Redis stops the command.
 *
 * @param file a path, or `-` for standard input
 * @throws HoldfastError `USAGE` if the file cannot be read, `STORE_UNAVAILABLE`, `STORE_FULL`
 */
export async function submitFile(
  submitter: Submitter,
  file: string,
  defaultType: string | undefined,
  json: boolean,
): Promise<void> {
  const { stream, bytes } = openSource(file);
  const bar = new SingleBar({
    format: "{bar} {percentage}% · {lines} lines · {eta_formatted} left",
    hideCursor: true,
  });
  const showsBar = process.stderr.isTTY && bytes > 0;
  const counts: Counts = { accepted: 0, duplicate: 0, refused: 0 };
  const submitAll = async () => {
    if (showsBar) bar.start(bytes, 0, { lines: 0 });
    await forEachLine(stream, async (line, number, bytesRead) => {
      await submitLine(submitter, line, number, defaultType, counts);
      if (showsBar) bar.update(Math.min(bytesRead, bytes), { lines: number });
    });
  };
  const leave = () => {
    bar.stop();
    return `stopped: ${summary(counts)} so far. To submit the rest, run it again: what was accepted counts as duplicate`;
  };
  try {
    await interruptible(submitAll, leave);
  } finally {
    bar.stop();
  }
  if (json) printJson(counts);
  else print(summary(counts));
  if (counts.refused > 0) process.exitCode = exitCode.failed;
}

function openSource(file: string): { stream: Readable; bytes: number } {
  if (file === "-") return { stream: process.stdin, bytes: 0 };
  try {
    const { size: bytes } = statSync(file);
    return { stream: createReadStream(file), bytes };
  } catch (cause) {
    throw usage(`--from: cannot read ${file}`, { cause });
  }
}

/** Runs `work` on each line, many at a time. The first failure ends it. */
async function forEachLine(
  stream: Readable,
  work: (line: string, number: number, bytesRead: number) => Promise<void>,
): Promise<void> {
  const lines = createInterface({ input: stream, crlfDelay: Number.POSITIVE_INFINITY })[
    Symbol.asyncIterator
  ]();
  let number = 0;
  let bytesRead = 0;
  const lane = async () => {
    for (let next = await lines.next(); !next.done; next = await lines.next()) {
      number += 1;
      bytesRead += Buffer.byteLength(next.value) + 1;
      if (next.value.trim() !== "") await work(next.value, number, bytesRead);
    }
  };
  await Promise.all(Array.from({ length: IN_FLIGHT_MAX }, lane));
}

async function submitLine(
  submitter: Submitter,
  line: string,
  number: number,
  defaultType: string | undefined,
  counts: Counts,
): Promise<void> {
  try {
    const { duplicate } = await submitter.submit(parseLine(line, defaultType));
    counts[duplicate ? "duplicate" : "accepted"] += 1;
  } catch (error) {
    if (!(error instanceof HoldfastError) || error.retryable) throw error;
    counts.refused += 1;
    printError(`line ${number}: ${error.code}: ${printable(error.message)}`);
  }
}

function parseLine(line: string, type: string | undefined): unknown {
  const parsed = readLine(line);
  if (typeof parsed !== "object" || parsed === null || Array.isArray(parsed)) return parsed;
  return type === undefined ? parsed : { type, ...parsed };
}

function readLine(line: string): unknown {
  try {
    const { value, issues } = parseJson(line);
    if (issues.length > 0) throw malformed(issues);
    return value;
  } catch (cause) {
    if (cause instanceof HoldfastError) throw cause;
    throw new HoldfastError("INVALID_REQUEST", "expected a JSON object", { cause });
  }
}

function summary({ accepted, duplicate, refused }: Counts): string {
  return `${accepted} accepted, ${duplicate} duplicate, ${refused} refused`;
}
