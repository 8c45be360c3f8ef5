import type { HoldfastError } from "../../platform/errors/holdfast-error.ts";

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
