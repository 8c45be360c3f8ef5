import { isoTime } from "../../platform/lib/iso-time.ts";
import type { RedisConnection } from "../../platform/redis/connection.ts";
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
  /** Undefined while it lasts. */
  readonly until?: number;
}

/** The pauses of all schedules. Ended ones are kept as long as keys: no tick of theirs may be caught up. */
export interface SchedulePauses {
  of(name: string): Promise<SchedulePause[]>;
  /** Reads those of all schedules at once. @returns those of one of them */
  all(): Promise<(name: string) => SchedulePause[]>;
  /** A pause that lasts already gets the new reason. */
  pause(name: string, act: { readonly reason: string; readonly by: string }): Promise<void>;
  resume(name: string): Promise<void>;
}

/** Each call fails with `STORE_UNAVAILABLE` if Redis does not answer in time. */
export function openSchedulePauses(
  redis: { readonly client: RedisConnection },
  prefix: string,
  retentionMs: number,
): SchedulePauses {
  const key = schedulePausesKey(prefix);
  // A schedule's name has no colon.
  const fieldOf = (name: string, { since }: SchedulePause) => `${name}:${since}`;

  async function readAll(): Promise<(name: string) => SchedulePause[]> {
    const all = new Map<string, SchedulePause[]>();
    for (const [field, json] of Object.entries(await redis.client.hgetall(key))) {
      const name = field.slice(0, field.indexOf(":"));
      const pause = JSON.parse(json) as SchedulePause;
      all.set(name, [...(all.get(name) ?? []), pause]);
    }
    return (name) => all.get(name) ?? [];
  }

  const read = async (name: string) => (await readAll())(name);

  const write = (name: string, pause: SchedulePause) =>
    redis.client.hset(key, { [fieldOf(name, pause)]: JSON.stringify(pause) });

  async function forget(name: string, pauses: readonly SchedulePause[], now: number): Promise<void> {
    const old = pauses.filter(({ until = now }) => until < now - retentionMs);
    if (old.length > 0) await redis.client.hdel(key, ...old.map((pause) => fieldOf(name, pause)));
  }

  async function act(change: (now: number) => Promise<void>): Promise<void> {
    await inTime(redisNow(redis.client).then((now) => change(Math.floor(now))));
  }

  return {
    of: (name) => inTime(read(name)),
    all: () => inTime(readAll()),
    pause: (name, { reason, by }) =>
      act(async (now) => {
        const pauses = await read(name);
        const { since } = lasting(pauses) ?? { since: now };
        await write(name, { reason, by, since });
        await forget(name, pauses, now);
      }),
    resume: (name) =>
      act(async (now) => {
        const pauses = await read(name);
        const open = pauses.filter(({ until }) => until === undefined);
        await Promise.all(open.map((pause) => write(name, { ...pause, until: now })));
        await forget(name, pauses, now);
      }),
  };
}

export function lasting(pauses: readonly SchedulePause[]): SchedulePause | undefined {
  return pauses.find(({ until }) => until === undefined);
}

/** The pause that a tick falls into. */
export function pauseAt(pauses: readonly SchedulePause[], at: number): SchedulePause | undefined {
  return pauses.find(({ since, until = Number.POSITIVE_INFINITY }) => since <= at && at < until);
}

/** Who paused a schedule, when and why, as part of a sentence. */
export function pauseText({ reason, by, since, until }: SchedulePause): string {
  const span = until === undefined ? "" : ` until ${isoTime(until)}`;
  return `paused by ${by} since ${isoTime(since)}${span}: ${reason}`;
}
