import { batchByTurn } from "../service/batch-by-turn.ts";
import type { StoreClient } from "../store/client.ts";
import { type CountedReply, type Epoch, inEpoch, OTHER_EPOCH } from "../store/epoch.ts";
import { storeFull } from "../store/fault.ts";
import { claimKey, epochKey, queueKey } from "../store/keys.ts";
import { replicasMissing, type Written } from "../store/replicas.ts";
import { loadScript } from "../store/script.ts";

export interface KeyClaimerOptions {
  readonly prefix: string;
  readonly queue: string;
  readonly client: StoreClient;
  /** Shown to the store, which claims nothing when it has lost something. */
  readonly epoch: Epoch;
}

/** Claims keys in the slot of one queue for jobs of others. */
export interface KeyClaimer {
  /**
   * Claims a key, unless it is held. Asked for again by whoever holds it, it is held for at least `claimMs` more.
   *
   * @returns the id that the key is held for: the one asked for, or that of the first one
   * @throws HoldfastError `STORE_FULL`, `STORE_ROLLED_BACK`, and whatever the store answers
   */
  claim(claim: string, id: string, claimMs: number): Promise<string>;
  /** The id that a key is held for; null where nobody holds it. */
  holder(claim: string): Promise<string | null>;
  /** Whether the queue has this very job. */
  hasJob(id: string): Promise<boolean>;
  /** Gives a claim back, unless it is held for another id by now. */
  release(claim: string, id: string): Promise<void>;
}

const TOGETHER_MAX = 32;

const claimScript = loadScript(import.meta.url, "claim-keys.lua", ["has-room.lua"]);
const releaseScript = loadScript(import.meta.url, "release-claim.lua");

type ClaimArgs = readonly [claim: string, id: string, claimMs: number];
/** Null where the key is now held for the id that was asked for; 0 says that there was no room. */
type Holder = string | null | 0;

/** Claims that come within one turn of the event loop travel in one command. */
export function createKeyClaimer({ prefix, queue, client, epoch }: KeyClaimerOptions): KeyClaimer {
  const start = queueKey(prefix, queue, "");

  async function claimTogether(claims: readonly ClaimArgs[]): Promise<Holder[]> {
    const { result, isConfirmed } = await inEpoch(epoch, async (id, count) => {
      const args = [start, id, count, ...claims.flat()];
      const written = await epoch.write(claimScript, [epochKey(prefix, queue)], args);
      return written.reply === OTHER_EPOCH ? OTHER_EPOCH : counted(written);
    });
    if (!isConfirmed) throw replicasMissing();
    return result;
  }

  const claimOne = batchByTurn({ run: claimTogether, itemsMax: TOGETHER_MAX });
  return {
    async claim(claim, id, claimMs) {
      const holder = await claimOne([claim, id, claimMs]);
      if (holder === 0) throw storeFull();
      return holder ?? id;
    },
    holder: (claim) => client.get(claimKey(prefix, queue, claim)),
    hasJob: async (id) => (await client.exists(queueKey(prefix, queue, id))) > 0,
    async release(claim, id) {
      await releaseScript.run(client, [claimKey(prefix, queue, claim)], [id]);
    },
  };
}

/** The store's count stands behind the holders. */
function counted({ reply, isConfirmed }: Written): CountedReply<Holder[]> {
  const holders = reply as [...Holder[], number];
  return { count: Number(holders.at(-1)), result: holders.slice(0, -1) as Holder[], isConfirmed };
}
