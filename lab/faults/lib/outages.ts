import { setTimeout as sleep } from "node:timers/promises";
import type { RedisServer } from "../../../test/support/redis-server.ts";

/** A time span in which Redis was down. */
export interface Outage {
  readonly from: number;
  readonly to: number;
}

/** Takes Redis down, and remembers when. */
export interface Outages {
  readonly all: readonly Outage[];
  /** Counts the time of `work` as an outage. */
  during<T>(work: () => Promise<T>): Promise<T>;
  /** Kills Redis and restarts it after `forMs`. Concurrent calls share one kill. @returns when it answers */
  kill(forMs?: number, onDead?: () => void): Promise<Outage>;
  /** Pauses Redis: it accepts connections and never answers. @returns when it goes on, in milliseconds since 1970 */
  pause(forMs: number): Promise<number>;
}

export function createOutages(store: RedisServer): Outages {
  const all: Outage[] = [];
  let killing: Promise<Outage> | undefined;
  const killOnce = async (forMs: number, onDead: () => void) => {
    const from = Date.now();
    await store.kill();
    onDead();
    await sleep(forMs);
    await store.restart();
    const outage = { from, to: Date.now() };
    all.push(outage);
    return outage;
  };
  const during = async <T>(work: () => Promise<T>) => {
    const from = Date.now();
    try {
      return await work();
    } finally {
      all.push({ from, to: Date.now() });
    }
  };
  return {
    all,
    during,
    kill(forMs = 0, onDead = () => {}) {
      killing ??= killOnce(forMs, onDead).finally(() => {
        killing = undefined;
      });
      return killing;
    },
    async pause(forMs) {
      await during(async () => {
        process.kill(store.pid, "SIGSTOP");
        await sleep(forMs);
        process.kill(store.pid, "SIGCONT");
      });
      return Date.now();
    },
  };
}
