import { setImmediate } from "node:timers/promises";

/** For how long others wait at most, in milliseconds. */
const TURN_MS = 10;

/** Computes something that takes milliseconds, after what was asked for before. */
export type Compute = <T>(work: () => T) => Promise<T>;

/** Computes one after the other, and lets others have their turn of the event loop in between. */
export function computeInTurns(turnMs = TURN_MS): Compute {
  let last: Promise<unknown> = Promise.resolve();
  let begunAt = performance.now();

  async function step<T>(work: () => T): Promise<T> {
    if (performance.now() - begunAt >= turnMs) {
      await setImmediate();
      begunAt = performance.now();
    }
    return work();
  }

  return (work) => {
    const result = last.then(() => step(work));
    last = result.catch(() => {});
    return result;
  };
}
