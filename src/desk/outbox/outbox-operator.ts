import { z } from "zod";
import type { QueueStore } from "../../core/bullmq/store/queue-store.ts";
import { keyFault } from "../../core/job/idempotency-key.ts";
import { type Redaction, replaceAt, stepsOf } from "../../core/job/redaction.ts";
import { HoldfastError } from "../../platform/errors/holdfast-error.ts";
import { parseInput } from "../../platform/lib/parse-json.ts";
import type { OutboxDatabase } from "../../roles/outbox/database.ts";
import { CODE_OF_PROBLEM } from "../../roles/outbox/problem.ts";
import { NAMES_BYTES_MAX, TABLE } from "../../roles/outbox/table.ts";
import { type Act, onRecord, storedReason } from "../audit/audit-log.ts";
import { redact } from "../jobs/redact.ts";
import { inOutbox, type OutboxDepth, readDepth, readInOutbox } from "./read-outbox.ts";

/** A row that cannot be accepted as it is. */
export const parkedRowSchema = z.object({
  id: z.string(),
  type: z.string(),
  idempotencyKey: z.string(),
  orderingKey: z.string().nullable(),
  createdAt: z.iso.datetime(),
  parkedAt: z.iso.datetime(),
  problem: z.object({
    code: z.string(),
    message: z.string(),
    issues: z.array(z.object({ pointer: z.string(), message: z.string() })).optional(),
    isAgain: z
      .literal(true)
      .optional()
      .meta({ description: "It was parked before, and released: that did not help." }),
  }),
  payload: z.unknown().optional().meta({
    description:
      "Without what its type redacts. Absent for an unknown type, above 16 KiB, where something to redact is not in its place, and where there is none.",
  }),
  behind: z.int().meta({ description: "Rows of its ordering key that wait behind it; counted up to 1,000." }),
});
export type ParkedRow = Readonly<z.output<typeof parkedRowSchema>>;

/** As PostgreSQL can hold it. */
const text = z
  .string()
  .max(64)
  .refine((value) => !value.includes("\0"), "expected no NUL");

export const codeSchema = text.min(1);

export const parkedQuerySchema = z.strictObject({
  code: text
    .optional()
    .meta({ description: "Only rows that were parked with this code.", examples: ["UNKNOWN_JOB_TYPE"] }),
  type: text.optional().meta({ description: "Only rows of this job type.", examples: ["send-receipt"] }),
  after: z
    .string()
    .regex(/^\d{1,18}$/)
    .optional()
    .meta({ description: "Only rows with a higher id: the last of the page before.", examples: ["1042"] }),
  limit: z.coerce.number().int().min(1).max(200).default(50).meta({ description: "How many at most." }),
});
export type ParkedQuery = Readonly<z.output<typeof parkedQuerySchema>>;

export const mendingSchema = z.strictObject({
  type: text.optional(),
  payload: z.unknown().optional(),
  idempotencyKey: z
    .string()
    .max(510)
    .refine((key) => keyFault(key) === undefined, { error: ({ input }) => keyFault(String(input)) })
    .optional(),
  options: z.record(z.string(), z.unknown()).optional(),
});
/** What replaces a member of a row before it is released. */
export type Mending = Readonly<z.output<typeof mendingSchema>>;

interface RowsAct extends Act {
  /** Only rows that were parked until then, as somebody has seen them, ISO 8601. @default all */
  readonly parkedUntil?: string | undefined;
}

interface RowAct extends Act {
  /** When it was parked, as somebody has seen it, ISO 8601: if it was parked anew, nothing happens. @default whenever */
  readonly parkedAt?: string | undefined;
}

/**
 * What an operator can do with the outbox. All calls fail with `OUTBOX_NOT_FOUND`, `DATABASE_UNAVAILABLE` where there is none, or it is away;
 * with `INVALID_REQUEST` for what no row can have.
 */
export interface OutboxOperator {
  depth(): Promise<OutboxDepth>;
  /** The oldest first. */
  parked(query: ParkedQuery): Promise<ParkedRow[]>;
  /**
   * Lets a relay submit a parked row, as new: its age counts from now.
   *
   * @throws HoldfastError `OUTBOX_ROW_NOT_FOUND`, `CHANGED_MEANWHILE`
   */
  release(id: string, mending: Mending, act: RowAct): Promise<void>;
  /** Releases all rows that were parked with a code, 50,000 at a time: after a failure, call it again. @returns how many */
  releaseAll(code: string, act: Act): Promise<number>;
  /** Deletes a parked row: its job will not exist, and the rows behind it go on. @throws HoldfastError `OUTBOX_ROW_NOT_FOUND`, `CHANGED_MEANWHILE` */
  discard(id: string, act: RowAct): Promise<void>;
  /** Deletes all rows that were parked with a code, 50,000 at a time: after a failure, call it again. @returns how many */
  discardAll(code: string, act: RowsAct): Promise<number>;
}

