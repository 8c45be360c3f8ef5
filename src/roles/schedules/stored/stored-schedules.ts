import type { QueueStores } from "../../../core/bullmq/store/queue-store.ts";
import type { Application } from "../../../core/job/application.ts";
import { INTERNAL_QUEUE } from "../../../core/job/internal-queue.ts";
import type { Settings } from "../../../platform/config/settings.ts";
import { HoldfastError } from "../../../platform/errors/holdfast-error.ts";
import { inTime } from "../../../platform/redis/redis-errors.ts";
import {
  begins,
  integer,
  listOf,
  okReply,
  pairsOf,
  text,
  tuple,
} from "../../../platform/redis/reply-shape.ts";
import { loadScript } from "../../../platform/redis/script.ts";
import type { RuntimeScheduleDefinition } from "../definition.ts";
import { GRACE_MS } from "../tick-jobs.ts";
import {
  associatedDataOf,
  forgettable,
  inForce,
  type StoredSchedule,
  says,
  storedScheduleOf,
} from "./stored-schedule.ts";

const dueScript = loadScript(
  import.meta.url,
  "due-schedules.lua",
  begins([text, text], tuple(text, listOf(text))),
);
const advanceScript = loadScript(import.meta.url, "advance-schedules.lua", okReply);
const putScript = loadScript(import.meta.url, "put-schedule.lua", integer);

/** The version in force that somebody has seen; null: there was none. */
type SeenVersion = number | null;

export type StoredSchedules = ReturnType<typeof openStoredSchedules>;

/** The schedules that were put at run time. What schedulers call fails with `STORE_UNAVAILABLE` if Redis does not answer in time. */
export function openStoredSchedules(
  stores: QueueStores,
  application: Application,
  { HOLDFAST_PREFIX: prefix, HOLDFAST_RETENTION_MS: retentionMs }: Settings,
) {
  const { client } = stores;
  const { codec } = stores.of(INTERNAL_QUEUE);
  const readWith = { application, codec };
  // The same slot for all; no queue has such a name.
  const keyOf = (name: string) => `${prefix}:{stored_schedules}:${name}`;
  const [index, names, hashStart] = [keyOf("due"), keyOf("names"), keyOf("of:")];

  const read = async (name: string) => storedScheduleOf(name, await client.hgetall(`${hashStart}${name}`));

  /** Makes a new version, unless the one in force says the same. @param definition undefined to delete it @throws HoldfastError `CHANGED_MEANWHILE` */
  async function put(name: string, definition: RuntimeScheduleDefinition | undefined, seen?: SeenVersion) {
    for (let isWritten = false; !isWritten; ) {
      const stored = await read(name);
      requireVersion(stored, seen);
      if (says(stored, definition, readWith)) return;
      const data = associatedDataOf(name, stored.version + 1);
      const text = definition === undefined ? "" : codec.encrypt(JSON.stringify(definition), data);
      const args = [name, stored.version, text, retentionMs, ...forgettable(stored, readWith, retentionMs)];
      isWritten = (await putScript.run(client, [index, names, `${hashStart}${name}`], args)) === 1;
    }
  }

  return {
    ...readWith,
    read,
    /** In order of their names, those after `after`. */
    async list({ prefix, after, limit }: { prefix: string; after: string | undefined; limit: number }) {
      const first = after !== undefined && after >= prefix ? `(${after}` : `[${prefix}`;
      const found = await client.zrange(names, first, `[${prefix}\xff`, "BYLEX", "LIMIT", 0, limit);
      const next = found.length < limit ? undefined : found.at(-1);
      return { found: await Promise.all(found.map(read)), next };
    },
    put,
    delete: (name: string, seen?: SeenVersion) => put(name, undefined, seen),
    /** Reads those to look at, the most urgent first; and when the next one is to be looked at, Infinity for never. */
    due: async (limit: number) => dueOf(await inTime(dueScript.run(client, [index], [limit, hashStart]))),
    async advance(advances: readonly Advance[]) {
      if (advances.length === 0) return;
      await inTime(advanceScript.run(client, [index], [hashStart, ...advances.flatMap(argsOf)]));
    },
    /** How many no scheduler has looked at for a minute, and the name of the most urgent. @param now by Redis's clock */
    async overdue(now: number) {
      const late = client.zcount(index, "-inf", Math.floor(now) - GRACE_MS);
      const [count, [first]] = await inTime(Promise.all([late, client.zrange(index, "0", "0")]));
      return { count, first: count > 0 ? first : undefined };
    },
  };
}

function requireVersion(stored: StoredSchedule, seen: SeenVersion | undefined): void {
  const now = inForce(stored)?.version ?? null;
  if (seen === undefined || now === seen) return;
  const is = now === null ? "is deleted" : `has version ${now} meanwhile`;
  throw new HoldfastError("CHANGED_MEANWHILE", `Schedule ${stored.name} ${is}. Nothing was done`);
}

function dueOf([now, nextAt, ...found]: Awaited<ReturnType<typeof dueScript.run>>) {
  const schedules = found.map(([name, hash]) => storedScheduleOf(name, Object.fromEntries(pairsOf(hash))));
  return { now: Number(now), nextAt: Number(nextAt || Number.POSITIVE_INFINITY), found: schedules };
}

/** How far a scheduler has come, and when to look again: in milliseconds since 1970, Infinity for never. */
type Advance = { readonly from: StoredSchedule; readonly done: number; readonly lookAt: number };

function argsOf({ from: { name, version, done: before }, done, lookAt }: Advance) {
  const known = version > 0 ? [version, before] : ["", ""];
  return [name, ...known, done, Number.isFinite(lookAt) ? lookAt : ""];
}
