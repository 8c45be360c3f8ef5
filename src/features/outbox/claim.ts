import type { Database } from "./database.ts";
import { TABLE } from "./table.ts";

/** A row that waits, locked by the transaction that read it. */
export interface ClaimedRow {
  readonly id: string;
  readonly type: string;
  /** JSON. */
  readonly payload: string | null;
  readonly idempotency_key: string;
  /** JSON. */
  readonly options: string | null;
  readonly ordering_key: string | null;
  /** How long it has waited, in milliseconds by the database's clock. */
  readonly age_ms: number;
}

const columns = `id::text, type, payload::text, idempotency_key, options::text, ordering_key,
  (extract(epoch FROM clock_timestamp() - changed_at) * 1000)::float8 AS age_ms`;

// A bare `id` in `ORDER BY` would be the text that is selected.
const unordered = `SELECT ${columns} FROM ${TABLE} next
  WHERE state = 'waiting' AND ordering_key IS NULL AND type <> ALL ($2)
  ORDER BY next.id LIMIT $1 FOR UPDATE SKIP LOCKED`;

/** The first row of each ordering key, found by a jump in the index for each. */
const heads = `WITH RECURSIVE head AS (
    (SELECT ordering_key, id FROM ${TABLE} WHERE state = 'waiting' AND ordering_key > $2
      ORDER BY ordering_key, id LIMIT 1)
    UNION ALL
    SELECT next.* FROM head, LATERAL (
      SELECT ordering_key, id FROM ${TABLE} WHERE state = 'waiting' AND ordering_key > head.ordering_key
      ORDER BY ordering_key, id LIMIT 1) next
  ) SELECT ordering_key, id::text FROM head LIMIT $1`;

/** Whoever has locked the first row of a key submits for that key. A parked row stops those behind it. */
const lockHeads = `SELECT ${columns} FROM ${TABLE} head
  WHERE id = ANY ($1::bigint[]) AND state = 'waiting' AND type <> ALL ($2) AND NOT EXISTS (
    SELECT 1 FROM ${TABLE} before WHERE before.state IN ('waiting', 'parked')
      AND before.ordering_key = head.ordering_key AND before.id < head.id)
  FOR UPDATE SKIP LOCKED`;

const behind = `SELECT ${columns} FROM ${TABLE} next
  WHERE state = 'waiting' AND ordering_key = ANY ($2) AND id <> ALL ($3::bigint[]) AND NOT EXISTS (
    SELECT 1 FROM ${TABLE} parked
    WHERE parked.state = 'parked' AND parked.ordering_key = next.ordering_key AND parked.id < next.id)
  ORDER BY next.ordering_key, next.id LIMIT $1 FOR UPDATE`;

/**
 * @returns a function that reads and locks at most about twice `limit` rows, none of the types to skip: chains of rows that must be
 *   submitted in order, each after the one before it was accepted; and whether another look may find more, even if nothing was claimed
 */
export function createClaimer(database: Database) {
  // Ordering keys take turns: else the last of many would never be reached.
  let after = "";
  return async (skipped: readonly string[], limit: number) => {
    const single = await database.query<ClaimedRow>(unordered, [limit, skipped]);
    const found = await database.query<{ ordering_key: string; id: string }>(heads, [limit, after]);
    after = found.length < limit ? "" : (found.at(-1)?.ordering_key ?? "");
    const chains = found.length === 0 ? [] : await claimChains(database, found, skipped, limit);
    const hasMore = single.length === limit || found.length === limit;
    return { chains: [...single.map((row) => [row]), ...chains], hasMore };
  };
}

async function claimChains(
  database: Database,
  found: readonly { readonly id: string }[],
  skipped: readonly string[],
  limit: number,
): Promise<ClaimedRow[][]> {
  const first = await database.query<ClaimedRow>(lockHeads, [found.map(({ id }) => id), skipped]);
  if (first.length === 0) return [];
  const chains = new Map(first.map((row) => [row.ordering_key, [row]]));
  const ids = first.map(({ id }) => id);
  const next = await database.query<ClaimedRow>(behind, [limit, [...chains.keys()], ids]);
  for (const row of next) chains.get(row.ordering_key)?.push(row);
  return [...chains.values()];
}
