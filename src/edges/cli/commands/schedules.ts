import type { Command } from "commander";
import { scheduleOperations } from "../../../desk/operations/schedules.ts";
import type { SchedulePage } from "../../../desk/schedules.ts";
import { HoldfastError } from "../../../platform/errors/holdfast-error.ts";
import type { RuntimeScheduleDefinition } from "../../../roles/schedules/definition.ts";
import type { PastTick, ScheduleStatus } from "../../../roles/schedules/schedule-status.ts";
import { username } from "../../username.ts";
import { withOperator } from "../connections.ts";
import { usage } from "../exit-code.ts";
import { addOperationCommand } from "../operation-command.ts";
import { parseNumber, parseWhole, readJson, readSource, requireText } from "../option-values.ts";
import { type Json, printError, printOutcome } from "../screen/output.ts";
import { addShowOptions, type ShowOptions, show } from "../screen/show.ts";
import { listOf, tableLines } from "../screen/table.ts";
import { type Lines, linesOf, toned } from "../screen/text.ts";

export function addSchedulesCommands(program: Command): void {
  const schedules = program
    .command("schedules")
    .description("list, put, delete, run, pause and resume schedules, and explain ticks");
  addShowOptions(schedules.command("list"))
    .description("list schedules with their next ticks and the job of the last one")
    .option("--next <n>", "how many future ticks to list", "1")
    .option("--prefix <text>", "only those whose names begin so")
    .option("--limit <n>", "how many of those that were put at run time, at most", "100")
    .option("--cursor <name>", "those after the page that ended with this name")
    .action(list);
  addChangeCommands(schedules);
  schedules
    .command("explain")
    .description("explain why a tick did or did not run")
    .argument("<name>", "the schedule's name")
    .requiredOption("--at <iso>", "the instant, e.g. 2026-12-01T09:00:00Z")
    .option("--json", "print the explanation as JSON")
    .action(explain);
  addOperationCommand(schedules, "ticks", scheduleOperations.ticks, ({ ticks }) => describeTicks([...ticks]));
  addOperationCommand(schedules, "show", scheduleOperations.scheduleDefinition, (definition) =>
    JSON.stringify(definition, null, 2),
  );
  addOperationCommand(schedules, "run", scheduleOperations.runSchedule, ({ id, duplicate }) =>
    duplicate ? `duplicate of ${id}` : `accepted ${id}`,
  );
  schedules
    .command("pause")
    .description("skip a schedule's ticks until it is resumed, or a time; they are not caught up then")
    .argument("<name>", "the schedule's name")
    .requiredOption("--reason <text>", "shown while it is paused")
    .option("--until <iso>", "when it ends by itself, with its zone: 2026-12-24T09:00:00+01:00")
    .option("--json", "print the schedule as JSON")
    .action(pause);
  schedules
    .command("skip")
    .description("skip one tick that is not due yet; it is not caught up")
    .argument("<name>", "the schedule's name")
    .requiredOption("--at <iso>", "the tick, e.g. 2026-12-24T09:00:00Z")
    .option("--reason <text>", "shown until then, and kept in the audit log")
    .option("--undo", "let it run after all")
    .option("--json", "print the schedule as JSON")
    .action(skip);
  schedules
    .command("resume")
    .description("let a paused schedule tick again")
    .argument("<name>", "the schedule's name")
    .option("--json", "print the schedule as JSON")
    .action((name: string, { json }: Json) =>
      change(json, ({ schedules }) => schedules.resume(name, { by: username() })),
    );
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
  schedules
    .command("delete")
    .description("delete a schedule that was put")
    .argument("<name>", "the schedule's name")
    .option("--json", "print the outcome as JSON")
    .action(remove);
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
  await change(json, ({ schedules }) => schedules.put(name, definition, { by: username() }));
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

async function remove(name: string, { json }: Json): Promise<void> {
  await withOperator(({ schedules }) => schedules.delete(name, { by: username() }));
  printOutcome(json, { name, outcome: "deleted" }, `deleted ${name}`);
}

interface PauseOptions extends Json {
  readonly reason: string;
  readonly until?: string;
}

async function pause(name: string, { reason, until, json }: PauseOptions): Promise<void> {
  requireText("--reason", reason);
  const ends = until === undefined ? {} : { until: zonedInstant("--until", until) };
  await change(json, ({ schedules }) => schedules.pause(name, { reason, by: username(), ...ends }));
}

interface SkipOptions extends Json {
  readonly at: string;
  readonly reason?: string;
  readonly undo?: true;
}

async function skip(name: string, { at, reason = "", undo, json }: SkipOptions): Promise<void> {
  if (!undo) requireText("--reason", reason);
  const tick = zonedInstant("--at", at);
  const act = { reason, by: username() };
  await change(json, ({ schedules }) =>
    undo ? schedules.unskip(name, tick, act) : schedules.skip(name, tick, act),
  );
}

const ZONED = /(Z|[+-]\d\d:\d\d)$/i;

/** Without a zone it would be another instant on another machine. @throws HoldfastError `USAGE` */
function zonedInstant(option: string, text: string): number {
  const at = ZONED.test(text) ? Date.parse(text) : Number.NaN;
  if (!Number.isNaN(at)) return at;
  throw usage(
    `${option}: expected an instant with its zone, such as 2026-12-24T09:00:00Z or 2026-12-24T09:00:00+01:00, got "${text}"`,
  );
}

async function change(
  json: true | undefined,
  act: Parameters<typeof withOperator<ScheduleStatus>>[0],
): Promise<void> {
  const schedule = await withOperator(act);
  printOutcome(json, schedule, describe([schedule]));
}

interface ListOptions extends ShowOptions {
  readonly next: string;
  readonly limit: string;
  readonly prefix?: string;
  readonly cursor?: string;
}

async function list({ next, limit, prefix, cursor, ...options }: ListOptions): Promise<void> {
  const query = {
    prefix,
    cursor,
    next: parseWhole("--next", next, "a number from 1 to 1000", 1_000),
    limit: parseWhole("--limit", limit, "a number from 1 to 500", 500),
  };
  await withOperator(async ({ schedules }) => {
    const read = () => schedules.list(query);
    const page = { read, describe: describePage, json: (found: SchedulePage) => found.schedules };
    const { nextCursor } = await show(page, options);
    // Its lines are schedules alone.
    if (options.json && nextCursor !== null) printError(moreText(nextCursor));
  });
}

function describePage({ schedules, nextCursor }: SchedulePage): Lines {
  if (nextCursor === null) return describe(schedules);
  return [...linesOf(describe(schedules)), [moreText(nextCursor)]];
}

const moreText = (nextCursor: string) => `there are more: --cursor ${nextCursor}`;

function describe(schedules: readonly ScheduleStatus[]): Lines {
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

const describeTicks = listOf<PastTick>("there was no tick", [
  ["at", ({ at }) => at],
  ["became", becameOf],
  ["job", ({ jobId }) => jobId ?? ""],
]);

function pausedText({ by, reason, until }: NonNullable<ScheduleStatus["paused"]>): string {
  return `paused by ${by}${until === null ? "" : ` until ${until}`}: ${reason}`;
}

function nextText(at: string | undefined, skips: ScheduleStatus["skips"]): string {
  if (at === undefined) return "never";
  const skip = skips.find((one) => one.at === at);
  return skip === undefined ? at : `${at}: skipped by ${skip.by}: ${skip.reason}`;
}

function becameOf({ jobId, state, overlap, isBeforeFirst, isMissed }: PastTick): string {
  if (isBeforeFirst) return "before the first job";
  if (isMissed) return "missed";
  return state ?? overlap ?? (jobId === null ? "not enqueued" : "gone");
}

async function explain(name: string, { at, json }: Json & { readonly at: string }): Promise<void> {
  const instant = Date.parse(at);
  if (Number.isNaN(instant))
    throw usage(`--at: expected an instant such as 2026-12-01T09:00:00Z, got "${at}"`);
  await withOperator(async ({ schedules }) => {
    const { text, ...explanation } = await schedules.explain(name, instant).catch(asUsage);
    printOutcome(json, explanation, `${name} at ${new Date(instant).toISOString()}: ${text}`);
  });
}

/** An unknown name is wrong usage. */
function asUsage(error: unknown): never {
  if (!(error instanceof HoldfastError) || error.code !== "SCHEDULE_NOT_FOUND") throw error;
  throw usage(`${error.message.charAt(0).toLowerCase()}${error.message.slice(1)}`);
}
