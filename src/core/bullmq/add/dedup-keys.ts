import { batchByTurn } from "../../../platform/lib/batch-by-turn.ts";
import { redisFull } from "../../../platform/redis/redis-errors.ts";
import { okReply } from "../../../platform/redis/reply-shape.ts";
import { loadScript } from "../../../platform/redis/script.ts";
import type { WritableQueueStore } from "../store/queue-store.ts";
import { answersOf, holderShape, writeInEpoch } from "./job-adder.ts";

const TOGETHER_MAX = 32;

const claimScript = loadScript(import.meta.url, "set-dedup-keys.lua", answersOf(holderShape));
const releaseScript = loadScript(import.meta.url, "release-dedup-key.lua", okReply);

type ClaimArgs = readonly [dedupKey: string, id: string, holdMs: number];

export type DedupKeys = ReturnType<typeof openDedupKeys>;

/** The deduplication keys of one queue, for jobs of other queues. Claims of one turn of the event loop travel in one command. */
export function openDedupKeys(store: WritableQueueStore) {
  const { client, keys } = store;
  const claimAll = (claims: readonly ClaimArgs[]) =>
    writeInEpoch(store, claimScript, [keys.epoch], (id, count) => [keys.start, id, count, ...claims.flat()]);
  const claimOne = batchByTurn({ run: claimAll, itemsMax: TOGETHER_MAX });
  return {
    /**
     * Claims a key for a job, unless another job has it. Claimed again for the same job, it is held at least as long as asked.
     *
     * @returns what has the key now, as `keyHolder` reads it
     * @throws HoldfastError `STORE_FULL`, `STORE_ROLLED_BACK`, and Redis's own errors
     * @throws LayoutChanged
     */
    async claim(dedupKey: string, id: string, holdMs: number): Promise<string> {
      const holder = await claimOne([dedupKey, id, holdMs]);
      if (holder === 0) throw redisFull();
      return holder ?? id;
    },
    /** Returns what has a key, as `keyHolder` reads it; null where nothing has. */
    holder: (dedupKey: string) => client.get(keys.dedupKey(dedupKey)),
    hasJob: async (id: string) => (await client.exists(keys.job(id))) > 0,
    /** Releases a key, unless another job has it by now. */
    async release(dedupKey: string, id: string) {
      await releaseScript.run(client, [keys.dedupKey(dedupKey)], [id]);
    },
  };
}
