import type { Database } from "./database.ts";
import { ROW_BYTES_MAX, TABLE } from "./table.ts";

/** A row that waits, locked by the transaction that read it. */
export interface ClaimedRow {
  readonly id: string;
  readonly type: string;
  /** Of its JSON. */
  readonly bytes: number;
  /** Then it comes without payload and options. */
  readonly is_too_large: boolean;
  /** How many rows were locked with it. */
  readonly found: number;
  /** JSON. */
  readonly payload: string | null;
  readonly idempotency_key: string;
  /** JSON. */
  readonly options: string | null;
  readonly ordering_key: string | null;
  /** How long it has waited, in milliseconds by the database's clock. */
  readonly age_ms: number;
}

/** What a statement reads of rows together, in bytes of JSON. */
export const BYTES_MAX = 1_048_576;

/** Of each row once (`OFFSET 0`), since PostgreSQL decompresses it for that; and of locked rows alone. Of one that is too large nothing is read. */
const measured = (locked: string) => `SELECT *, bytes > ${ROW_BYTES_MAX} AS is_too_large FROM (
    SELECT *, coalesce(octet_length(payload::text), 0) + coalesce(octet_length(options::text), 0) AS bytes
    FROM (${locked}) locked OFFSET 0) measured`;

/** Locked rows in the order of their ids, in each ordering key: as many as have `BYTES_MAX` together, and the first in any case. */
const fitting = (
  locked: string,
) => `SELECT id::text, type, bytes, is_too_large, found::int, idempotency_key, ordering_key,
    CASE WHEN NOT is_too_large THEN payload::text END AS payload,
    CASE WHEN NOT is_too_large THEN options::text END AS options,
    (extract(epoch FROM clock_timestamp() - changed_at) * 1000)::float8 AS age_ms
  FROM (SELECT *, count(*) OVER () AS found,
      sum(CASE WHEN is_too_large THEN 0 ELSE bytes END) OVER (ORDER BY ordering_key, id) AS so_far
    FROM (${measured(locked)}) measured) summed
  WHERE so_far <= ${BYTES_MAX} OR so_far = bytes
  ORDER BY summed.ordering_key, summed.id`;

const isCut = (rows: readonly ClaimedRow[]) => rows.length < (rows[0]?.found ?? 0);

const unordered = fitting(`SELECT * FROM ${TABLE}
  WHERE state = 'waiting' AND ordering_key IS NULL AND type <> ALL ($2)
  ORDER BY id LIMIT $1 FOR UPDATE SKIP LOCKED`);

/** Ordering keys of one look. Only the index is read for them. */
const HEADS_MAX = 1_024;

interface Head {
  readonly ordering_key: string;
  readonly id: string;
  /** By a parked row before it. */
  readonly is_blocked: boolean;
}

/** The first row of each ordering key, found by a jump in the index for each. */
const heads = `WITH RECURSIVE head AS (
    (SELECT ordering_key, id FROM ${TABLE} WHERE state = 'waiting' AND ordering_key > $1
      ORDER BY ordering_key, id LIMIT 1)
    UNION ALL
    SELECT next.* FROM head, LATERAL (
      SELECT ordering_key, id FROM ${TABLE} WHERE state = 'waiting' AND ordering_key > head.ordering_key
      ORDER BY ordering_key, id LIMIT 1) next
  ) SELECT ordering_key, id::text, EXISTS (SELECT 1 FROM ${TABLE} parked WHERE state = 'parked'
      AND parked.ordering_key = head.ordering_key AND parked.id < head.id) AS is_blocked
    FROM head LIMIT ${HEADS_MAX}`;

/** Whoever has locked the first row of a key submits for that key. A parked row stops those behind it. */
const lockHeads = fitting(`SELECT * FROM ${TABLE} head
  WHERE id = ANY ($1::bigint[]) AND state = 'waiting' AND type <> ALL ($2) AND NOT EXISTS (
    SELECT 1 FROM ${TABLE} before WHERE before.state IN ('waiting', 'parked')
      AND before.ordering_key = head.ordering_key AND before.id < head.id)
  FOR UPDATE SKIP LOCKED`);

const behind = fitting(`SELECT * FROM ${TABLE} next
  WHERE state = 'waiting' AND ordering_key = ANY ($2) AND id <> ALL ($3::bigint[]) AND NOT EXISTS (
    SELECT 1 FROM ${TABLE} parked
    WHERE parked.state = 'parked' AND parked.ordering_key = next.ordering_key AND parked.id < next.id)
  ORDER BY ordering_key, id LIMIT $1 FOR UPDATE`);

/**
 * @returns a function that locks at most about twice `limit` rows, none of the types to skip: chains of rows that must be submitted in
 *   order, each after the one before it was accepted; whether another look may find more, even if nothing was claimed; and whether it locked
 *   rows that it did not read
 */
export function createClaimer(database: Database) {
  // Ordering keys take turns: else the last of many would never be reached.
  let after = "";
  return async (skipped: readonly string[], limit: number) => {
    const single = await database.query<ClaimedRow>(unordered, [limit, skipped]);
    const found = await database.query<Head>(heads, [after]);
    const open = found.filter((head) => !head.is_blocked);
    const chosen = open.slice(0, limit);
    const { first, next } = await claimChains(database, chosen, skipped, limit);
    const seen = open.length > limit ? chosen : found.length === HEADS_MAX ? found : [];
    after = (isCut(first) ? first : seen).at(-1)?.ordering_key ?? "";
    const chains = new Map(first.map((row) => [row.ordering_key, [row]]));
    for (const row of next) chains.get(row.ordering_key)?.push(row);
    return {
      chains: [...single.map((row) => [row]), ...chains.values()],
      hasMore: single.length === limit || isCut(single) || after !== "",
      isCut: [single, first, next].some(isCut),
    };
  };
}

async function claimChains(
  database: Database,
  chosen: readonly Head[],
  skipped: readonly string[],
  limit: number,
) {
  if (chosen.length === 0) return { first: [], next: [] };
  const first = await database.query<ClaimedRow>(lockHeads, [chosen.map(({ id }) => id), skipped]);
  if (first.length === 0) return { first, next: [] };
  const [keys, ids] = [first.map((row) => row.ordering_key), first.map(({ id }) => id)];
  return { first, next: await database.query<ClaimedRow>(behind, [limit, keys, ids]) };
}
