import { batchByTurn } from "../../../platform/lib/batch-by-turn.ts";
import { type CountedReply, inEpoch, OTHER_EPOCH } from "../../../platform/redis/fitness/epoch.ts";
import { redisFull } from "../../../platform/redis/redis-errors.ts";
import { loadScript } from "../../../platform/redis/script.ts";
import type { Written } from "../../../platform/redis/writers.ts";
import { LayoutChanged } from "../store/partitions.ts";
import type { QueueStore, WritableQueueStore } from "../store/queue-store.ts";

/** The deduplication keys of one queue, for jobs of other queues. */
export interface DedupKeys {
  /**
   * Claims a key for a job, unless another job has it. Claimed again for the same job, it is held at least as long as asked.
   *
   * @returns what has the key now, as `keyHolder` reads it
   * @throws HoldfastError `STORE_FULL`, `STORE_ROLLED_BACK`, and Redis's own errors
   * @throws LayoutChanged
   */
  claim(dedupKey: string, id: string, holdMs: number): Promise<string>;
  /** Returns what has a key, as `keyHolder` reads it; null where nothing has. */
  holder(dedupKey: string): Promise<string | null>;
  hasJob(id: string): Promise<boolean>;
  /** Releases a key, unless another job has it by now. */
  release(dedupKey: string, id: string): Promise<void>;
}

const TOGETHER_MAX = 32;

const claimScript = loadScript(import.meta.url, "set-dedup-keys.lua");
const releaseScript = loadScript(import.meta.url, "release-dedup-key.lua");

type ClaimArgs = readonly [dedupKey: string, id: string, holdMs: number];
/** Null where the job has the key now; 0 where there was no room. */
type Holder = string | null | 0;

/** Claims of one turn of the event loop travel in one command. */
export function openDedupKeys({ client, keys, epoch }: WritableQueueStore): DedupKeys {
  async function claimAll(claims: readonly ClaimArgs[]): Promise<Holder[]> {
    const { layout } = epoch;
    const { result, unconfirmed } = await inEpoch(epoch, async (id, count) => {
      if (epoch.layout !== layout) throw new LayoutChanged();
      const args = [keys.start, id, count, ...claims.flat()];
      const written = await epoch.write(claimScript, [keys.epoch], args);
      return written.reply === OTHER_EPOCH ? OTHER_EPOCH : counted(written);
    });
    if (unconfirmed !== undefined) throw unconfirmed;
    return result;
  }

  const claimOne = batchByTurn({ run: claimAll, itemsMax: TOGETHER_MAX });
  return {
    async claim(dedupKey, id, holdMs) {
      const holder = await claimOne([dedupKey, id, holdMs]);
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

/** Reads what has these keys, as `keyHolder` reads it; null where nothing has. */
export async function readHolders(
  { client, keys }: QueueStore,
  dedupKeys: readonly string[],
): Promise<(string | null)[]> {
  const pipeline = client.pipeline();
  for (const dedupKey of dedupKeys) pipeline.get(keys.dedupKey(dedupKey));
  const replies = (await pipeline.exec()) ?? [];
  return replies.map(([error, id]) => {
    if (error !== null) throw error;
    return id as string | null;
  });
}

/** The epoch's count follows the holders. */
function counted({ reply, unconfirmed }: Written): CountedReply<Holder[]> {
  const holders = reply as [...Holder[], number];
  return { count: Number(holders.at(-1)), result: holders.slice(0, -1) as Holder[], unconfirmed };
}
