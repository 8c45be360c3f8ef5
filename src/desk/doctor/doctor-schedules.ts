import type { QueueStores } from "../../core/bullmq/store/queue-store.ts";
import type { Application } from "../../core/job/application.ts";
import type { Settings } from "../../platform/config/settings.ts";
import { type Finding, finding, findings } from "../../platform/errors/finding.ts";
import { isoTime } from "../../platform/lib/iso-time.ts";
import { redisNow } from "../../platform/redis/fitness/clock.ts";
import type { Schedule } from "../../roles/schedules/define-schedule.ts";
import { openMissedTicks } from "../../roles/schedules/missed-ticks.ts";
import { lasting, openSchedulePauses, pauseText } from "../../roles/schedules/pauses.ts";
import { openScheduleReader } from "../../roles/schedules/read-schedule.ts";
import { countSchedulers } from "../../roles/schedules/scheduler-heartbeat.ts";
import { inForce } from "../../roles/schedules/stored/stored-schedule.ts";
import { openStoredSchedules } from "../../roles/schedules/stored/stored-schedules.ts";
import { counted } from "../counted.ts";

/** Finds schedules that are paused, and ticks that nobody enqueued. */
export async function diagnoseSchedules(
  application: Application,
  stores: QueueStores,
  settings: Settings,
): Promise<Finding[]> {
  const { schedules } = application;
  const missedTicks = openMissedTicks(openScheduleReader(stores, settings));
  // All are awaited at once: one that failed before it was awaited would end the process.
  const [schedulers, pauses, missed, storedPauses, overdue] = await Promise.all([
    diagnoseSchedulers(schedules, stores, settings),
    diagnosePauses(schedules, stores, settings),
    Promise.all(schedules.map(async (schedule) => missedTick(schedule, await missedTicks.of(schedule)))),
    diagnoseStoredPauses(application, stores, settings),
    diagnoseStored(application, stores, settings),
  ]);
  return findings(schedulers, pauses, ...missed, storedPauses, overdue);
}

/** The index says it: there can be thousands. */
async function diagnoseStored(
  application: Application,
  stores: QueueStores,
  settings: Settings,
): Promise<Finding | undefined> {
  const stored = openStoredSchedules(stores, application, settings);
  const { count, first } = await stored.overdue(await redisNow(stores.client));
  if (first === undefined) return undefined;
  return finding("stored schedules", "bad", `${count} overdue for a minute, ${first} the longest`, {
    reason: "no scheduler is running, or it could not reach Redis",
    remedy: "start one: holdfast scheduler",
  });
}

async function diagnoseSchedulers(
  schedules: readonly Schedule[],
  { client }: QueueStores,
  { HOLDFAST_PREFIX: prefix }: Settings,
): Promise<Finding | undefined> {
  if (schedules.length === 0) return undefined;
  const count = await countSchedulers(client, prefix, await redisNow(client));
  return finding("schedulers", count === 0 ? "bad" : "ok", `${count} running`, {
    reason: `nobody enqueues the ticks of ${counted(schedules.length, "schedule")}`,
    remedy: "start one: holdfast scheduler",
  });
}

function missedTick({ name, catchUp }: Schedule, [latest, ...others]: readonly number[]) {
  if (latest === undefined) return undefined;
  const found = `${counted(others.length + 1, "tick")} not enqueued, the latest at ${isoTime(latest)}`;
  // A running scheduler would have caught it up.
  return finding(`ticks of ${name}`, catchUp.mode === "none" ? "warn" : "bad", found, {
    reason: "no scheduler was running when they were due, or it could not reach Redis",
    remedy: `holdfast scheduler if none runs; holdfast schedules explain ${name} --at ${isoTime(latest)}`,
  });
}

async function diagnosePauses(
  schedules: readonly Schedule[],
  stores: QueueStores,
  { HOLDFAST_PREFIX: prefix, HOLDFAST_RETENTION_MS: retentionMs }: Settings,
): Promise<Finding[]> {
  const [pauses, now] = await Promise.all([
    openSchedulePauses(stores, prefix, retentionMs).all(),
    redisNow(stores.client),
  ]);
  return schedules.flatMap(({ name }) => {
    const pause = lasting(pauses.get(name), now);
    if (pause === undefined) return [];
    return finding(`pause of ${name}`, "warn", pauseText(pause), {
      reason: "its ticks are skipped, and will not be caught up",
      remedy: `holdfast schedules resume ${name}`,
    });
  });
}

/** One finding for all that were put: there can be thousands. */
async function diagnoseStoredPauses(
  application: Application,
  stores: QueueStores,
  settings: Settings,
): Promise<Finding | undefined> {
  const { HOLDFAST_PREFIX: prefix, HOLDFAST_RETENTION_MS: retentionMs } = settings;
  const stored = openStoredSchedules(stores, application, settings);
  const all = [...(await openSchedulePauses(stores, prefix, retentionMs).all())];
  const now = await redisNow(stores.client);
  const paused = all.map(async ([name, pauses]) => {
    const pause = lasting(pauses, now);
    const isDeclared = application.schedules.some((declared) => declared.name === name);
    // Whoever is deleted stays paused until the name is put again.
    if (pause === undefined || isDeclared || inForce(await stored.read(name)) === undefined) return [];
    return [{ name, pause }];
  });
  const found = (await Promise.all(paused)).flat().sort((a, b) => a.pause.since - b.pause.since);
  const [longest] = found;
  if (longest === undefined) return undefined;
  const { name, pause } = longest;
  const text = `${found.length}, ${name} the longest: ${pauseText(pause)}`;
  return finding("pauses of stored schedules", "warn", text, {
    reason: "their ticks are skipped, and will not be caught up",
    remedy: `holdfast schedules list shows each; holdfast schedules resume ${name}`,
  });
}
