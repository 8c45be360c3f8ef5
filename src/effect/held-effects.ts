import type { StoreClient } from "../store/client.ts";
import { doubtsKey, joinedJobsKey, ledgerKey, queueKey } from "../store/keys.ts";
import { loadScript } from "../store/script.ts";

/** One run of an effect, and where it ran. */
export interface HeldReservation {
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
export interface HeldEffects {
  hold(claim: string, reservation: HeldReservation): void;
  /** The store knows how it ended. */
  drop(owner: string): void;
  /** Writes each of them into the store as in doubt, where the ledger does not tell more. */
  putInDoubt(): Promise<void>;
}

const REASON = "the store has lost what it knew of it while its worker was in the middle";

const script = loadScript(import.meta.url, "doubt-forgotten.lua", ["ledger-life.lua"]);

export function createHeldEffects(client: StoreClient, prefix: string, queue: string): HeldEffects {
  const held = new Map<string, { readonly claim: string; readonly reservation: HeldReservation }>();
  const doubts = doubtsKey(prefix, queue);
  const joined = joinedJobsKey(prefix, queue);
  return {
    hold: (claim, reservation) => void held.set(reservation.owner, { claim, reservation }),
    drop: (owner) => void held.delete(owner),
    async putInDoubt() {
      const written = [...held.values()].map(({ claim, reservation }) => {
        const { effect, owner, jobId, start, worker } = reservation;
        const keys = [ledgerKey(prefix, queue, claim), doubts, queueKey(prefix, queue, jobId), joined];
        return script.run(client, keys, [effect, owner, REASON, claim, jobId, start, worker]);
      });
      await Promise.all(written);
    },
  };
}
