import { EventEmitter } from "node:events";
import type { HoldfastError } from "../errors/holdfast-error.ts";

/** A tick of a schedule. */
export interface TickEvent {
  readonly schedule: string;
  /** The scheduled instant, in ISO 8601. */
  readonly tick: string;
}

/** What happens in a process: each event's name and arguments. */
export interface EventMap {
  "tick.enqueued": [tick: TickEvent & { readonly jobId: string; readonly lateMs: number }];
  /** Another scheduler enqueued the tick first. */
  "tick.duplicate": [tick: TickEvent & { readonly jobId: string }];
  /** Redis did not accept the tick's job; the scheduler will try again. */
  "tick.retried": [tick: TickEvent, error: HoldfastError];
  /** The tick's job cannot be submitted. */
  "tick.failed": [tick: TickEvent, error: unknown];
}

/** One stream of events for each role. Logs and metrics subscribe to it. Listeners run at once, and must not throw. */
export type Events = EventEmitter<EventMap>;

export function createEvents(): Events {
  return new EventEmitter<EventMap>();
}
