import { setTimeout as sleep } from "node:timers/promises";
import type { Command } from "commander";
import { HoldfastError } from "../../errors/holdfast-error.ts";
import { hasEnded, type JobStatus } from "../../status/job-status.ts";
import type { ReadStatus } from "../../status/read-status.ts";
import { withStore } from "../connections.ts";
import { exitCode } from "../exit-code.ts";
import { describeStatus } from "../job-text.ts";
import { jsonLine, print } from "../output.ts";

interface StatusOptions {
  readonly watch?: true;
  readonly json?: true;
}

const WATCH_EVERY_MS = 500;

export function addStatusCommand(program: Command): void {
  program
    .command("status")
    .description("print the status of one job")
    .argument("<id>", "the id from the answer to the submission")
    .option("--watch", "print each change until the job ends; then exit 0 if it completed, 1 if it failed")
    .option("--json", "print the status as JSON, one line for each change")
    .action(printStatus);
}

async function printStatus(id: string, { watch, json }: StatusOptions): Promise<void> {
  const format = json ? jsonLine : describeStatus;
  const { openStatusReader } = await import("../../status/read-status.ts");
  const { openQueueStores } = await import("../../queue/queue-store.ts");
  await withStore(async (redis, { HOLDFAST_PREFIX: prefix }) => {
    const readStatus = openStatusReader(openQueueStores(redis, prefix));
    let status = await requireStatus(readStatus, id);
    print(format(status));
    if (!watch) return;
    for (let printed = format(status); !hasEnded(status); printed = format(status)) {
      await sleep(WATCH_EVERY_MS);
      status = await requireStatus(readStatus, id);
      if (format(status) !== printed) print(`${json ? "" : "\n"}${format(status)}`);
    }
    if (status.state === "failed") process.exitCode = exitCode.failed;
  });
}

async function requireStatus(readStatus: ReadStatus, id: string): Promise<JobStatus> {
  const status = await readStatus(id);
  if (status !== undefined) return status;
  throw new HoldfastError("JOB_NOT_FOUND", `There is no job ${JSON.stringify(id)}, or it was removed`);
}
