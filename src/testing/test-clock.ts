import { bringDeadlinesForward } from "../effect/bring-deadlines-forward.ts";
import type { Schedule } from "../job/define-schedule.ts";
import { bringForward } from "../queue/bring-forward.ts";
import type { QueueStore } from "../queue/queue-store.ts";
import type { Overlaps } from "../schedule/overlap.ts";
import type { SchedulePauses } from "../schedule/pauses.ts";
import { submitTick } from "../schedule/run-schedule.ts";
import type { Submitter } from "../submit/submitter.ts";
import { createEvents } from "../telemetry/events.ts";

/**
 * The clock of a test. It runs as the machine's does, and can be moved forward.
 *
 * It moves when delayed jobs are due (`delayMs`, `runAt`, backoff, deferrals), the deadlines of effects, and the ticks of schedules. It
 * does not move what handlers read (`Date.now()`), time-outs of running attempts and effects, locks, and retention.
 */
export interface TestClock {
  now(): Date;
  /**
   * Moves it forward, as if a scheduler had run all the time: each tick in between is submitted. What has become due then runs in the
   * background: call `drain()`.
   *
   * @param ms 0 or more milliseconds
   * @throws HoldfastError what submitting a tick threw
   */
  advance(ms: number): Promise<void>;
  /** Moves it forward to an instant, which must not be past. */
  advanceTo(instant: Date): Promise<void>;
}

interface ClockParts {
  readonly stores: readonly QueueStore[];
  readonly schedules: readonly Schedule[];
  readonly submitter: Pick<Submitter, "submit">;
  readonly pauses: Pick<SchedulePauses, "of">;
  readonly overlaps: Overlaps;
}

/** Makes what is delayed due earlier, as if time had passed. */
export async function passTime(stores: readonly QueueStore[], ms: number): Promise<void> {
  await Promise.all(stores.map((store) => bringDeadlinesForward(store, ms)));
  await Promise.all(stores.map((store) => bringForward(store, ms)));
}

interface MovableClock extends TestClock {
  /** When the machine's clock, which is not moved, will show what this clock shows at an instant. */
  machineTime(instant: Date): Date;
}

export function createTestClock({ stores, schedules, ...tools }: ClockParts): MovableClock {
  let aheadMs = 0;
  let seenUntil = Date.now();
  const now = () => Date.now() + aheadMs;

  async function moveTo(instant: number): Promise<void> {
    const ms = Math.max(0, Math.ceil(instant - now()));
    aheadMs += ms;
    await passTime(stores, ms);
  }

  async function advanceTo(instant: number): Promise<void> {
    if (!(instant >= now() - 1))
      throw new RangeError(`expected an instant that is not past, got ${instant - now()} ms from now`);
    for (const { schedule, at } of ticksBetween(schedules, seenUntil, instant)) {
      await moveTo(at);
      await submit(schedule, at);
    }
    await moveTo(instant);
    seenUntil = instant;
  }

  async function submit(schedule: Schedule, at: number): Promise<void> {
    const events = createEvents();
    const faults: unknown[] = [];
    events.on("tick.failed", (_, error) => faults.push(error));
    events.on("tick.retried", (_, error) => faults.push(error));
    await submitTick(schedule, at, { ...tools, clock: { now }, events });
    if (faults.length > 0) throw faults[0];
  }

  return {
    now: () => new Date(now()),
    machineTime: (instant) => new Date(instant.getTime() - aheadMs),
    advance: (ms) => advanceTo(now() + ms),
    advanceTo: (instant) => advanceTo(instant.getTime()),
  };
}

/** After `from`, up to `to`; the earliest first. */
function ticksBetween(schedules: readonly Schedule[], from: number, to: number) {
  const ticks = schedules.flatMap((schedule) => {
    const due: { schedule: Schedule; at: number }[] = [];
    const { timetable } = schedule;
    for (let at = timetable.next(from); at !== undefined && at <= to; at = timetable.next(at))
      due.push({ schedule, at });
    return due;
  });
  return ticks.sort((a, b) => a.at - b.at);
}
