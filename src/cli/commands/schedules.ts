import type { Command } from "commander";
import type { Settings } from "../../config/settings.ts";
import { HoldfastError } from "../../errors/holdfast-error.ts";
import type { Application } from "../../job/define-config.ts";
import type { Schedule } from "../../job/define-schedule.ts";
import type { ConnectedRedis } from "../../redis/connect.ts";
import type { ScheduleReader, ScheduleStatus } from "../../schedule/schedule-status.ts";
import { withApplication } from "../connections.ts";
import { print, printJson } from "../output.ts";
import { table } from "../table.ts";

/** `holdfast schedules`. */
export function addSchedulesCommands(program: Command): void {
  const schedules = program.command("schedules").description("list schedules, and explain ticks");
  schedules
    .command("list")
    .description("list schedules with their next ticks and the job of the last one")
    .option("--next <n>", "how many future ticks to list", "1")
    .option("--json", "print one JSON object a line")
    .action(list);
  schedules
    .command("explain")
    .description("explain why a tick did or did not run")
    .argument("<name>", "the schedule's name")
    .requiredOption("--at <iso>", "the instant, e.g. 2026-12-01T09:00:00Z")
    .option("--json", "print the explanation as JSON")
    .action(explain);
}

async function list({ next, json }: { readonly next: string; readonly json?: true }): Promise<void> {
  const count = Number(next);
  if (!Number.isSafeInteger(count) || count < 1 || count > 1_000) {
    throw new HoldfastError("USAGE", `--next: expected a number from 1 to 1000, got "${next}"`);
  }
  await withApplication(async (application, store, settings) => {
    const { readSchedule } = await import("../../schedule/schedule-status.ts");
    const reader = await readerOf(application, store, settings);
    const found = await Promise.all(
      application.schedules.map((schedule) => readSchedule(reader, schedule, count)),
    );
    if (json) printJson(...found);
    else print(describe(found));
  });
}

function describe(schedules: readonly ScheduleStatus[]): string {
  if (schedules.length === 0) return "no schedules are declared";
  const rows = schedules.flatMap(({ name, when, jobType, next, last }) => [
    [
      name,
      when,
      jobType,
      next[0] ?? "never",
      last === null ? "" : `${last.at}: ${last.state ?? (last.jobId === null ? "not enqueued" : "gone")}`,
    ],
    ...next.slice(1).map((at) => ["", "", "", at, ""]),
  ]);
  return table(["name", "when", "job", "next", "last"], rows);
}

async function explain(
  name: string,
  { at, json }: { readonly at: string; readonly json?: true },
): Promise<void> {
  const instant = Date.parse(at);
  if (Number.isNaN(instant))
    throw new HoldfastError("USAGE", `--at: expected an instant such as 2026-12-01T09:00:00Z, got "${at}"`);
  await withApplication(async (application, store, settings) => {
    const { describeExplanation, explainTick } = await import("../../schedule/schedule-status.ts");
    const schedule = findSchedule(application, name);
    const explanation = await explainTick(await readerOf(application, store, settings), schedule, instant);
    if (json) printJson(explanation);
    else print(`${name} at ${new Date(instant).toISOString()}: ${describeExplanation(explanation)}`);
  });
}

function findSchedule({ schedules }: Application, name: string): Schedule {
  const schedule = schedules.find((candidate) => candidate.name === name);
  if (schedule !== undefined) return schedule;
  const known = schedules.map((candidate) => candidate.name).join(", ") || "none";
  throw new HoldfastError("USAGE", `there is no schedule "${name}"; declared: ${known}`);
}

async function readerOf(
  { queues }: Application,
  store: ConnectedRedis,
  { HOLDFAST_PREFIX: prefix, HOLDFAST_RETENTION_MS: retentionMs }: Settings,
): Promise<ScheduleReader> {
  const { openStatusReader } = await import("../../status/read-status.ts");
  const { openQueueStores } = await import("../../queue/queue-store.ts");
  const { readLayouts } = await import("../../queue/layouts.ts");
  const stores = openQueueStores(store, prefix, await readLayouts(store.client, prefix, queues));
  return { stores, retentionMs, readStatus: openStatusReader(stores) };
}
