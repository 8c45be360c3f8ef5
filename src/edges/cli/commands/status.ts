import type { Command } from "commander";
import { hasEnded, type JobStatus } from "../../../core/job/job-status.ts";
import type { ReadStatus } from "../../../core/status/read-status.ts";
import { HoldfastError } from "../../../platform/errors/holdfast-error.ts";
import { withStore } from "../connections.ts";
import { exitCode } from "../exit-code.ts";
import { describeStatus } from "../screen/job-text.ts";
import { type ShowOptions, show } from "../screen/show.ts";

const WATCH_EVERY_MS = 500;

export function addStatusCommand(program: Command): void {
  program
    .command("status")
    .description("print the status of one job")
    .argument("<id>", "the id from the answer to the submission")
    .option("--watch", "show each change until the job ends; then exit 0 if it completed, 1 if it failed")
    .option("--json", "print the status as JSON, one line for each change")
    .action(printStatus);
}

async function printStatus(id: string, options: ShowOptions): Promise<void> {
  const { openStatusReader } = await import("../../../features/job-status.ts");
  const { openQueueStores } = await import("../../../core/bullmq/store/queue-store.ts");
  await withStore(async (redis, { HOLDFAST_PREFIX: prefix }) => {
    const readStatus = openStatusReader(openQueueStores(redis, prefix));
    const read = () => requireStatus(readStatus, id);
    const json = (status: JobStatus) => [status];
    const watched = { read, describe: describeStatus, json, isLast: hasEnded, everyMs: WATCH_EVERY_MS };
    const { state } = await show(watched, options);
    if (options.watch && state === "failed") process.exitCode = exitCode.failed;
  });
}

async function requireStatus(readStatus: ReadStatus, id: string): Promise<JobStatus> {
  const status = await readStatus(id);
  if (status !== undefined) return status;
  throw new HoldfastError("JOB_NOT_FOUND", `There is no job ${JSON.stringify(id)}, or it was removed`);
}
