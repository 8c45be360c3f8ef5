import { AsyncLocalStorage } from "node:async_hooks";
import { setTimeout as sleep } from "node:timers/promises";
import type { OutgoingRecord } from "./outgoing-record.ts";
import { refuseUnfinished } from "./unfinished.ts";

/** Which effect the running code belongs to, and what that effect is seen to send. */
export interface EffectScope {
  /** Of its run. */
  readonly reservationId: string;
  readonly record: OutgoingRecord;
  readonly outer: EffectScope | undefined;
}

const scopes = new AsyncLocalStorage<EffectScope>();
let running = 0;

/** A library may connect by a timer a moment after it was called, as `postgres` does. */
const SETTLES_MS = 20;

/**
 * Runs an effect's function in a scope of its own. After an error the scope stays open for a moment: what was called beside the call that failed
 * may only then leave. A result with something unfinished in it is an error, too.
 *
 * The storage works only while some effect runs: on Node.js 20 and 22 it slows every promise of the process (row `work-effect`).
 */
export async function inScope<T>(
  reservationId: string,
  record: OutgoingRecord,
  work: () => Promise<T>,
): Promise<T> {
  const scope = { reservationId, record, outer: currentScope() };
  running += 1;
  try {
    // Some libraries send only once somebody waits: what they return is no promise yet, and is asked for its result in here.
    const result = await scopes.run(scope, () => Promise.resolve(work()));
    const refused = refuseUnfinished(result);
    if (refused !== undefined) await refused;
    return result;
  } catch (error) {
    await sleep(SETTLES_MS);
    throw error;
  } finally {
    record.isRunning = false;
    running -= 1;
    if (running === 0) scopes.disable();
  }
}

/** The scope of the code that calls this; undefined outside of all effects. */
function currentScope(): EffectScope | undefined {
  return running === 0 ? undefined : scopes.getStore();
}

/** The record of the effect that calls this; undefined outside of all effects, and in what one has left behind. */
export function currentRecord(): OutgoingRecord | undefined {
  const record = currentScope()?.record;
  return record?.isRunning === true ? record : undefined;
}

/** Whether the code that calls this is inside of that run of an effect. */
export function isInside(reservationId: string): boolean {
  for (let scope = currentScope(); scope !== undefined; scope = scope.outer) {
    if (scope.reservationId === reservationId) return true;
  }
  return false;
}
