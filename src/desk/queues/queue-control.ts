import { readCurbs, setCurb } from "../../core/bullmq/curb/curbs.ts";
import {
  applyLimits,
  dropStaleNote,
  notePause,
  type Override,
  type Partitions,
  type PauseNote,
  readControl,
  withBullmq,
} from "../../core/bullmq/queue-control.ts";
import { setRamp, type WantedRamp } from "../../core/bullmq/ramp.ts";
import { integer } from "../../platform/redis/reply-shape.ts";
import { loadScript } from "../../platform/redis/script.ts";
import { type SeenSince, sinceArgument } from "./curbs.ts";

const expectPause = loadScript(import.meta.url, "expect-pause.lua", integer);
const setOverride = loadScript(import.meta.url, "set-override.lua", integer);

/** Whether it is paused, or not, as somebody has seen it. Of several who resume the same pause, it is so for one. */
export async function isPausedAsSeen(
  [{ client, keys }]: Partitions,
  { pausedSince }: { readonly pausedSince: string | null },
): Promise<boolean> {
  const since = pausedSince === null ? "" : Date.parse(pausedSince);
  return (await expectPause.run(client, [keys.meta, keys.own("control")], [since])) === 1;
}

/** Returns when no further job starts. Running jobs go on. */
export async function pauseQueue(partitions: Partitions, note: PauseNote): Promise<void> {
  const [first] = partitions;
  // If this process dies before it writes its own note, none is shown.
  await dropStaleNote(first);
  await withBullmq(partitions, (queue) => queue.pause());
  await setRamp(partitions, undefined);
  await notePause(first, note);
}

/** @param ramp how its jobs start @default at once */
export async function resumeQueue(partitions: Partitions, ramp?: WantedRamp): Promise<void> {
  const [first] = partitions;
  // Before: not one job may start too soon.
  await setRamp(partitions, ramp);
  // Before: somebody may pause it again at once, with another reason.
  await first.client.hdel(first.keys.own("control"), "reason", "note", "by", "since");
  await withBullmq(partitions, (queue) => queue.resume());
}

/**
 * @param override undefined: the declared limits count again
 * @param seen since when limits by hand counted
 * @returns whether it was so: if not, nothing is changed
 */
export async function overrideLimits(
  partitions: Partitions,
  override: Override | undefined,
  seen?: SeenSince,
): Promise<boolean> {
  const [{ client, keys }] = partitions;
  const { declared } = await readControl(partitions);
  const record = override === undefined ? "" : JSON.stringify(override);
  const isSet = (await setOverride.run(client, [keys.own("control")], [record, sinceArgument(seen)])) === 1;
  if (isSet) await applyLimits(partitions, declared, override);
  return isSet;
}

/** Before a queue is divided: its new partitions are paused as the others, and share its limits. */
export async function carryControl(before: Partitions, after: Partitions): Promise<void> {
  const { pause, limits, ramp } = await readControl(before);
  for (const { type, key, ...curb } of await readCurbs(before))
    await setCurb(after, type === null ? { key: key ?? "" } : { type }, curb);
  const known = new Set(before.map(({ queue }) => queue));
  if (limits.concurrency !== undefined || limits.rate !== undefined) await applyLimits(after, limits);
  if (ramp !== undefined) await setRamp(after, ramp);
  if (pause === undefined) return;
  const added = after.filter(({ queue }) => !known.has(queue));
  await withBullmq(added, (queue) => queue.pause());
}
