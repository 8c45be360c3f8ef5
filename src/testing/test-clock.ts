import type { QueueStore } from "../core/bullmq/store/queue-store.ts";
import { createEvents } from "../core/events.ts";
import type { Submitter } from "../core/submit/submitter.ts";
import { integer, nothing } from "../platform/redis/reply-shape.ts";
import { loadScript } from "../platform/redis/script.ts";
import type { Schedule } from "../roles/schedules/define-schedule.ts";
import type { Overlaps } from "../roles/schedules/overlap.ts";
import type { SchedulePauses } from "../roles/schedules/pauses.ts";
import { goOn, submitTick, type TickTools } from "../roles/schedules/run-schedule.ts";

/**
 * The clock of a test. It runs as the machine's does, and can be moved forward.
 *
 * It moves when delayed jobs are due (`delayMs`, `runAt`, backoff, deferrals), the deadlines of effects, and the ticks of schedules. It
 * does not move what handlers read (`Date.now()`), time-outs of running attempts and effects, locks, retention, and until when a job
 * must have begun (`startBy`, `startWithinMs`).
 */
export interface TestClock {
  now(): Date;
  /**
   * Moves it forward, as if a scheduler had run all the time: each tick in between is submitted. What has become due then runs in the
   * background: call `drain()`.
   *
   * @param ms 0 or more milliseconds, at most ten years
   * @throws RangeError for any other number
   * @throws HoldfastError what submitting a tick threw
   */
  advance(ms: number): Promise<void>;
  /** Moves it forward to an instant, which must not be past, nor more than ten years ahead. */
  advanceTo(instant: Date): Promise<void>;
}

interface ClockParts {
  readonly stores: readonly QueueStore[];
  readonly schedules: readonly Schedule[];
  readonly submitter: Pick<Submitter, "submitOwn">;
  readonly pauses: Pick<SchedulePauses, "of">;
  readonly overlaps: Overlaps;
}

const dueScript = loadScript(import.meta.url, "bring-forward.lua", integer);
const deadlineScript = loadScript(import.meta.url, "bring-deadlines-forward.lua", nothing);

/** Makes what is delayed due earlier, and the deadlines of effects before that, as if time had passed. */
export async function passTime(stores: readonly QueueStore[], ms: number): Promise<void> {
  await Promise.all(
    stores.map(({ client, keys }) =>
      deadlineScript.run(client, [keys.joinedJobs, keys.newLedgers], [keys.ledgerStart, ms]),
    ),
  );
  await Promise.all(
    stores.map(({ client, keys }) => dueScript.run(client, [keys.delayed], [keys.start, ms])),
  );
}

/** The clock, and what the test's own Holdfast does with it. */
interface MovableClock extends TestClock {
  /** Submits the ticks that waited for an earlier job which has ended by now. @throws HoldfastError what submitting one threw */
  submitQueued(): Promise<void>;
  /** When the machine's clock, which is not moved, will show what this clock shows at an instant. */
  machineTime(instant: Date): Date;
}

/** How far it is moved at once: the ticks of a mistyped time would never end. */
const YEARS_MAX = 10;
const ADVANCE_MAX_MS = YEARS_MAX * 366 * 24 * 60 * 60_000;

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
    requireNear(instant - now());
    await submitQueued();
    for (const { schedule, at } of ticksBetween(schedules, seenUntil, instant)) {
      await moveTo(at);
      await reported((tickTools) => submitTick(schedule, at, tickTools));
    }
    await moveTo(instant);
    seenUntil = instant;
  }

  async function submitQueued(): Promise<void> {
    for (const schedule of schedules.filter(({ overlap }) => overlap === "queue-one"))
      await reported((tickTools) => goOn(schedule, tickTools));
  }

  /** Throws what a scheduler would log. */
  async function reported(work: (tickTools: TickTools) => Promise<unknown>): Promise<void> {
    const events = createEvents();
    const faults: unknown[] = [];
    events.on("tick.failed", (_, error) => faults.push(error));
    events.on("tick.retried", (_, error) => faults.push(error));
    await work({ ...tools, clock: { now }, events });
    if (faults.length > 0) throw faults[0];
  }

  return {
    now: () => new Date(now()),
    submitQueued,
    machineTime: (instant) => new Date(instant.getTime() - aheadMs),
    advance: (ms) => advanceTo(now() + ms),
    advanceTo: (instant) => advanceTo(instant.getTime()),
  };
}

/** @throws RangeError */
function requireNear(ms: number): void {
  // A millisecond may pass while a test computes the instant.
  if (!(ms >= -1)) throw new RangeError(`expected an instant that is not past, got ${ms} ms from now`);
  if (ms > ADVANCE_MAX_MS)
    throw new RangeError(`expected an instant within ${YEARS_MAX} years, got ${ms} ms from now`);
}

/** After `from`, up to `to`; the earliest first. Each is computed when it is asked for: in years there are millions. */
function* ticksBetween(schedules: readonly Schedule[], from: number, to: number) {
  const upcoming = schedules.map((schedule) => ({ schedule, at: schedule.timetable.next(from) ?? Infinity }));
  for (;;) {
    const at = Math.min(...upcoming.map((tick) => tick.at));
    const next = upcoming.find((tick) => tick.at === at);
    if (next === undefined || at > to || at === Infinity) return;
    const { schedule } = next;
    yield { schedule, at };
    next.at = schedule.timetable.next(at) ?? Infinity;
  }
}
