import { decryptedOrWhyNot } from "../../core/bullmq/readable.ts";
import type { QueueStores } from "../../core/bullmq/store/queue-store.ts";
import { reasonAssociatedData } from "../../core/job/associated-data.ts";
import { HoldfastError } from "../../platform/errors/holdfast-error.ts";
import { isoTime } from "../../platform/lib/iso-time.ts";
import { redisNow } from "../../platform/redis/fitness/clock.ts";
import { inTime } from "../../platform/redis/redis-errors.ts";
import { integer } from "../../platform/redis/reply-shape.ts";
import { loadScript } from "../../platform/redis/script.ts";

const script = loadScript(import.meta.url, "change-pauses.lua", integer);

/** When schedules are or were paused, by whom and why. */
export function schedulePausesKey(prefix: string): string {
  return `${prefix}:schedule-pauses`;
}

/** A time in which a schedule's ticks are skipped. Instants are milliseconds since 1970 by Redis's clock. */
export interface SchedulePause {
  readonly reason: string;
  readonly by: string;
  readonly since: number;
  /** When it ends, or ended; undefined where somebody must end it. */
  readonly until?: number;
}

export interface NewPause extends Pick<SchedulePause, "reason" | "by"> {
  readonly until?: number | undefined;
}

export type SchedulePauses = ReturnType<typeof openSchedulePauses>;

/**
 * The pauses of all schedules. Ended ones are kept as long as keys: no tick of theirs may be caught up. Each call fails with
 * `STORE_UNAVAILABLE` if Redis does not answer in time.
 */
export function openSchedulePauses(
  { client, codec }: Pick<QueueStores, "client"> & Partial<Pick<QueueStores, "codec">>,
  prefix: string,
  retentionMs: number,
) {
  const key = schedulePausesKey(prefix);
  const { written, readPause } = pauseCodec(codec);

  async function readAll() {
    const all = new Map<string, SchedulePause[]>();
    for (const [field, json] of Object.entries(await client.hgetall(key))) {
      const name = field.slice(0, field.indexOf(":"));
      all.set(name, [...(all.get(name) ?? []), readPause(field, json)]);
    }
    return all;
  }

  const read = async (name: string) => (await readAll()).get(name) ?? [];

  /** @param decide called again if somebody else has changed them meanwhile */
  async function change(...[name, decide]: Parameters<Changing>): Promise<void> {
    const start = `${name}:`;
    for (let isWritten = false; !isWritten; ) {
      const now = Math.floor(await redisNow(client));
      const stored = Object.entries(await client.hgetall(key)).filter(([field]) => field.startsWith(start));
      const pauses = stored.map(([field, json]) => readPause(field, json));
      const { write = [], remove = [] } = decide(now, pauses);
      const old = pauses.filter(({ until = now }) => until < now - retentionMs);
      const lists = [
        stored.flat(),
        write.flatMap((pause) => [fieldOf(name, pause), written(name, pause)]),
        [...remove, ...old].map((pause) => fieldOf(name, pause)),
      ];
      isWritten =
        (await script.run(client, [key], [start, ...lists.map((list) => JSON.stringify(list))])) === 1;
    }
  }

  return {
    of: (name: string) => inTime(read(name)),
    /** Those of all schedules, by name, also of schedules that are gone. */
    all: () => inTime(readAll()),
    ...openActs(change),
  };
}

/** What people do to pauses. */
function openActs(change: Changing) {
  return {
    /**
     * A pause that lasts already gets the new reason and end.
     *
     * @param pause `until`: without it, until somebody resumes it
     * @param seen since when the pause that somebody has seen lasts, ISO 8601; null: there was none @default whatever it is
     * @throws HoldfastError `CHANGED_MEANWHILE`
     */
    pause: (name: string, { reason, by, until }: NewPause, seen?: string | null) =>
      inTime(
        change(name, (now, pauses) => {
          const known = requireSeen(name, lasting(pauses, now), seen);
          const since = known?.since ?? now;
          return { write: [{ reason, by, since, ...(until === undefined ? {} : { until }) }] };
        }),
      ),
    /** @param seen as for `pause` @throws HoldfastError `CHANGED_MEANWHILE` */
    resume: (name: string, seen?: string | null) =>
      inTime(
        change(name, (now, pauses) => {
          requireSeen(name, lasting(pauses, now), seen);
          const open = pauses.filter((pause) => lastsAt(pause, now));
          return { write: open.map((pause) => ({ ...pause, until: now })) };
        }),
      ),
    /**
     * Skips one tick that is not due yet.
     *
     * @param wasSkipped as somebody has seen it @default whatever it is
     * @throws HoldfastError `CHANGED_MEANWHILE`
     */
    skip: (name: string, at: number, { reason, by }: NewPause, wasSkipped?: boolean) =>
      inTime(
        change(name, (_now, pauses) => {
          requireSkip(name, skipOf(pauses, at), wasSkipped);
          return { write: [{ reason, by, since: at, until: at + SKIP_MS }] };
        }),
      ),
    /** Takes that back. @param wasSkipped as for `skip` @throws HoldfastError `CHANGED_MEANWHILE` */
    unskip: (name: string, at: number, wasSkipped?: boolean) =>
      inTime(
        change(name, (_now, pauses) => {
          const skip = skipOf(pauses, at);
          requireSkip(name, skip, wasSkipped);
          return { remove: skip === undefined ? [] : [skip] };
        }),
      ),
  };
}

