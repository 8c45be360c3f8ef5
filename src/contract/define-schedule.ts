import { HoldfastError } from "../errors/holdfast-error.ts";
import type { JobContract } from "./define-job.ts";

/** One due moment of a schedule. */
export interface Tick {
  /** The scheduled instant, not the moment the scheduler got to it. */
  readonly at: Date;
}

/** When a job is due, and with which payload. */
export interface Schedule {
  readonly name: string;
  /** Milliseconds between two ticks, counted from 1970-01-01T00:00:00Z. */
  readonly everyMs: number;
  readonly job: JobContract;
  readonly payload: (tick: Tick) => unknown;
}

export interface ScheduleDefinition<PayloadIn> {
  /** 1 to 64 lower-case letters, digits and dashes, beginning with a letter. */
  readonly name: string;
  /** Milliseconds between two ticks: at least 1,000. */
  readonly everyMs: number;
  readonly job: JobContract<string, PayloadIn>;
  readonly payload: (tick: Tick) => PayloadIn;
}

const NAME = /^[a-z][a-z0-9-]{0,63}$/;
const SHORTEST_PERIOD_MS = 1_000;

/**
 * Declares a schedule.
 *
 * @throws HoldfastError `APPLICATION_INVALID` when its name or period is not allowed
 */
export function defineSchedule<PayloadIn>(definition: ScheduleDefinition<PayloadIn>): Schedule {
  const { name, everyMs } = definition;
  if (!NAME.test(name)) {
    throw invalid(
      name,
      "name: expected 1 to 64 lower-case letters, digits and dashes, beginning with a letter",
    );
  }
  if (!Number.isSafeInteger(everyMs) || everyMs < SHORTEST_PERIOD_MS) {
    throw invalid(
      name,
      `everyMs: expected a whole number of milliseconds, at least ${SHORTEST_PERIOD_MS}, got ${everyMs}`,
    );
  }
  return definition;
}

function invalid(name: string, message: string): HoldfastError {
  return new HoldfastError("APPLICATION_INVALID", `schedule "${name}": ${message}`);
}
