import type { Command } from "commander";
import { PARTITIONS_MAX, parseRate, RATE_EXPECTED } from "../../../core/define/queue-settings.ts";
import { counted } from "../../../desk/counted.ts";
import type { Division } from "../../../desk/queues/divide-queue.ts";
import type { QueueView } from "../../../desk/queues/queues.ts";
import { username } from "../../username.ts";
import { withOperator } from "../connections.ts";
import { usage } from "../exit-code.ts";
import { parseWhole, requireText } from "../option-values.ts";
import { type Json, printHint, printOutcome } from "../screen/output.ts";
import { failedText } from "../screen/overview-text.ts";
import { addShowOptions, type ShowOptions, show } from "../screen/show.ts";
import { type ColumnOf, tableOf } from "../screen/table.ts";
import { type Cell, type Lines, toned } from "../screen/text.ts";

const AS_JSON = ["--json", "print the queue as JSON"] as const;

export function addQueuesCommands(program: Command): void {
  const queues = program.command("queues").description("list, pause, resume, limit and divide queues");
  addShowOptions(queues.command("list"))
    .description("list queues: what waits and runs, whether they are paused, and their limits")
    .action(list);
  addShowOptions(queues.command("show"))
    .description("show one queue: who paused or limited it, and why")
    .argument("<name>", "the queue")
    .action(showOne);
  queues
    .command("pause")
    .description(
      "let no further job of a queue start, on any worker; running jobs go on, and jobs are still accepted",
    )
    .argument("<name>", "the queue")
    .requiredOption("--reason <text>", "shown while it is paused")
    .option(...AS_JSON)
    .action(pause);
  queues
    .command("resume")
    .description("let the jobs of a paused queue start again")
    .argument("<name>", "the queue")
    .option(...AS_JSON)
    .action((name: string, { json }: Json) =>
      withQueue(json, (operator) => operator.queues.resume(name, { by: username() })),
    );
  queues
    .command("limit")
    .description("limit a queue over all workers, in place of what the application declares")
    .argument("<name>", "the queue")
    .option("--concurrency <n>", "how many jobs may run at a time")
    .option("--rate <rate>", 'how many jobs may start in a time, such as "10/1s"')
    .option("--declared", "go back to what the application declares")
    .option(...AS_JSON)
    .action(limit);
  addPartition(queues);
}

function addPartition(queues: Command): void {
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
each submission one more command. To end that, run the command again with the same number once HOLDFAST_RETENTION_MS has passed.`,
    )
    .action(partition);
}

async function list(options: ShowOptions): Promise<void> {
  await withOperator(async ({ queues }) => {
    const describe = (found: readonly QueueView[]) => tableOf(columns, found);
    await show({ read: queues.list, describe, json: (found) => found }, options);
  });
}

async function showOne(name: string, options: ShowOptions): Promise<void> {
  await withOperator(async ({ queues }) => {
    await show({ read: () => queues.show(name), describe: described, json: (queue) => [queue] }, options);
  });
}

const columns: readonly ColumnOf<QueueView>[] = [
  ["name", ({ name }) => name],
  ["waiting", ({ waiting }) => waiting],
  ["active", ({ active }) => active],
  ["delayed", ({ delayed }) => delayed, 2],
  ["failed", failedText],
  ["workers", ({ workers }) => workers, 1],
  ["", ({ paused }) => paused && toned(`paused: ${paused.reason || "by another tool"}`, "warning")],
  ["limits", ({ limits, override }) => limitText(limits) + (override === null ? "" : " (by hand)")],
];

function limitText({ concurrency, rate }: QueueView["limits"]): string {
  return [concurrency && `${concurrency} at a time`, rate].filter(Boolean).join(", ");
}

type Operate = Parameters<typeof withOperator<QueueView>>[0];

async function withQueue(json: true | undefined, act: Operate): Promise<void> {
  const queue = await withOperator(act);
  printOutcome(json, queue, described(queue));
}

function described({ name, partitions, paused, limits, override, declared, ...counts }: QueueView): Lines {
  const counted = `${counts.waiting} waiting, ${counts.active} active, ${counts.delayed} delayed, ${failedText(counts)} failed, ${counts.cancelled} cancelled, ${counts.failedInDoubt} in doubt`;
  const rows: [head: string, text: Cell][] = [
    ["queue", name],
    ["partitions", String(partitions)],
    ["jobs", counted],
    ["workers", String(counts.workers)],
    ["paused", paused === null ? "no" : toned(pausedText(paused), "warning")],
    ["limits", limitText(limits) || "none"],
  ];
  if (override !== null)
    rows.push(
      ["", `by hand: ${limitText(override) || "none"}; by ${override.by}, since ${override.since}`],
      [
        "",
        `declared: ${limitText(declared) || "none"}; to go back: holdfast queues limit ${name} --declared`,
      ],
    );
  return rows.map(([head, text]) => [head.padEnd(14), text]);
}

function pausedText({ reason, by, since }: NonNullable<QueueView["paused"]>): string {
  if (since === null) return "by another tool";
  return `since ${since} by ${by}: ${reason}`;
}

async function pause(name: string, { reason, json }: Json & { readonly reason: string }): Promise<void> {
  requireText("--reason", reason);
  await withQueue(json, (operator) => operator.queues.pause(name, { reason, by: username() }));
  printHint(`to let its jobs start again: holdfast queues resume ${name}`);
}

interface LimitOptions extends Json {
  readonly concurrency?: string;
  readonly rate?: string;
  readonly declared?: true;
}

async function limit(name: string, { concurrency, rate, declared, json }: LimitOptions): Promise<void> {
  const isLimited = concurrency !== undefined || rate !== undefined;
  if (isLimited === (declared === true)) throw usage("expected --concurrency, --rate or both, or --declared");
  const count =
    concurrency === undefined ? undefined : parseWhole("--concurrency", concurrency, "a whole number from 1");
  const parsed = rate === undefined ? undefined : parseRate(rate);
  if (rate !== undefined && parsed === undefined)
    throw usage(`--rate: expected ${RATE_EXPECTED}, got "${rate}"`);
  await withQueue(json, (operator) =>
    operator.queues.limit(name, { concurrency: count, rate: parsed }, username()),
  );
}

async function partition(name: string, partitions: string, { json }: Json): Promise<void> {
  const count = parseWhole("<partitions>", partitions, `1 to ${PARTITIONS_MAX}`, PARTITIONS_MAX);
  await withOperator(async (operator, { queues }) => {
    if (!queues.includes(name)) throw usage(`there is no queue "${name}"; declared: ${queues.join(", ")}`);
    const division = await operator.queues.divide(name, count);
    const value = { queue: name, ...division, still: division.still ?? null };
    printOutcome(json, value, divided(name, division));
  });
}

function divided(name: string, { before, after, still }: Division): string {
  if (still !== undefined) return `${name} keeps its earlier partitions in mind: ${still}`;
  const now = `${name} has ${counted(after.partitions, "partition")}`;
  if (before.partitions !== after.partitions) return `${now}; it had ${before.partitions}`;
  return before.former.length === after.former.length
    ? `${now} already`
    : `${now}; the earlier ones are forgotten`;
}
