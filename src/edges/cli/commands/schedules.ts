import type { Command } from "commander";
import type { Shown } from "../../../desk/operations/operation.ts";
import { scheduleOperations } from "../../../desk/operations/schedules.ts";
import type { SchedulePage } from "../../../desk/schedules.ts";
import type { RuntimeScheduleDefinition } from "../../../roles/schedules/definition.ts";
import type { PastTick, ScheduleStatus } from "../../../roles/schedules/schedule-status.ts";
import { username } from "../../username.ts";
import { withOperator } from "../connections.ts";
import { usage } from "../exit-code.ts";
import { addOperationCommand } from "../operation-command.ts";
import { countSchema } from "../operation-options.ts";
import { parseNumber, readJson, readSource } from "../option-values.ts";
import { type Json, printError, printOutcome } from "../screen/output.ts";
import { listText, tableLines } from "../screen/table.ts";
import { type Lines, linesOf, toned } from "../screen/text.ts";

export function addSchedulesCommands(program: Command): void {
  const schedules = program
    .command("schedules")
    .description("list, put, delete, run, pause and resume schedules, and explain ticks");
  addOperationCommand(schedules, "list", scheduleOperations.schedules, {
    description: "list schedules with their next ticks and the job of the last one",
    instead: { next: countSchema(1_000, 1, "How many future ticks to list.") },
    fixed: { past: 0 },
    describe: describePage,
    lines: ({ schedules }) => schedules,
    after({ nextCursor }, { options }) {
      // Its lines are schedules alone.
      if (options.json && nextCursor !== null) printError(moreText(nextCursor));
    },
  });
  addChangeCommands(schedules);
  schedules
    .command("explain")
    .description("explain why a tick did or did not run")
    .argument("<name>", "the schedule's name")
    .requiredOption("--at <iso>", "the instant, e.g. 2026-12-01T09:00:00Z")
    .option("--json", "print the explanation as JSON")
    .action(explain);
  addOperationCommand(schedules, "ticks", scheduleOperations.ticks, {
    describe: ({ ticks }) => describeTicks(ticks),
  });
  addOperationCommand(schedules, "show", scheduleOperations.scheduleDefinition, {
    describe: (definition) => JSON.stringify(definition, null, 2),
  });
  addOperationCommand(schedules, "run", scheduleOperations.runSchedule, {
    describe: ({ id, duplicate }) => (duplicate ? `duplicate of ${id}` : `accepted ${id}`),
  });
  addOperationCommand(schedules, "pause", scheduleOperations.pauseSchedule, {
    description: "skip a schedule's ticks until it is resumed, or a time; they are not caught up then",
    describe: describeOne,
  });
  addOperationCommand(schedules, "skip", scheduleOperations.skipTick, {
    description: "skip one tick that is not due yet; it is not caught up",
    describe: describeOne,
  });
  addOperationCommand(schedules, "resume", scheduleOperations.resumeSchedule, {
    description: "let a paused schedule tick again",
    describe: describeOne,
  });
}

/** What exists at run time alone. */
function addChangeCommands(schedules: Command): void {
  schedules
    .command("put")
    .description("make a schedule, or change one; later ticks are those of the new version")
    .argument("<name>", "the schedule's name")
    .requiredOption("--type <type>", "the job's type")
    .requiredOption(
      "--payload <json|@file|->",
      "the payload: JSON, @ and a file with it, or - for standard input",
    )
    .option("--cron <pattern>", "five fields; with --time-zone")
    .option("--time-zone <zone>", "of the pattern's times, e.g. Europe/Berlin")
    .option("--every-ms <ms>", "milliseconds between two ticks, in place of --cron")
    .option("--catch-up <mode>", "what happens to missed ticks: none, latest or all")
    .option("--catch-up-max <n>", "with all, how many run at most")
    .option("--catch-up-window-ms <ms>", "milliseconds after which a missed tick is skipped")
    .option("--overlap <policy>", "while an earlier tick's job has not ended: allow, skip or queue-one")
    .option("--starts-at <iso>", "the first instant at which there can be a tick")
    .option("--ends-at <iso>", "from this instant on there is no tick")
    .option("--json", "print the schedule as JSON")
    .action(put);
  addOperationCommand(schedules, "delete", scheduleOperations.deleteSchedule, {
    description: "delete a schedule that was put",
    describe: ({ name }) => `deleted ${name}`,
  });
}

