import type { Command } from "commander";
import { HoldfastError } from "../../errors/holdfast-error.ts";
import { PARTITIONS_MAX } from "../../job/define-config.ts";
import type { Division } from "../../queue/divide-queue.ts";
import { withApplication } from "../connections.ts";
import { print, printJson } from "../output.ts";

/** `holdfast queues`. */
export function addQueuesCommands(program: Command): void {
  const queues = program.command("queues").description("divide queues into partitions");
  queues
    .command("partition")
    .description("give a queue another number of partitions, while jobs are submitted and run")
    .argument("<name>", "the queue")
    .argument("<partitions>", `how many, 1 to ${PARTITIONS_MAX}`)
    .option("--json", "print the partitions before and after as JSON")
    .addHelpText(
      "after",
      `
Running processes follow within a second. Keys that were used before are still found where they were, which costs
each submission one more command; run the command again with the same number once HOLDFAST_RETENTION_MS has passed.`,
    )
    .action(partition);
}

async function partition(
  name: string,
  partitions: string,
  { json }: { readonly json?: true },
): Promise<void> {
  const count = Number(partitions);
  if (!Number.isInteger(count) || count < 1 || count > PARTITIONS_MAX)
    throw new HoldfastError("USAGE", `<partitions>: expected 1 to ${PARTITIONS_MAX}, got "${partitions}"`);
  await withApplication(async ({ queues }, redis, { HOLDFAST_PREFIX: prefix }) => {
    if (!queues.includes(name))
      throw new HoldfastError("USAGE", `there is no queue "${name}"; declared: ${queues.join(", ")}`);
    const { divideQueue } = await import("../../queue/divide-queue.ts");
    const { openQueueStores } = await import("../../queue/queue-store.ts");
    const division = await divideQueue(openQueueStores(redis, prefix), prefix, name, count);
    if (json) printJson({ queue: name, ...division, still: division.still ?? null });
    else print(describe(name, division));
  });
}

function describe(name: string, { before, after, still }: Division): string {
  if (still !== undefined) return `${name} keeps its earlier partitions in mind: ${still}`;
  const now = `${name} has ${after.partitions} ${after.partitions === 1 ? "partition" : "partitions"}`;
  if (before.partitions !== after.partitions) return `${now}; it had ${before.partitions}`;
  return before.former.length === after.former.length
    ? `${now} already`
    : `${now}; the earlier ones are forgotten`;
}
