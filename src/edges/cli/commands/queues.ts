import type { Command } from "commander";
import type { CurbOf } from "../../../core/bullmq/curb/curb-name.ts";
import { loadBullmq } from "../../../core/bullmq/queue-control.ts";
import { PARTITIONS_MAX, parseRate, RATE_EXPECTED } from "../../../core/define/queue-settings.ts";
import { counted } from "../../../desk/counted.ts";
import type { Shown } from "../../../desk/operations/operation.ts";
import { queueOperations } from "../../../desk/operations/queues.ts";
import type { Crowd } from "../../../desk/queues/crowd.ts";
import type { Division } from "../../../desk/queues/divide-queue.ts";
import type { QueueView } from "../../../desk/queues/queues.ts";
import { rampText } from "../../../desk/queues/ramps.ts";
import { quietText } from "../../../desk/workers/all-quiet.ts";
import { username } from "../../username.ts";
import { withOperator } from "../connections.ts";
import { usage } from "../exit-code.ts";
import { addOperationCommand } from "../operation-command.ts";
import { parseWhole } from "../option-values.ts";
import { type Json, printHint, printNote, printOutcome } from "../screen/output.ts";
import { curbLine, failedText } from "../screen/overview-text.ts";
import { addShowOptions, type ShowOptions, show } from "../screen/show.ts";
import { type ColumnOf, listText, tableOf } from "../screen/table.ts";
import { type Cell, type Lines, toned } from "../screen/text.ts";

const WHICH = { type: "--type <type>", key: "--key <label>" };

