import { loadScript } from "../../../platform/redis/script.ts";
import type { QueueStore } from "../../bullmq/store/queue-store.ts";
import type { StoredEffect } from "./ledger-texts.ts";

/** A reservation of this process, for whose effect Redis has no outcome yet. */
export interface UnreportedEffect extends StoredEffect {
  readonly reservationId: string;
  readonly jobId: string;
  readonly delivery: number;
}

/**
 * The effects of one queue that this process has reserved and not reported yet. If Redis loses data, nobody else knows that
 * they may have happened.
 */
export interface UnreportedEffects {
  add(effect: UnreportedEffect): void;
  /** Redis knows how it ended. */
  remove(reservationId: string): void;
  /** Puts each of them in doubt, unless its ledger knows more. */
  putInDoubt(): Promise<void>;
}

const REASON = "Redis lost its reservation while its worker was in the middle";

const script = loadScript(import.meta.url, "doubt-forgotten.lua");

export function createUnreportedEffects({ client, keys }: QueueStore, worker: string): UnreportedEffects {
  const effects = new Map<string, UnreportedEffect>();

  async function putOneInDoubt(effect: UnreportedEffect): Promise<void> {
    const { dedupKey, name, reservationId, jobId, delivery } = effect;
    const used = [keys.ledger(dedupKey), keys.doubts, keys.joinedJobs];
    const args = [name, reservationId, REASON, dedupKey, jobId, delivery, worker, keys.start];
    await script.run(client, used, args);
  }

  return {
    add: (effect) => void effects.set(effect.reservationId, effect),
    remove: (reservationId) => void effects.delete(reservationId),
    async putInDoubt() {
      await Promise.all([...effects.values()].map(putOneInDoubt));
    },
  };
}
