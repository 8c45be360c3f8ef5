import { setTimeout as sleep } from "node:timers/promises";

const AGAIN_MS = 100;
/** A busy machine takes long. */
const GIVE_UP_MS = 180_000;

/** Repeats a call of the laboratory's own while Redis is too slow to answer it: only an experiment's faults may decide it. */
export async function patiently<T>(call: () => Promise<T>): Promise<T> {
  const giveUpAt = performance.now() + GIVE_UP_MS;
  for (;;) {
    try {
      return await call();
    } catch (error) {
      if (!isRetryable(error) || performance.now() > giveUpAt) throw error;
      await sleep(AGAIN_MS);
    }
  }
}

/** The error is of a copy's own class, so `instanceof` does not work; or ioredis's own, where a server of a cluster is gone. */
function isRetryable(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  return ("retryable" in error && error.retryable === true) || error.message === "Connection is closed.";
}