/** Its problem stays: where it is parked again, that is said. */
const waiting = "state = 'waiting', changed_at = clock_timestamp()";

/** Other programs can have written `infinity`. */
const iso = (column: string) =>
  `to_char(least(greatest(${column}, '1970-01-01Z'), '9999-12-31Z') AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')`;

/** The beginning of a text that is too large to be listed, and its size; nothing of a row that PostgreSQL cannot give. */
const shown = (column: string) =>
  `CASE WHEN ${CODE_OF_PROBLEM} = 'OUTBOX_ROW_UNREADABLE' THEN '(unreadable)' WHEN octet_length(${column}) > ${NAMES_BYTES_MAX} THEN left(${column}, 100) || '... (' || octet_length(${column}) || ' bytes)' ELSE ${column} END`;

const PROBLEM_BYTES_MAX = 65_536;
/** Earlier versions kept problems of any size. */
const problem = `CASE WHEN octet_length(problem::text) <= ${PROBLEM_BYTES_MAX} THEN problem ELSE
    json_build_object('code', ${CODE_OF_PROBLEM}, 'message', left(problem::text, 1000)) END`;

const PAYLOAD_BYTES_MAX = 16_384;
/** What PostgreSQL cannot give is not read, nor what is large before it is read. */
const payload = `CASE WHEN ${CODE_OF_PROBLEM} NOT IN ('OUTBOX_ROW_UNREADABLE', 'OUTBOX_ROW_TOO_LARGE') THEN
    CASE WHEN pg_column_size(payload) <= ${PAYLOAD_BYTES_MAX} THEN
      CASE WHEN octet_length(payload::text) <= ${PAYLOAD_BYTES_MAX} THEN payload::text END END END`;

const parkedRows = `SELECT id::text, ${shown("type")} AS type, ${shown("idempotency_key")} AS "idempotencyKey", ${shown("ordering_key")} AS "orderingKey",
    ${iso("created_at")} AS "createdAt", ${iso("changed_at")} AS "parkedAt", ${problem} AS problem, ${payload} AS payload,
    (SELECT count(*)::int FROM (SELECT 1 FROM ${TABLE} next WHERE next.state = 'waiting'
      AND next.ordering_key = parked.ordering_key AND next.id > parked.id LIMIT 1000) counted) AS behind
  FROM ${TABLE} parked
  WHERE state = 'parked' AND id > $1::bigint AND ($2::text IS NULL OR ${CODE_OF_PROBLEM} = $2) AND ($3::text IS NULL OR type = $3)
  ORDER BY parked.id LIMIT $4`;

/** Whether a row was parked when somebody has seen it parked, to the millisecond, as it is shown. */
const parkedAs = (seen: string) => `(${seen}::text IS NULL OR ${iso("changed_at")} = ${seen})`;

/** A member that is not mended stays. */
const releaseRow = `UPDATE ${TABLE} SET ${waiting}, type = coalesce($2, type), payload = coalesce($3::json, payload),
    idempotency_key = coalesce($4, idempotency_key), options = coalesce($5::json, options)
  WHERE id = $1::bigint AND state = 'parked' AND ${parkedAs("$6")} RETURNING id`;

const isParked = `SELECT id FROM ${TABLE} WHERE id = $1::bigint AND state = 'parked'`;

const discardRow = `DELETE FROM ${TABLE} WHERE id = $1::bigint AND state = 'parked' AND ${parkedAs("$2")} RETURNING id`;

const AT_ONCE = 50_000;
/** In the order of ids: a row that a relay parks again meanwhile is not released again. What somebody else has locked stays. */
const releaseNext = `WITH next AS (SELECT id FROM ${TABLE} WHERE state = 'parked' AND id > $1::bigint AND ${CODE_OF_PROBLEM} = $2
    ORDER BY id LIMIT ${AT_ONCE} FOR UPDATE SKIP LOCKED),
  released AS (UPDATE ${TABLE} parked SET ${waiting} FROM next WHERE parked.id = next.id AND state = 'parked' RETURNING 1)
  SELECT (SELECT count(*)::int FROM released) AS count, (SELECT max(id)::text FROM next) AS last`;

const discardNext = `WITH next AS (SELECT id FROM ${TABLE} WHERE state = 'parked' AND id > $1::bigint AND ${CODE_OF_PROBLEM} = $2
      AND ($3::text IS NULL OR ${iso("changed_at")} <= $3)
    ORDER BY id LIMIT ${AT_ONCE} FOR UPDATE SKIP LOCKED),
  discarded AS (DELETE FROM ${TABLE} parked USING next WHERE parked.id = next.id AND state = 'parked' RETURNING 1)
  SELECT (SELECT count(*)::int FROM discarded) AS count, (SELECT max(id)::text FROM next) AS last`;

