import type { Events } from "../../core/events.ts";
import type { ErrorCode } from "../../platform/errors/error-codes.ts";
import type { HoldfastError } from "../../platform/errors/holdfast-error.ts";
import type { Logger } from "../../platform/lib/logger.ts";

export interface TickEvent {
  readonly schedule: string;
  /** The scheduled instant, in ISO 8601. */
  readonly tick: string;
}

declare module "../../core/events.ts" {
  interface EventMap {
    "tick.enqueued": [tick: TickEvent & { readonly jobId: string; readonly lateMs: number }];
    /** Another scheduler enqueued the tick first. */
    "tick.duplicate": [tick: TickEvent & { readonly jobId: string }];
    /** Redis did not accept the tick's job; the scheduler will try again. */
    "tick.retried": [tick: TickEvent, error: HoldfastError];
    /** The schedule is paused. */
    "tick.skipped": [tick: TickEvent & { readonly why: string }];
    /** No scheduler enqueued the tick in time, and none will. */
    "tick.missed": [tick: TickEvent & { readonly why: string }];
    /** The tick's job cannot be submitted. */
    "tick.failed": [tick: TickEvent, error: unknown];
  }
}

/** What the clock, the requirements and the encryption keys log themselves. */
const loggedOnce: ReadonlySet<ErrorCode> = new Set(["CLOCK_WRONG", "STORE_UNFIT", "ENCRYPTION_KEYS_DIFFER"]);

export function logTicks(events: Events, log: Logger): void {
  events.on("tick.enqueued", (tick) => log.info(tick, "tick enqueued"));
  events.on("tick.duplicate", (tick) => log.debug(tick, "tick was enqueued before"));
  events.on("tick.skipped", (tick) => log.warn(tick, "tick skipped"));
  events.on("tick.missed", (tick) => log.warn(tick, "tick missed"));
  events.on("tick.failed", (tick, err) => log.error({ ...tick, err }, "tick cannot be enqueued"));
  events.on("tick.retried", (tick, { code, message }) => {
    // Logged once by what finds it. Here it would be a line for each tick, twice a second.
    if (!loggedOnce.has(code)) log.warn({ ...tick, code }, message);
  });
}
