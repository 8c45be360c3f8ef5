import type { QueueStore } from "../../core/bullmq/store/queue-store.ts";
import { integer, listOf, text, tuple } from "../../platform/redis/reply-shape.ts";
import { loadScript } from "../../platform/redis/script.ts";

/** Occupies Redis for about a millisecond. */
const SLICE = 250;
const LOOKED_AT_MAX = 10_000;
/** Within it the sweep repairs what a crash has left. */
const GRACE_MS = 20_000;

const texts = listOf(text);
const script = loadScript(import.meta.url, "stuck-doubts.lua", tuple(texts, texts, texts, integer));

/**
 * Finds doubts that are stuck: every job that says in doubt must be listed, every listed doubt resolvable, and no completed job may
 * have an open effect. Looks at the latest 10,000 of each.
 *
 * @param graceMs only at jobs that ended this long ago, in milliseconds @default 20000
 */
export async function findStuckDoubts({ client, keys }: QueueStore, graceMs = GRACE_MS) {
  const stuck = {
    /** Ids of failed jobs that say in doubt, and have nothing in doubt: nobody can resolve them. */
    unlisted: [] as string[],
    /** Listed doubts that cannot be resolved, as `<deduplication key>/<effect>`. */
    stale: [] as string[],
    /** Ids of completed jobs with an effect that is reserved or in doubt. */
    open: [] as string[],
  };
  for (let offset = 0; offset < LOOKED_AT_MAX; offset += SLICE) {
    const args = [keys.start, keys.ledgerStart, offset, SLICE, graceMs];
    const [unlisted, stale, open, hasMore] = await script.run(client, [keys.doubts], args);
    stuck.unlisted.push(...unlisted);
    stuck.stale.push(...stale);
    stuck.open.push(...open);
    if (hasMore === 0) break;
  }
  return stuck;
}
