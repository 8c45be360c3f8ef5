import { setTimeout as sleep } from "node:timers/promises";
import type { RedisServer } from "../../test/support/redis-server.ts";

/** Starts a store again whenever it has ended by itself, as a supervisor would. */
export interface StoreKeeper {
  /** How often it had to. */
  readonly restarts: number;
  /** Lets the store be; where it is down just now it is started once more. */
  stop(): Promise<void>;
}

const LOOK_MS = 100;

export function keepStoreRunning(store: RedisServer): StoreKeeper {
  let restarts = 0;
  let isOver = false;
  const startAgain = async () => {
    if (isAlive(store.pid)) return;
    // One that cannot start yet, e.g. for want of space, is tried again.
    await store.restart().then(
      () => {
        restarts += 1;
      },
      () => {},
    );
  };
  const keeping = (async () => {
    while (!isOver) {
      await startAgain();
      await sleep(LOOK_MS);
    }
  })();
  return {
    get restarts() {
      return restarts;
    },
    async stop() {
      isOver = true;
      await keeping;
      await startAgain();
    },
  };
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
