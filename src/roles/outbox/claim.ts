import { HoldfastError } from "../../platform/errors/holdfast-error.ts";
import type { OutboxDatabase } from "./database.ts";
import { NAMES_BYTES_MAX, ROW_BYTES_MAX, TABLE } from "./table.ts";

/** A row that waits, locked by the transaction that read it. */
export interface ClaimedRow {
  readonly id: string;
  /** Empty where it is too large. */
  readonly type: string;
  /** Of its JSON; of what is stored of it, where that is too large already. */
  readonly bytes: number;
  /** Of type, key and ordering key together. */
  readonly name_bytes: number;
  /** Then it comes without payload, options and keys. */
  readonly is_too_large: boolean;
  /** PostgreSQL's code, where it cannot give the row. Then it comes without everything but its id. */
  readonly unreadable?: string;
  /** How many rows were locked with it. */
  readonly found: number;
  /** JSON. */
  readonly payload: string | null;
  readonly idempotency_key: string | null;
  /** JSON. */
  readonly options: string | null;
  readonly ordering_key: string | null;
  /** How long it has waited, in milliseconds by the database's clock. */
  readonly age_ms: number;
}

/** What a statement reads of rows together, in bytes. */
export const BYTES_MAX = 1_048_576;

/** What a statement measures of rows together, as stored: PostgreSQL compresses 255 times at most, and decompresses to measure. */
const STORED_MAX = 4 * BYTES_MAX;

/** Known without reading them. Of numbers that cannot overflow. */
const sized = (locked: string) => `SELECT *,
    octet_length(type)::bigint + octet_length(idempotency_key) + coalesce(octet_length(ordering_key), 0) AS name_bytes,
    coalesce(pg_column_size(payload), 0)::bigint + coalesce(pg_column_size(options), 0) AS stored
  FROM (${locked}) locked`;

/** Each row once (`OFFSET 0`), and only those that are few enough to be measured; the first in any case. */
const measured = (
  locked: string,
) => `SELECT *, bytes > ${ROW_BYTES_MAX} OR name_bytes > ${NAMES_BYTES_MAX} AS is_too_large FROM (
    SELECT *, CASE WHEN stored > ${ROW_BYTES_MAX} OR name_bytes > ${NAMES_BYTES_MAX} THEN stored
      ELSE coalesce(octet_length(payload::text), 0)::bigint + coalesce(octet_length(options::text), 0) END AS bytes
    FROM (SELECT *, count(*) OVER () AS found, sum(stored) OVER (ORDER BY ordering_key, id) AS stored_so_far
      FROM (${sized(locked)}) sized) counted
    WHERE stored_so_far <= ${STORED_MAX} OR stored_so_far = stored OFFSET 0) measured`;

/** What anybody can write there, `infinity` too, is no reason for the statement to fail. */
const AGE = `(extract(epoch FROM clock_timestamp() - least(greatest(changed_at, '1970-01-01Z'), '9999-12-31Z')) * 1000)::float8`;

const readable = (name: string) => `CASE WHEN octet_length(${name}) <= ${NAMES_BYTES_MAX} THEN ${name} END`;

/** Locked rows in the order of their ids, in each ordering key: as many as have `BYTES_MAX` together, and the first in any case. */
const fitting = (
  locked: string,
) => `SELECT id::text, bytes::float8, name_bytes::float8, is_too_large, found::int, ${AGE} AS age_ms,
    coalesce(${readable("type")}, '') AS type, ${readable("idempotency_key")} AS idempotency_key,
    ${readable("ordering_key")} AS ordering_key,
    CASE WHEN NOT is_too_large THEN payload::text END AS payload,
    CASE WHEN NOT is_too_large THEN options::text END AS options
  FROM (SELECT *, sum(CASE WHEN is_too_large THEN 0 ELSE bytes + name_bytes END) OVER (ORDER BY ordering_key, id) AS so_far
    FROM (${measured(locked)}) measured) summed
  WHERE so_far <= ${BYTES_MAX} OR so_far = bytes + name_bytes
  ORDER BY summed.ordering_key, summed.id`;

const isCut = (rows: readonly ClaimedRow[]) => rows.length < (rows[0]?.found ?? 0);