type Changing = (
  name: string,
  decide: (now: number, pauses: readonly SchedulePause[]) => Change,
) => Promise<void>;

interface Change {
  readonly write?: readonly SchedulePause[];
  readonly remove?: readonly SchedulePause[];
}

function skipOf(pauses: readonly SchedulePause[], at: number): SchedulePause | undefined {
  return pauses.find((pause) => isSkip(pause) && pause.since === at);
}

function requireSeen(
  name: string,
  found: SchedulePause | undefined,
  seen: string | null | undefined,
): SchedulePause | undefined {
  if (seen === undefined || (found === undefined ? seen === null : found.since === Date.parse(seen ?? "")))
    return found;
  throw changed(found === undefined ? `${name} is not paused any more` : `${name} is ${pauseText(found)}`);
}

function requireSkip(name: string, found: SchedulePause | undefined, wasSkipped: boolean | undefined): void {
  if (wasSkipped === undefined || wasSkipped === (found !== undefined)) return;
  throw changed(found === undefined ? `That tick of ${name} runs` : `${name} was ${pauseText(found)}`);
}

function changed(now: string): HoldfastError {
  return new HoldfastError("CHANGED_MEANWHILE", `Schedule ${now}. Nothing was done`);
}

/** A schedule's name has no colon. */
const fieldOf = (name: string, { since }: SchedulePause) => `${name}:${since}`;

/** How a pause is written, its reason encrypted where there are keys. */
function pauseCodec(codec: QueueStores["codec"] | undefined) {
  return {
    written(name: string, pause: SchedulePause): string {
      if (codec === undefined) return JSON.stringify(pause);
      const coded = codec.encrypt(pause.reason, reasonAssociatedData(`schedule ${fieldOf(name, pause)}`));
      return JSON.stringify({ ...pause, reason: "", coded });
    },
    readPause(field: string, json: string): SchedulePause {
      const { coded, ...pause }: SchedulePause & { readonly coded?: string } = JSON.parse(json);
      // An earlier version wrote a plain reason.
      if (coded === undefined || codec === undefined) return pause;
      const associatedData = reasonAssociatedData(`schedule ${field}`);
      return { ...pause, reason: decryptedOrWhyNot(() => codec.decrypt(coded, associatedData)) };
    },
  };
}

/** A skip is the pause of an instant: one tick falls into it. */
const SKIP_MS = 1;
const isSkip = ({ since, until }: SchedulePause) => until === since + SKIP_MS;

function lastsAt({ since, until = Number.POSITIVE_INFINITY }: SchedulePause, now: number): boolean {
  return since <= now && now < until;
}

/** The pause that lasts now. @param now milliseconds since 1970 */
export function lasting(
  pauses: readonly SchedulePause[] | undefined,
  now: number,
): SchedulePause | undefined {
  return pauses?.find((pause) => !isSkip(pause) && lastsAt(pause, now));
}

/** Ticks that are not due yet and will be skipped, the earliest first. */
export function skipsAhead(pauses: readonly SchedulePause[], now: number): SchedulePause[] {
  return pauses.filter((pause) => isSkip(pause) && pause.since > now).sort((a, b) => a.since - b.since);
}

/** The pause that a tick falls into. */
export function pauseAt(pauses: readonly SchedulePause[], at: number): SchedulePause | undefined {
  return pauses.find(({ since, until = Number.POSITIVE_INFINITY }) => since <= at && at < until);
}

/** Who paused a schedule, when and why, as part of a sentence. */
export function pauseText(pause: SchedulePause): string {
  const { reason, by, since, until } = pause;
  if (isSkip(pause)) return `told to skip it by ${by}: ${reason}`;
  const span = until === undefined ? "" : ` until ${isoTime(until)}`;
  return `paused by ${by} since ${isoTime(since)}${span}: ${reason}`;
}