interface PutOptions extends Json {
  readonly type: string;
  readonly payload: string;
  readonly cron?: string;
  readonly timeZone?: string;
  readonly everyMs?: string;
  readonly catchUp?: string;
  readonly catchUpMax?: string;
  readonly catchUpWindowMs?: string;
  readonly overlap?: string;
  readonly startsAt?: string;
  readonly endsAt?: string;
}

async function put(name: string, { json, ...options }: PutOptions): Promise<void> {
  const definition = await definitionOf(options);
  const schedule = await withOperator(({ schedules }) => schedules.put(name, definition, { by: username() }));
  printOutcome(json, schedule, describeOne(schedule));
}

/** Whatever is wrong with it, the operator says. */
async function definitionOf(options: PutOptions): Promise<RuntimeScheduleDefinition> {
  const { payload, everyMs, catchUp, catchUpMax, catchUpWindowMs, ...rest } = options;
  const number = (option: string, member: string, text: string | undefined) =>
    text === undefined ? {} : { [member]: parseNumber(option, text) };
  const policy = {
    ...(catchUp !== undefined && { mode: catchUp }),
    ...number("--catch-up-max", "max", catchUpMax),
    ...number("--catch-up-window-ms", "windowMs", catchUpWindowMs),
  };
  const definition: object = {
    ...rest,
    payload: readJson("--payload", await readSource("--payload", payload)),
    ...number("--every-ms", "everyMs", everyMs),
    ...(Object.keys(policy).length > 0 && { catchUp: policy }),
  };
  return definition as RuntimeScheduleDefinition;
}

function describePage({ schedules, nextCursor }: Shown<SchedulePage>): Lines {
  if (nextCursor === null) return describe(schedules);
  return [...linesOf(describe(schedules)), [moreText(nextCursor)]];
}

const moreText = (nextCursor: string) => `there are more: --cursor ${nextCursor}`;

function describeOne(schedule: Shown<ScheduleStatus>): Lines {
  return describe([schedule]);
}

function describe(schedules: readonly Shown<ScheduleStatus>[]): Lines {
  if (schedules.length === 0) return "there are no schedules";
  const rows = schedules.flatMap(({ name, when, jobType, paused, skips, next, last }) => [
    [
      name,
      when,
      jobType,
      paused === null ? nextText(next[0], skips) : toned(pausedText(paused), "warning"),
      last === null ? "" : `${last.at}: ${becameOf(last)}`,
    ],
    ...(paused === null ? next.slice(1) : []).map((at) => ["", "", "", nextText(at, skips), ""]),
  ]);
  const table = tableLines(["name", "when", { heading: "job", leaves: 1 }, "next", "last"], rows);
  const isServed = schedules.every(({ schedulers }) => schedulers > 0);
  return isServed
    ? table
    : [...table, [toned("no scheduler runs: no tick is enqueued until one does", "bad")]];
}

const describeTicks = listText<Shown<PastTick>>("there was no tick", [
  ["at", ({ at }) => at],
  ["became", becameOf],
  ["job", ({ jobId }) => jobId ?? ""],
]);

function pausedText({ by, reason, until }: NonNullable<ScheduleStatus["paused"]>): string {
  return `paused by ${by}${until === null ? "" : ` until ${until}`}: ${reason}`;
}

function nextText(at: string | undefined, skips: Shown<ScheduleStatus["skips"]>): string {
  if (at === undefined) return "never";
  const skip = skips.find((one) => one.at === at);
  return skip === undefined ? at : `${at}: skipped by ${skip.by}: ${skip.reason}`;
}

function becameOf({ jobId, state, overlap, isBeforeFirst, isMissed }: Shown<PastTick>): string {
  if (isBeforeFirst) return "before the first job";
  if (isMissed) return "missed";
  return state ?? overlap ?? (jobId === null ? "not enqueued" : "gone");
}

async function explain(name: string, { at, json }: Json & { readonly at: string }): Promise<void> {
  const instant = Date.parse(at);
  if (Number.isNaN(instant))
    throw usage(`--at: expected an instant such as 2026-12-01T09:00:00Z, got "${at}"`);
  await withOperator(async ({ schedules }) => {
    const { text, ...explanation } = await schedules.explain(name, instant);
    printOutcome(json, explanation, `${name} at ${new Date(instant).toISOString()}: ${text}`);
  });
}