const ID = /^\d{1,18}$/;

type StoredRow = Omit<ParkedRow, "payload"> & { readonly payload: string | null };

/** A payload that does not fit may have its secrets elsewhere: where one is not in its place, nothing is shown. */
function asShown({ payload: json, ...row }: StoredRow, redaction: Redaction | undefined): ParkedRow {
  if (json === null || redaction === undefined) return row;
  const payload: unknown = JSON.parse(json);
  if (!redaction.payload.every((pointer) => isAt(payload, pointer))) return row;
  return { ...row, payload: redact(payload, redaction.payload) };
}

function isAt(value: unknown, pointer: string): boolean {
  let isFound = false;
  replaceAt(value, stepsOf(pointer), (found) => {
    isFound = true;
    return found;
  });
  return isFound;
}

/** @param audit where acts are recorded @param redactions of each known type */
export function openOutboxOperator(
  url: string | undefined,
  audit: QueueStore,
  redactions: ReadonlyMap<string, { readonly redact: Redaction }>,
): OutboxOperator {
  const recorded = <T>(as: string, what: string, { by, reason }: Act, act: () => Promise<T>) => {
    const evidence = storedReason(audit, reason === undefined ? what : `${what}: ${reason}`);
    return onRecord(audit, { as, evidence, by }, act);
  };
  const changeOne = (
    as: string,
    id: string,
    act: RowAct,
    statement: string,
    values: readonly unknown[] = [],
  ) =>
    recorded(as, `row ${id}`, act, async () => {
      const { parkedAt = null } = act;
      const change = async (database: OutboxDatabase) => {
        const found = await database.query(statement, [id, ...values, parkedAt]);
        const isAnew = found.length === 0 && (await database.query(isParked, [id])).length > 0;
        if (isAnew)
          throw new HoldfastError(
            "CHANGED_MEANWHILE",
            `Row ${id} was parked anew since you looked. Nothing was done`,
          );
        return await woken(database, found);
      };
      const changed = ID.test(id) ? await inOutbox(url, change) : [];
      if (changed.length === 0)
        throw new HoldfastError("OUTBOX_ROW_NOT_FOUND", `No row with this id is parked: ${id}`);
    });
  return {
    depth: () => readDepth(url),
    async parked({ limit, ...query }) {
      const { after = "0", code, type } = parseInput(parkedQuerySchema.omit({ limit: true }), query);
      const values = [after, code ?? null, type ?? null, limit];
      const rows = await readInOutbox(url, (database) => database.query<StoredRow>(parkedRows, values));
      return rows.map((row) => asShown(row, redactions.get(row.type)?.redact));
    },
    async release(id, mending, act) {
      await changeOne("outbox-released", id, act, releaseRow, mendedValues(mending));
    },
    async releaseAll(code, act) {
      parseInput(codeSchema, code);
      const release = () => inOutbox(url, (database) => changeAll(database, releaseNext, [code]));
      return await recorded("outbox-released", `all rows parked with ${code}`, act, release);
    },
    discard: (id, act) => changeOne("outbox-discarded", id, act, discardRow),
    async discardAll(code, act) {
      parseInput(codeSchema, code);
      const { parkedUntil = null } = act;
      const discard = () =>
        inOutbox(url, (database) => changeAll(database, discardNext, [code, parkedUntil]));
      const what = `all rows parked with ${code}${parkedUntil === null ? "" : ` until ${parkedUntil}`}`;
      return await recorded("outbox-discarded", what, act, discard);
    },
  };
}

function mendedValues(mending: Mending): unknown[] {
  const { type, payload, idempotencyKey, options } = parseInput(mendingSchema, mending);
  const json = [payload, options].map((value) => (value === undefined ? null : JSON.stringify(value)));
  return [type ?? null, json[0], idempotencyKey ?? null, json[1]];
}

async function changeAll(
  database: OutboxDatabase,
  next: string,
  values: readonly unknown[],
): Promise<number> {
  let changed = 0;
  let after: string | null = "0";
  while (after !== null) {
    const batches: readonly { readonly count: number; readonly last: string | null }[] = await database.query(
      next,
      [after, ...values],
    );
    await woken(database, batches);
    changed += batches[0]?.count ?? 0;
    after = batches[0]?.last ?? null;
  }
  return changed;
}

async function woken<Rows>(database: OutboxDatabase, changed: Rows): Promise<Rows> {
  await database.query(`SELECT pg_notify('${TABLE}', '')`);
  return changed;
}