const alone = `SELECT * FROM ${TABLE}
  WHERE state = 'waiting' AND ordering_key IS NULL AND type <> ALL ($2)
  ORDER BY id LIMIT $1 FOR UPDATE SKIP LOCKED`;

/** Ordering keys of one look. Only the index is read for them. */
const HEADS_MAX = 1_024;

/** Where the look goes on. Of a key that is too large to be read, its row is remembered. */
interface Head {
  readonly ordering_key: string | null;
  readonly id: string;
}
interface FoundHead extends Head {
  /** By a parked row before it. */
  readonly is_blocked: boolean;
}
const START: Head = { ordering_key: "", id: "0" };

/** The first row of each ordering key, found by a jump in the index for each. @param key how it is read */
const heads = (key: string) => `WITH RECURSIVE head AS (
    (SELECT ordering_key, id FROM ${TABLE} WHERE state = 'waiting'
      AND ordering_key > coalesce($1, (SELECT ordering_key FROM ${TABLE} WHERE id = $2::bigint), '')
      ORDER BY ordering_key, id LIMIT 1)
    UNION ALL
    SELECT next.* FROM head, LATERAL (
      SELECT ordering_key, id FROM ${TABLE} WHERE state = 'waiting' AND ordering_key > head.ordering_key
      ORDER BY ordering_key, id LIMIT 1) next
  ) SELECT ${key} AS ordering_key, id::text, EXISTS (SELECT 1 FROM ${TABLE} parked WHERE state = 'parked'
      AND parked.ordering_key = head.ordering_key AND parked.id < head.id) AS is_blocked
    FROM head LIMIT ${HEADS_MAX}`;

/** Whoever has locked the first row of a key submits for that key. A parked row stops those behind it. */
const first = `SELECT * FROM ${TABLE} head
  WHERE id = ANY ($1::bigint[]) AND state = 'waiting' AND type <> ALL ($2) AND NOT EXISTS (
    SELECT 1 FROM ${TABLE} before WHERE before.state IN ('waiting', 'parked')
      AND before.ordering_key = head.ordering_key AND before.id < head.id)
  FOR UPDATE SKIP LOCKED`;

/** What somebody else has locked ends the chain of its key, and so does a parked row: the rest waits. */
const behind = fitting(`WITH chain AS MATERIALIZED (
    SELECT next.* FROM unnest($2::text[], $3::bigint[]) AS head (key, id), LATERAL (
      SELECT id, ordering_key FROM ${TABLE} WHERE state = 'waiting' AND ordering_key = head.key AND id > head.id
        AND id < coalesce((SELECT min(id) FROM ${TABLE} WHERE state = 'parked' AND ordering_key = head.key), ${2n ** 63n - 1n})
      ORDER BY id LIMIT $1) next
  ), locked AS (
    SELECT * FROM ${TABLE} WHERE id = ANY (ARRAY (SELECT id FROM chain)) AND state = 'waiting' FOR UPDATE SKIP LOCKED
  ), linked AS (
    SELECT chain.id, bool_and(locked.id IS NOT NULL) OVER (PARTITION BY chain.ordering_key ORDER BY chain.id) AS is_whole
    FROM chain LEFT JOIN locked USING (id, ordering_key)
  ) SELECT locked.* FROM locked JOIN linked USING (id) WHERE is_whole`);

const idsOf = (rows: string) => `SELECT id::text FROM (${rows}) found`;
const reading = { alone: fitting(alone), heads: heads(readable("ordering_key")), first: fitting(first) };
const locking = { alone: idsOf(alone), heads: heads("NULL::text"), first: idsOf(first) };
const oneRow = fitting(`SELECT * FROM ${TABLE} WHERE id = $1::bigint`);

/** What a transaction has locked. */
export interface LockedRows {
  /** Each row must be submitted after the one before it in its chain was accepted. */
  readonly chains: readonly (readonly ClaimedRow[])[];
  /** Whether another look may find more, even if nothing was claimed. */
  readonly hasMore: boolean;
  /** Whether it locked rows that it did not read. */
  readonly isCut: boolean;
}