export function addQueuesCommands(program: Command): void {
  const queues = program.command("queues").description("list, pause, resume, limit and divide queues");
  addOperationCommand(queues, "list", queueOperations.queues, {
    description: "list queues: what waits and runs, whether they are paused, and their limits",
    describe: ({ queues }) => tableOf(columns, queues),
  });
  addShowOptions(queues.command("show"))
    .description("show one queue: who paused or limited it, and why")
    .argument("<name>", "the queue")
    .action(showOne);
  addOperationCommand(queues, "crowd", queueOperations.crowd, {
    description: "show who has how many jobs of a queue: by type, and by key where contracts label them",
    describe: (crowd) => describeCrowd(crowdRows(crowd)),
    lines: crowdRows,
    after({ isEstimate }) {
      if (isEstimate) printNote("estimated from 400 jobs of each long list");
    },
  });
  addOperationCommand(queues, "pause", queueOperations.pauseQueue, {
    description:
      "let no further job of a queue start, on any worker; running jobs go on, and jobs are still accepted",
    flags: WHICH,
    prepare: loadBullmq,
    describe: described,
    after(_, { params: { name }, options: { type, key } }) {
      const which = [type && ` --type ${type}`, key && ` --key ${key}`].filter(Boolean).join("");
      printHint(`to let its jobs start again: holdfast queues resume ${name}${which}`);
    },
  });
  addOperationCommand(queues, "resume", queueOperations.resumeQueue, {
    description: "let the jobs of a paused queue start again, or those of a type or key, paused or limited",
    flags: { ...WHICH, over: "--over <time>" },
    prepare: loadBullmq,
    describe: described,
  });
  queues
    .command("limit")
    .description("limit a queue over all workers, in place of what the application declares")
    .argument("<name>", "the queue")
    .option("--concurrency <n>", "how many jobs may run at a time")
    .option("--rate <rate>", 'how many jobs may start in a time, such as "10/1s"')
    .option("--declared", "go back to what the application declares")
    .option("--type <type>", "only jobs of this type, not the queue")
    .option("--key <label>", "only jobs of the key with this label, not the queue")
    .option("--json", "print the queue as JSON")
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

async function showOne(name: string, options: ShowOptions): Promise<void> {
  await withOperator(async ({ queues }) => {
    await show({ read: () => queues.show(name), describe: described, json: (queue) => [queue] }, options);
  });
}

const columns: readonly ColumnOf<Shown<QueueView>>[] = [
  ["name", ({ name }) => name],
  ["waiting", ({ waiting }) => waiting],
  ["active", ({ active }) => active],
  ["delayed", ({ delayed }) => delayed, 2],
  ["failed", failedText],
  ["workers", ({ workers }) => workers, 1],
  ["", ({ paused }) => paused && toned(`paused: ${paused.reason || "by another tool"}`, "warning")],
  ["", (queue) => toned(quietText(queue), "warning")],
  ["", ({ ramp }) => ramp && toned(rampText(ramp, Date.now()), "warning")],
  ["limits", limitsText],
];

/** Of the queue, and of its types and keys. */
function limitsText({ limits, override, curbs }: Shown<QueueView>): Cell {
  const whole = limitText(limits) + (override === null ? "" : " (by hand)");
  return toned(
    [whole, ...curbs.map(curbLine)].filter(Boolean).join("; "),
    curbs.length > 0 ? "warning" : undefined,
  );
}

function limitText({ concurrency, rate }: Shown<QueueView["limits"]>): string {
  return [concurrency && `${concurrency} at a time`, rate].filter(Boolean).join(", ");
}

function described({
  name,
  partitions,
  paused,
  limits,
  override,
  declared,
  ramp,
  curbs,
  ...counts
}: Shown<QueueView>): Lines {
  const counted = `${counts.waiting} waiting, ${counts.active} active, ${counts.delayed} delayed, ${failedText(counts)} failed, ${counts.cancelled} cancelled, ${counts.failedInDoubt} in doubt`;
  const rows: [head: string, text: Cell][] = [
    ["queue", name],
    ["partitions", String(partitions)],
    ["jobs", counted],
    ["workers", counts.quietWorkers === 0 ? String(counts.workers) : toned(quietText(counts), "warning")],
    ["paused", paused === null ? "no" : toned(pausedText(paused), "warning")],
    ["limits", limitText(limits) || "none"],
  ];
  if (ramp !== null)
    rows.push(["", toned(`${rampText(ramp, Date.now())}, to ${ramp.slots} at a time`, "warning")]);
  for (const curb of curbs)
    rows.push([
      "",
      toned(
        `${curbLine(curb)}${curb.concurrency === null ? `: ${curb.reason}` : ""}; by ${curb.by}, since ${curb.since}`,
        "warning",
      ),
    ]);
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

interface CurbOptions extends Json {
  readonly type?: string;
  readonly key?: string;
}

/** Undefined where the whole queue is meant. @throws HoldfastError `USAGE` for both */
function curbedBy({ type, key }: CurbOptions): CurbOf | undefined {
  if (type !== undefined && key !== undefined) throw usage("expected --type or --key, not both");
  if (type !== undefined) return { type };
  return key === undefined ? undefined : { key };
}

function crowdRows({ types, keys, withoutLabel }: Shown<Crowd>) {
  const others = keys.length === 0 ? [] : [{ what: "keys without a label, or none", ...withoutLabel }];
  return [
    ...types.map(({ type, ...counts }) => ({ what: `type ${type}`, ...counts })),
    ...keys.map(({ key, ...counts }) => ({ what: `key ${key}`, ...counts })),
    ...others.filter((counts) => counts.waiting + counts.running + counts.started + counts.failed > 0),
  ];
}

const describeCrowd = listText<Omit<Crowd["types"][number], "type"> & { readonly what: string }>(
  "it has no jobs",
  [
    ["of", ({ what }) => what],
    ["waiting", ({ waiting }) => waiting],
    ["running", ({ running }) => running],
    ["started in 5 min", ({ started }) => started],
    ["failed", ({ failed }) => failed],
  ],
);

interface LimitOptions extends CurbOptions {
  readonly concurrency?: string;
  readonly rate?: string;
  readonly declared?: true;
}

async function limit(name: string, options: LimitOptions): Promise<void> {
  const { concurrency, rate, declared, json } = options;
  const of = curbedBy(options);
  if (of !== undefined && (rate !== undefined || declared))
    throw usage("expected --concurrency alone with --type or --key; to let it go: queues resume");
  const isLimited = concurrency !== undefined || rate !== undefined;
  if (isLimited === (declared === true)) throw usage("expected --concurrency, --rate or both, or --declared");
  const count =
    concurrency === undefined ? undefined : parseWhole("--concurrency", concurrency, "a whole number from 1");
  const parsed = rate === undefined ? undefined : parseRate(rate);
  if (rate !== undefined && parsed === undefined)
    throw usage(`--rate: expected ${RATE_EXPECTED}, got "${rate}"`);
  await loadBullmq();
  const queue = await withOperator(({ queues }) =>
    of === undefined
      ? queues.limit(name, { concurrency: count, rate: parsed }, username())
      : queues.curb(name, of, { concurrency: count, reason: `${count} at a time`, by: username() }),
  );
  printOutcome(json, queue, described(queue));
}

async function partition(name: string, partitions: string, { json }: Json): Promise<void> {
  const count = parseWhole("<partitions>", partitions, `1 to ${PARTITIONS_MAX}`, PARTITIONS_MAX);
  await withOperator(async (operator) => {
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
