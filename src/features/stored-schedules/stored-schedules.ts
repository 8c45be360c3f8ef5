import type { QueueStores } from "../../core/bullmq/store/queue-store.ts";
import type { Application } from "../../core/job/define-config.ts";
import { INTERNAL_QUEUE } from "../../core/job/internal-queue.ts";
import type { Settings } from "../../platform/config/settings.ts";
import { canonicalJson } from "../../platform/lib/canonical-json.ts";
import type { RedisConnection } from "../../platform/redis/connection.ts";
import { inTime } from "../../platform/redis/redis-errors.ts";
import { loadScript } from "../../platform/redis/script.ts";
import { GRACE_MS } from "../schedules/tick-jobs.ts";
import type { RuntimeScheduleDefinition } from "./definition.ts";
import {
  associatedDataOf,
  definitionOf,
  inForce,
  type ReadWith,
  type StoredSchedule,
  storedScheduleOf,
  versionsOf,
} from "./stored-schedule.ts";

const dueScript = loadScript(import.meta.url, "due-schedules.lua");
const advanceScript = loadScript(import.meta.url, "advance-schedules.lua");
const putScript = loadScript(import.meta.url, "put-schedule.lua");

/** Schedules that are to be looked at. Instants are milliseconds since 1970, by Redis's clock. */
export interface DueSchedules {
  readonly now: number;
  /** When the next one is to be looked at; Infinity for never. */
  readonly nextAt: number;
  readonly found: readonly StoredSchedule[];
}

/** How far a scheduler has come with a schedule. */
export interface Advance {
  readonly from: StoredSchedule;
  readonly done: number;
  /** When to look at it again; undefined for never. */
  readonly lookAt: number | undefined;
}

/** Which schedules to list. */
export interface ListedNames {
  readonly prefix: string;
  /** Those after this name. */
  readonly after: string | undefined;
  readonly limit: number;
}

/** In order of their names. */
export interface ListedPage {
  readonly found: readonly StoredSchedule[];
  /** After which name the next page begins; undefined on the last one. */
  readonly next: string | undefined;
}

/** The schedules that were put at run time. Each call fails with `STORE_UNAVAILABLE` if Redis does not answer in time. */
export interface StoredSchedules extends ReadWith {
  read(name: string): Promise<StoredSchedule>;
  list(names: ListedNames): Promise<ListedPage>;
  /** @returns the new version, or the one in force if it says the same */
  put(name: string, definition: RuntimeScheduleDefinition): Promise<StoredSchedule>;
  /** @returns whether it was there */
  delete(name: string): Promise<boolean>;
  /** Reads those to look at, the most urgent first. */
  due(limit: number): Promise<DueSchedules>;
  advance(advances: readonly Advance[]): Promise<void>;
  /** How many no scheduler has looked at for a minute, and the name of the most urgent. @param now by Redis's clock */
  overdue(now: number): Promise<{ readonly count: number; readonly first: string | undefined }>;
}

/** The same slot for all; no queue has such a name. */
const TAG = "{stored_schedules}";

/** As many versions as people look back at are kept for them. */
const VERSIONS_KEPT = 20;

type StoreSettings = Pick<Settings, "HOLDFAST_PREFIX" | "HOLDFAST_RETENTION_MS">;

/** What a store of schedules works with. */
interface Store extends ReadWith {
  readonly client: RedisConnection;
  readonly retentionMs: number;
  readonly index: string;
  readonly names: string;
  readonly hashStart: string;
}

