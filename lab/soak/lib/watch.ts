import { setTimeout as sleep } from "node:timers/promises";
import { call, statesOf } from "./calls.ts";
import type { Tally } from "./tally.ts";

type Watch = (url: string, tally: Tally) => Promise<string | undefined>;

const PAUSE_MS = 500;
/** A job of the soak takes seconds; after this time it will not end. */
const GIVE_UP_MS = 120_000;

/** Most jobs are watched by plain reads, as most clients do. */
export function watchFor(number: number): Watch {
  const of20 = (number + Math.floor(number / 100)) % 20;
  if (of20 < 3) return byWaiting;
  if (of20 < 6) return byStream;
  if (of20 < 7) return byLeavingStream;
  return byReading;
}

/** @returns the job's last state; undefined if it did not end */
const byReading: Watch = (url, tally) =>
  untilEnded(async () => {
    await sleep(PAUSE_MS);
    tally.add("reads");
    return await call(url);
  });

const byWaiting: Watch = (url, tally) =>
  untilEnded(async () => {
    tally.add("waits");
    return await call(url, { headers: { prefer: "wait=10" } });
  });

const byStream: Watch = async (url, tally) => {
  let last: string | undefined;
  for await (const state of statesOf(url)) last = state;
  tally.add("streams");
  // A stream may end before the job; clients must expect that.
  return hasEnded(last) ? last : await byReading(url, tally);
};

const byLeavingStream: Watch = async (url, tally) => {
  for await (const _state of statesOf(url)) break;
  tally.add("hungUp");
  return await byReading(url, tally);
};

async function untilEnded(look: () => ReturnType<typeof call>): Promise<string | undefined> {
  const until = performance.now() + GIVE_UP_MS;
  while (performance.now() < until) {
    const { status, body } = await look();
    if (status !== 200) throw new Error(`its status was answered ${status} ${body.code}`);
    if (hasEnded(body.state)) return String(body.state);
  }
  return undefined;
}

function hasEnded(state: unknown): boolean {
  return state === "completed" || state === "failed";
}
