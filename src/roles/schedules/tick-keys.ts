import type { Schedule } from "./define-schedule.ts";

const START = "schedule:";

type Named = Pick<Schedule, "name">;

/** A tick's idempotency key: whichever scheduler submits the tick, one job results. */
export function tickKey({ name }: Named, at: number): string {
  return `${START}${name}:${new Date(at).toISOString()}`;
}

/** The idempotency key of a run on request. */
export function runNowKey({ name }: Named, request: string): string {
  return `${START}${name}:now:${request}`;
}

/** Clients that could use such keys could keep a tick's job from being made. */
export function tickKeyFault(key: string): string | undefined {
  if (!key.startsWith(START)) return undefined;
  return `expected a key that does not begin with "${START}": those are the ticks of schedules`;
}
