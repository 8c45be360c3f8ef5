import { jobStateLua, leaseLua } from "../queue/includes.ts";
import type { QueueStore } from "../queue/queue-store.ts";
import { nowLua } from "../redis/includes.ts";
import { loadScript } from "../redis/script.ts";
import { entriesLua, ledgerLua } from "./includes.ts";

/** One run of an effect, and where it ran. */
export interface UnreportedReservation {
  /** As the ledger names it. */
  readonly effect: string;
  readonly owner: string;
  readonly jobId: string;
  readonly start: number;
  readonly worker: string;
}

/**
 * The effects of one queue that this process has reserved, and of which the store has not taken an end yet.
 *
 * While the store keeps what it has acknowledged they stand in its ledgers. When it has lost something, only this process
 * knows that they may have happened.
 */
export interface UnreportedEffects {
  lease(dedupKey: string, reservation: UnreportedReservation): void;
  /** The store knows how it ended. */
  drop(owner: string): void;
  /** Writes each of them into the store as in doubt, where the ledger does not tell more. */
  putInDoubt(): Promise<void>;
}

const REASON = "the store has lost what it knew of it while its worker was in the middle";

const script = loadScript(
  import.meta.url,
  "doubt-forgotten.lua",
  nowLua,
  jobStateLua,
  leaseLua,
  ledgerLua,
  entriesLua,
);

export function createUnreportedEffects({ client, keys }: QueueStore): UnreportedEffects {
  const held = new Map<string, { readonly dedupKey: string; readonly reservation: UnreportedReservation }>();
  return {
    lease: (dedupKey, reservation) => void held.set(reservation.owner, { dedupKey, reservation }),
    drop: (owner) => void held.delete(owner),
    async putInDoubt() {
      const written = [...held.values()].map(({ dedupKey, reservation }) => {
        const { effect, owner, jobId, start, worker } = reservation;
        const used = [keys.ledger(dedupKey), keys.doubts, keys.joinedJobs];
        return script.run(client, used, [effect, owner, REASON, dedupKey, jobId, start, worker, keys.start]);
      });
      await Promise.all(written);
    },
  };
}
