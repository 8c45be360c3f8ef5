import { redisNow } from "../../platform/redis/fitness/clock.ts";
import { integer } from "../../platform/redis/reply-shape.ts";
import { loadScript } from "../../platform/redis/script.ts";
import { SILENT_AFTER_MS } from "../job/worker-heartbeat.ts";
import type { QueueStore } from "./store/queue-store.ts";

const script = loadScript(import.meta.url, "set-ramp.lua", integer);

/** A resumed queue whose jobs start slowly. */
export interface Ramp {
  /** Milliseconds since 1970. */
  readonly since: number;
  readonly overMs: number;
  /** How many jobs may be active in the end, in all partitions, with the workers that are alive. */
  readonly slots: number;
}

/** `since`: in milliseconds since 1970; from now on without. */
export interface WantedRamp {
  readonly overMs: number;
  readonly since?: number;
}

const FIELD = "ramp";

/** Each partition gets an equal share, and at least one. @param ramp undefined: its jobs start as fast as they can */
export async function setRamp(
  partitions: readonly QueueStore[],
  ramp: WantedRamp | undefined,
): Promise<void> {
  await Promise.all(
    partitions.map(async ({ client, keys }) => {
      if (ramp === undefined) return await client.hdel(keys.meta, FIELD);
      const args = [ramp.overMs, partitions.length, SILENT_AFTER_MS, ramp.since ?? ""];
      return await script.run(client, [keys.meta, keys.own("workers"), keys.workersSeen], args);
    }),
  );
}

/** What is over is removed by claims and heartbeats. @throws Redis's own errors */
export async function readRamp(partitions: readonly QueueStore[]): Promise<Ramp | undefined> {
  const stored = await Promise.all(partitions.map(({ client, keys }) => client.hget(keys.meta, FIELD)));
  const ramps = stored.flatMap((text) => rampIn(text ?? ""));
  const [first] = ramps;
  const [store] = partitions;
  if (first === undefined || store === undefined) return undefined;
  if ((await redisNow(store.client)) >= first.since + first.overMs) return undefined;
  return { ...first, slots: ramps.reduce((sum, { slots }) => sum + slots, 0) };
}

/** Nothing where there is none, and for what another tool has written. */
function rampIn(text: string): Ramp[] {
  const [, since, overMs, slots] = /^(\d+) (\d+) (\d+) \d+$/.exec(text) ?? [];
  return slots === undefined ? [] : [{ since: Number(since), overMs: Number(overMs), slots: Number(slots) }];
}
