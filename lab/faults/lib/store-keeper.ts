import { setTimeout as sleep } from "node:timers/promises";
import type { RedisServer } from "../../../test/support/redis-server.ts";

/** Restarts Redis whenever it has exited, as a supervisor would. */
export interface StoreKeeper {
  /** How many restarts there were. */
  readonly restarts: number;
  /** Stops watching; restarts it once more if it is down. */
  stop(): Promise<void>;
}

const LOOK_MS = 100;

export function keepStoreRunning(store: RedisServer): StoreKeeper {
  let restarts = 0;
  let isOver = false;
  const startAgain = async () => {
    if (isAlive(store.pid)) return;
    // If it cannot start yet, for example on a full disk, try again later.
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