export function openStoredSchedules(
  stores: QueueStores,
  application: Application,
  { HOLDFAST_PREFIX: prefix, HOLDFAST_RETENTION_MS: retentionMs }: StoreSettings,
): StoredSchedules {
  const { client } = stores;
  const { codec } = stores.of(INTERNAL_QUEUE);
  const [index, names, hashStart] = ["due", "names", "of:"].map((name) => `${prefix}:${TAG}:${name}`) as [
    string,
    string,
    string,
  ];
  const store = { application, codec, client, retentionMs, index, names, hashStart };
  return {
    application,
    codec,
    read: (name) => inTime(read(store, name)),
    list: (wanted) => inTime(list(store, wanted)),
    put: (name, definition) => inTime(put(store, name, definition)),
    delete: (name) => inTime(remove(store, name)),
    due: async (limit) => dueOf(await inTime(dueScript.run(client, [index], [limit, hashStart]))),
    async advance(advances) {
      if (advances.length === 0) return;
      const args = advances.flatMap(({ from, done, lookAt }) => {
        const isKnown = from.version > 0;
        return [from.name, isKnown ? from.version : "", isKnown ? from.done : "", done, lookAt ?? ""];
      });
      await inTime(advanceScript.run(client, [index], [hashStart, ...args]));
    },
    async overdue(now) {
      const until = Math.floor(now) - GRACE_MS;
      const [count, [first]] = await inTime(
        Promise.all([client.zcount(index, "-inf", until), client.zrange(index, "0", "0")]),
      );
      return { count, first: count > 0 ? first : undefined };
    },
  };
}

async function read({ client, hashStart }: Store, name: string): Promise<StoredSchedule> {
  return storedScheduleOf(name, await client.hgetall(`${hashStart}${name}`));
}

async function list(store: Store, { prefix, after, limit }: ListedNames): Promise<ListedPage> {
  const first = after !== undefined && after >= prefix ? `(${after}` : `[${prefix}`;
  const found = await store.client.zrange(store.names, first, `[${prefix}\xff`, "BYLEX", "LIMIT", 0, limit);
  return {
    found: await Promise.all(found.map((name) => read(store, name))),
    next: found.length < limit ? undefined : found.at(-1),
  };
}

async function put(
  store: Store,
  name: string,
  definition: RuntimeScheduleDefinition,
): Promise<StoredSchedule> {
  for (;;) {
    const stored = await read(store, name);
    if (isSame(store, stored, definition)) return stored;
    const data = associatedDataOf(name, stored.version + 1);
    const isWritten = await write(store, stored, store.codec.encrypt(JSON.stringify(definition), data));
    if (isWritten) return await read(store, name);
  }
}

async function remove(store: Store, name: string): Promise<boolean> {
  for (;;) {
    const stored = await read(store, name);
    if (inForce(stored) === undefined) return false;
    if (await write(store, stored, "")) return true;
  }
}

/** @returns whether it had no newer version than was read */
async function write(store: Store, stored: StoredSchedule, definition: string): Promise<boolean> {
  const { client, index, names, hashStart, retentionMs } = store;
  const { name, version } = stored;
  const args = [name, version, definition, retentionMs, ...forgettable(store, stored)];
  return (await putScript.run(client, [index, names, `${hashStart}${name}`], args)) === 1;
}

/** Versions whose ticks are submitted, and neither recent nor remembered. */
function forgettable(store: Store, stored: StoredSchedule): number[] {
  const past = stored.versions.filter(({ until }) => until <= stored.done);
  const oldest = stored.done - store.retentionMs;
  const recent = past.slice(-VERSIONS_KEPT).map(({ version }) => version);
  const ticked = versionsOf(stored, store)
    .filter(({ schedule: { timetable } }) => (timetable.latest(1, stored.done)[0] ?? 0) > oldest)
    .map(({ schedule }) => schedule.stored?.version);
  return past
    .map(({ version }) => version)
    .filter((version) => !(recent.includes(version) && ticked.includes(version)));
}

function isSame(store: Store, stored: StoredSchedule, definition: RuntimeScheduleDefinition): boolean {
  const current = inForce(stored);
  if (current === undefined || !store.codec.isCurrent(current.definition)) return false;
  const [one, other] = [definitionOf(stored.name, current, store), definition].map(canonicalJson);
  return one?.kind === "json" && other?.kind === "json" && one.text === other.text;
}

function dueOf(reply: unknown): DueSchedules {
  const [now, nextAt, ...rest] = reply as [string, string, ...(string | string[])[]];
  const found: StoredSchedule[] = [];
  for (let at = 0; at < rest.length; at += 2) {
    const fields = rest[at + 1] as string[];
    const pairs = fields.flatMap((field, place) =>
      place % 2 === 0 ? [[field, fields[place + 1] ?? ""]] : [],
    );
    found.push(storedScheduleOf(rest[at] as string, Object.fromEntries(pairs)));
  }
  return { now: Number(now), nextAt: nextAt === "" ? Number.POSITIVE_INFINITY : Number(nextAt), found };
}
