import { SingleBar } from "cli-progress";
import type { Command } from "commander";
import type { BullmqQueue, Counts } from "../../../desk/import/bullmq-queue.ts";
import type {
  CarriedLimits,
  ImportIssue,
  ImportReport,
  ImportRequest,
} from "../../../desk/import/import-parts.ts";
import { redisUrlFault } from "../../../platform/config/redis-url-fault.ts";
import { readSettings } from "../../../platform/config/settings.ts";
import { username } from "../../username.ts";
import { withSubmitPath } from "../connections.ts";
import { exitCode, usage } from "../exit-code.ts";
import { requireDeclared } from "../known-names.ts";
import { printError, printOutcome } from "../screen/output.ts";
import { printable } from "../screen/text.ts";
import { interruptible } from "../system/signals.ts";

interface ImportOptions {
  readonly type: string;
  readonly name?: string;
  readonly prefix: string;
  readonly fromRedis?: string;
  readonly dryRun?: true;
  readonly json?: true;
}

export function addImportCommand(program: Command): void {
  program
    .command("import")
    .description("move what waits elsewhere into Holdfast")
    .command("bullmq")
    .description(
      "move the waiting, delayed and prioritized jobs and the job schedulers of a BullMQ queue, while its workers run; safe to repeat",
    )
    .argument("<queue>", "the name of BullMQ's queue")
    .requiredOption("--type <type>", "the type of job that they become")
    .option("--name <name>", "only jobs of this name; needed where the queue has several")
    .option("--prefix <prefix>", "BullMQ's prefix", "bull")
    .option("--from-redis <url>", "the queue's Redis, like REDIS_URL (default: Holdfast's own)")
    .option("--dry-run", "check everything, print what does not fit, and change nothing")
    .option("--json", "print the outcome as JSON")
    .action(importBullmq);
}

async function importBullmq(queueName: string, options: ImportOptions): Promise<void> {
  const { type, name, prefix, fromRedis, dryRun = false, json } = options;
  const settings = readSettings();
  if (fromRedis === undefined && prefix === settings.HOLDFAST_PREFIX)
    throw usage(`--prefix: expected BullMQ's prefix, got Holdfast's own, "${prefix}"`);
  const [{ openBullmqQueue }, { importQueue, toImport }, { redisUrl }] = await Promise.all([
    import("../../../desk/import/bullmq-queue.ts"),
    import("../../../desk/import/import-queue.ts"),
    import("../../../platform/redis/connect.ts"),
  ]);
  const fault = fromRedis === undefined ? undefined : redisUrlFault(fromRedis);
  if (fault !== undefined) throw usage(`--from-redis: expected ${fault}`);
  const start = `${prefix}:${queueName}:`;
  await withSubmitPath(async (path, application) => {
    requireDeclared(application, type);
    const queue = await openBullmqQueue(fromRedis ?? redisUrl(settings), start);
    try {
      await requireFound(queue, queueName);
      const before = await queue.counts();
      if (name === undefined) await requireOneName(queue);
      const request: ImportRequest = { start, type, name, dryRun, by: username() };
      const report = await withProgress(toImport(before), (onProgress) => {
        const onIssue = ({ what, id, code, message }: ImportIssue) =>
          printError(`${what} ${printable(id)}: ${code}: ${printable(message)}`);
        return importQueue({ queue, path, application, settings, onIssue, onProgress }, request);
      });
      const left = await queue.counts();
      printOutcome(json, { dryRun, ...report, left }, describe(report, left, dryRun));
      if (report.issues > 0) process.exitCode = exitCode.failed;
    } finally {
      await queue.stop();
    }
  });
}

/** A misspelt name would read like a queue that is done. */
async function requireFound(queue: BullmqQueue, queueName: string): Promise<void> {
  if (await queue.exists()) return;
  throw usage(
    `there is no queue "${queueName}" in that Redis, with that prefix: see --prefix and --from-redis`,
  );
}

/** One type has one payload, and jobs of different names seldom do. */
async function requireOneName(queue: BullmqQueue): Promise<void> {
  const { namesIn } = await import("../../../desk/import/import-queue.ts");
  const names = await namesIn(queue);
  if (names.length < 2) return;
  throw usage(`the queue has jobs of several names: expected --name with one of ${names.join(", ")}`);
}

async function withProgress(
  total: number,
  work: (onProgress: (report: ImportReport) => void) => Promise<ImportReport>,
): Promise<ImportReport> {
  const bar = new SingleBar({
    format: "{bar} {value} of {total} jobs · {eta_formatted} left",
    hideCursor: true,
  });
  let done = 0;
  const leave = () => {
    bar.stop();
    return `stopped: ${done} jobs so far. To import the rest, run it again: what was withdrawn is safe in the queue's Redis`;
  };
  if (process.stderr.isTTY && total > 0) bar.start(total, 0);
  try {
    return await interruptible(
      () =>
        work(({ jobs }) => {
          done = jobs;
          bar.update(jobs);
        }),
      leave,
    );
  } finally {
    bar.stop();
  }
}

function describe(
  { jobs, duplicates, schedules, issues, paused: pausedQueue, limits }: ImportReport,
  left: Counts,
  dryRun: boolean,
): string {
  const did = dryRun ? "would be imported" : "imported";
  const again = duplicates > 0 ? ` (${duplicates} of them accepted before)` : "";
  const { wait, paused, delayed, ...others } = left;
  const still = Object.entries({ wait, paused, delayed, ...others })
    .filter(([, count]) => count > 0)
    .map(([place, count]) => `${count} ${place}`);
  return [
    `${jobs} jobs${again} and ${schedules} schedules ${did}; ${issues} do not fit`,
    `in BullMQ's queue: ${still.join(", ") || "nothing that waits"}`,
    ...(pausedQueue === null ? [] : [pauseText(pausedQueue, dryRun)]),
    ...(limits === null ? [] : [limitsText(limits, dryRun)]),
  ].join("\n");
}

function pauseText(queue: string, dryRun: boolean): string {
  if (dryRun) return `BullMQ's queue is paused, so the queue ${queue} would be paused, with all its types`;
  return `BullMQ's queue is paused, so the queue ${queue} is, with all its types: holdfast queues resume ${queue}`;
}

function limitsText({ queue, concurrency, rate, isCarried }: CarriedLimits, dryRun: boolean): string {
  const texts = [concurrency === null ? "" : `${concurrency} at a time`, rate ?? ""].filter(Boolean);
  const limited = `BullMQ's queue is limited to ${texts.join(" and ")}`;
  if (!isCarried)
    return `${limited}; the queue ${queue} keeps limits of its own: holdfast queues limit ${queue}`;
  return `${limited}, so the queue ${queue} ${dryRun ? "would be" : "is"}, with all its types: holdfast queues limit ${queue}`;
}
