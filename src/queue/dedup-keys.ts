import { batchByTurn } from "../lib/batch-by-turn.ts";
import { type CountedReply, inEpoch, OTHER_EPOCH } from "../redis/epoch.ts";
import { epochLua, memoryLua } from "../redis/includes.ts";
import { redisFull } from "../redis/redis-errors.ts";
import { replicasMissing, type Written } from "../redis/replicas.ts";
import { loadScript } from "../redis/script.ts";
import type { WritableQueueStore } from "./queue-store.ts";

/** Claims keys in the slot of one queue for jobs of others. */
export interface DedupKeys {
  /**
   * Claims a key, unless it is held. Asked for again by whoever holds it, it is held for at least `claimMs` more.
   *
   * @returns the id that the key is held for: the one asked for, or that of the first one
   * @throws HoldfastError `STORE_FULL`, `STORE_ROLLED_BACK`, and whatever the store answers
   */
  claim(dedupKey: string, id: string, dedupKeyMs: number): Promise<string>;
  /** The id that a key is held for; null where nobody holds it. */
  holder(dedupKey: string): Promise<string | null>;
  /** Whether the queue has this very job. */
  hasJob(id: string): Promise<boolean>;
  /** Gives a claim back, unless it is held for another id by now. */
  release(dedupKey: string, id: string): Promise<void>;
}

const TOGETHER_MAX = 32;

const claimScript = loadScript(import.meta.url, "set-dedup-keys.lua", epochLua, memoryLua);
const releaseScript = loadScript(import.meta.url, "release-dedup-key.lua");

type ClaimArgs = readonly [dedupKey: string, id: string, dedupKeyMs: number];
/** Null where the key is now held for the id that was asked for; 0 says that there was no room. */
type Holder = string | null | 0;

/** Claims that come within one turn of the event loop travel in one command. */
export function createKeyClaimer({ client, keys, epoch }: WritableQueueStore): DedupKeys {
  async function claimTogether(dedupKeys: readonly ClaimArgs[]): Promise<Holder[]> {
    const { result, isConfirmed } = await inEpoch(epoch, async (id, count) => {
      const args = [keys.start, id, count, ...dedupKeys.flat()];
      const written = await epoch.write(claimScript, [keys.epoch], args);
      return written.reply === OTHER_EPOCH ? OTHER_EPOCH : counted(written);
    });
    if (!isConfirmed) throw replicasMissing();
    return result;
  }

  const claimOne = batchByTurn({ run: claimTogether, itemsMax: TOGETHER_MAX });
  return {
    async claim(dedupKey, id, dedupKeyMs) {
      const holder = await claimOne([dedupKey, id, dedupKeyMs]);
      if (holder === 0) throw redisFull();
      return holder ?? id;
    },
    holder: (dedupKey) => client.get(keys.dedupKey(dedupKey)),
    hasJob: async (id) => (await client.exists(keys.job(id))) > 0,
    async release(dedupKey, id) {
      await releaseScript.run(client, [keys.dedupKey(dedupKey)], [id]);
    },
  };
}

/** The store's count stands behind the holders. */
function counted({ reply, isConfirmed }: Written): CountedReply<Holder[]> {
  const holders = reply as [...Holder[], number];
  return { count: Number(holders.at(-1)), result: holders.slice(0, -1) as Holder[], isConfirmed };
}