/** Locks at most about twice `limit` rows, none of the types to skip. */
type FindRows = (skipped: readonly string[], limit: number) => Promise<LockedRows>;

/**
 * @returns `look`; and `lookAtEach`, for when it fails because of a row that PostgreSQL cannot give: that one reads each row by itself, and no
 *   row behind another
 */
export function createClaimer(database: OutboxDatabase): Record<"look" | "lookAtEach", FindRows> {
  // Ordering keys take turns: else the last of many would never be reached.
  let after = START;
  const chooseHeads = async (text: string, limit: number) => {
    const found = await database.query<FoundHead>(text, [after.ordering_key, after.id]);
    const open = found.filter((head) => !head.is_blocked);
    const chosen = open.slice(0, limit);
    after = (open.length > limit ? chosen : found.length === HEADS_MAX ? found : []).at(-1) ?? START;
    return chosen.map(({ id }) => id);
  };
  return {
    async look(skipped, limit) {
      const single = await database.query<ClaimedRow>(reading.alone, [limit, skipped]);
      const ids = await chooseHeads(reading.heads, limit);
      const headed = ids.length === 0 ? [] : await database.query<ClaimedRow>(reading.first, [ids, skipped]);
      if (isCut(headed)) after = headed.at(-1) ?? START;
      const next = await findBehind(database, headed, limit);
      return {
        chains: [...single.map((row) => [row]), ...chainsOf(headed, next)],
        hasMore: single.length === limit || isCut(single) || after !== START,
        isCut: [single, headed, next].some(isCut),
      };
    },
    async lookAtEach(skipped, limit) {
      const single = await database.query<Head>(locking.alone, [limit, skipped]);
      const ids = await chooseHeads(locking.heads, limit);
      const headed = await database.query<Head>(locking.first, [ids, skipped]);
      const rows: ClaimedRow[] = [];
      for (const { id } of [...single, ...headed]) rows.push(...(await readAlone(database, id)));
      const hasMore = single.length === limit || after !== START;
      return { chains: rows.map((row) => [row]), hasMore, isCut: false };
    },
  };
}

async function findBehind(
  database: OutboxDatabase,
  headed: readonly ClaimedRow[],
  limit: number,
): Promise<readonly ClaimedRow[]> {
  const heads = headed.filter((head) => head.ordering_key !== null && !head.is_too_large);
  if (heads.length === 0) return [];
  const keys = heads.map((head) => head.ordering_key);
  const each = Math.ceil(limit / heads.length);
  return await database.query<ClaimedRow>(behind, [each, keys, heads.map(({ id }) => id)]);
}

function chainsOf(headed: readonly ClaimedRow[], next: readonly ClaimedRow[]): ClaimedRow[][] {
  const chains = headed.map((head) => [head]);
  const ofKeys = new Map(chains.map((chain) => [chain[0]?.ordering_key ?? null, chain]));
  for (const row of next) ofKeys.get(row.ordering_key)?.push(row);
  return chains;
}

/** A row that cannot be read is known by its id alone. */
async function readAlone(database: OutboxDatabase, id: string): Promise<readonly ClaimedRow[]> {
  await database.query("SAVEPOINT row");
  try {
    return await database.query<ClaimedRow>(oneRow, [id]);
  } catch (error) {
    const unreadable = rowFault(error);
    if (unreadable === undefined) throw error;
    await database.query("ROLLBACK TO row");
    return [{ ...UNREAD, id, unreadable }];
  }
}

const UNREAD = {
  type: "",
  bytes: 0,
  name_bytes: 0,
  is_too_large: false,
  found: 1,
  payload: null,
  idempotency_key: null,
  options: null,
  ordering_key: null,
  age_ms: 0,
};

/** Of data that cannot be converted or are damaged, and of limits: memory, sizes, the statement's time. */
const OF_ROWS = /^(22|54|XX)|^(53200|57014)$/;

/** The code of an error that can be one row's fault. */
export function rowFault(error: unknown): string | undefined {
  const cause = error instanceof HoldfastError ? error.cause : undefined;
  const code = cause instanceof Error && "code" in cause ? String(cause.code) : "";
  return OF_ROWS.test(code) ? code : undefined;
}
