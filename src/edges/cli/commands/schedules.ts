import type { Command } from "commander";
import type { Application } from "../../../core/job/define-config.ts";
import type { PastTick, ScheduleStatus } from "../../../features/schedules/schedule-status.ts";
import { HoldfastError } from "../../../platform/errors/holdfast-error.ts";
import { suggestion } from "../../../platform/lib/did-you-mean.ts";
import { username } from "../../username.ts";
import { withOperator } from "../connections.ts";
import { print, printJson } from "../screen/output.ts";
import { addShowOptions, type ShowOptions, show } from "../screen/show.ts";
import { tableLines } from "../screen/table.ts";
import { type Lines, toned } from "../screen/text.ts";

/** `holdfast schedules`. */
export function addSchedulesCommands(program: Command): void {
  const schedules = program
    .command("schedules")
    .description("list, pause and resume schedules, and explain ticks");
  addShowOptions(schedules.command("list"))
    .description("list schedules with their next ticks and the job of the last one")
    .option("--next <n>", "how many future ticks to list", "1")
    .action(list);
  schedules
    .command("explain")
    .description("explain why a tick did or did not run")
    .argument("<name>", "the schedule's name")
    .requiredOption("--at <iso>", "the instant, e.g. 2026-12-01T09:00:00Z")
    .option("--json", "print the explanation as JSON")
    .action(explain);
  schedules
    .command("pause")
    .description("skip a schedule's ticks until it is resumed; they are not caught up then")
    .argument("<name>", "the schedule's name")
    .requiredOption("--reason <text>", "shown while it is paused")
    .option("--json", "print the schedule as JSON")
    .action(pause);
  schedules
    .command("resume")
    .description("let a paused schedule tick again")
    .argument("<name>", "the schedule's name")
    .option("--json", "print the schedule as JSON")
    .action((name: string, { json }: Json) =>
      change(json, ({ schedules }) => schedules.resume(name, { by: username() })),
    );
}

interface Json {
  readonly json?: true;
}

async function pause(name: string, { reason, json }: Json & { readonly reason: string }): Promise<void> {
  if (reason.trim() === "") throw new HoldfastError("USAGE", "--reason: expected a text");
  await change(json, ({ schedules }) => schedules.pause(name, { reason, by: username() }));
}

async function change(
  json: true | undefined,
  act: Parameters<typeof withOperator<ScheduleStatus>>[0],
): Promise<void> {
  const schedule = await withOperator(act);
  if (json) printJson(schedule);
  else print(describe([schedule]));
}

async function list({ next, ...options }: ShowOptions & { readonly next: string }): Promise<void> {
  const count = Number(next);
  if (!Number.isSafeInteger(count) || count < 1 || count > 1_000) {
    throw new HoldfastError("USAGE", `--next: expected a number from 1 to 1000, got "${next}"`);
  }
  await withOperator(async ({ schedules }) => {
    await show({ read: () => schedules.list(count), describe, json: (found) => found }, options);
  });
}

function describe(schedules: readonly ScheduleStatus[]): Lines {
  if (schedules.length === 0) return "no schedules are declared";
  const rows = schedules.flatMap(({ name, when, jobType, paused, next, last }) => [
    [
      name,
      when,
      jobType,
      paused === null ? (next[0] ?? "never") : toned(`paused by ${paused.by}: ${paused.reason}`, "warning"),
      last === null ? "" : `${last.at}: ${becameOf(last)}`,
    ],
    ...(paused === null ? next.slice(1) : []).map((at) => ["", "", "", at, ""]),
  ]);
  const table = tableLines(["name", "when", { heading: "job", leaves: 1 }, "next", "last"], rows);
  const isServed = schedules.every(({ schedulers }) => schedulers > 0);
  return isServed
    ? table
    : [...table, [toned("no scheduler runs: no tick is enqueued until one does", "bad")]];
}

function becameOf({ jobId, state, overlap, isBeforeFirst, isMissed }: PastTick): string {
  if (isBeforeFirst) return "before the first job";
  if (isMissed) return "missed";
  return state ?? overlap ?? (jobId === null ? "not enqueued" : "gone");
}

async function explain(
  name: string,
  { at, json }: { readonly at: string; readonly json?: true },
): Promise<void> {
  const instant = Date.parse(at);
  if (Number.isNaN(instant))
    throw new HoldfastError("USAGE", `--at: expected an instant such as 2026-12-01T09:00:00Z, got "${at}"`);
  await withOperator(async (operator, application) => {
    requireSchedule(application, name);
    const { text, ...explanation } = await operator.schedules.explain(name, instant);
    if (json) printJson(explanation);
    else print(`${name} at ${new Date(instant).toISOString()}: ${text}`);
  });
}

function requireSchedule({ schedules }: Application, name: string): void {
  const known = schedules.map((schedule) => schedule.name);
  if (!known.includes(name))
    throw new HoldfastError("USAGE", `there is no schedule "${name}"; ${suggestion(name, known)}`);
}
