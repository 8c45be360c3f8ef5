import { decryptedOrWhyNot } from "../../core/bullmq/readable.ts";
import type { QueueStores } from "../../core/bullmq/store/queue-store.ts";
import { reasonAssociatedData } from "../../core/job/associated-data.ts";
import { isoTime } from "../../platform/lib/iso-time.ts";
import { redisNow } from "../../platform/redis/fitness/clock.ts";
import { inTime } from "../../platform/redis/redis-errors.ts";

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

  /** @param changed returns what to write, of those that last */
  async function change(
    name: string,
    changed: (now: number, open: readonly SchedulePause[]) => readonly SchedulePause[],
  ): Promise<void> {
    const now = Math.floor(await redisNow(client));
    const pauses = await read(name);
    for (const pause of changed(
      now,
      pauses.filter((pause) => lastsAt(pause, now)),
    ))
      await client.hset(key, { [fieldOf(name, pause)]: written(name, pause) });
    const old = pauses.filter(({ until = now }) => until < now - retentionMs);
    if (old.length > 0) await client.hdel(key, ...old.map((pause) => fieldOf(name, pause)));
  }

  return {
    of: (name: string) => inTime(read(name)),
    /** Those of all schedules, by name, also of schedules that are gone. */
    all: () => inTime(readAll()),
    /** A pause that lasts already gets the new reason and end. @param until without it: until somebody resumes it */
    pause: (name: string, { reason, by, until }: NewPause) =>
      inTime(
        change(name, (now, [known]) => [
          { reason, by, since: known?.since ?? now, ...(until === undefined ? {} : { until }) },
        ]),
      ),
    resume: (name: string) =>
      inTime(change(name, (now, open) => open.map((pause) => ({ ...pause, until: now })))),
    /** Skips one tick that is not due yet. */
    skip: (name: string, at: number, { reason, by }: Pick<SchedulePause, "reason" | "by">) =>
      inTime(change(name, () => [{ reason, by, since: at, until: at + SKIP_MS }])),
    /** Takes that back. */
    async unskip(name: string, at: number): Promise<void> {
      const skip = (await inTime(read(name))).find((pause) => isSkip(pause) && pause.since === at);
      if (skip !== undefined) await inTime(client.hdel(key, fieldOf(name, skip)));
    },
  };
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
