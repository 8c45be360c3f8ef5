import { z } from "zod";
import type { QueueStore } from "../../core/bullmq/store/queue-store.ts";
import type { Database } from "../../features/outbox/database.ts";
import { TABLE } from "../../features/outbox/table.ts";
import { HoldfastError } from "../../platform/errors/holdfast-error.ts";
import { type Act, appendToAuditLog, storedReason } from "../audit/audit-log.ts";
import { depthOf, inOutbox, type OutboxDepth } from "./read-outbox.ts";

/** A row that cannot be accepted as it is. Its payload stays in the database. */
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
  }),
  behind: z.int().meta({ description: "Rows of its ordering key that wait behind it; counted up to 1,000." }),
});
export type ParkedRow = Readonly<z.output<typeof parkedRowSchema>>;

export const parkedQuerySchema = z.strictObject({
  code: z
    .string()
    .max(64)
    .optional()
    .meta({ description: "Only rows that were parked with this code.", examples: ["UNKNOWN_JOB_TYPE"] }),
  type: z
    .string()
    .max(64)
    .optional()
    .meta({ description: "Only rows of this job type.", examples: ["send-receipt"] }),
  after: z
    .string()
    .regex(/^\d{1,18}$/)
    .optional()
    .meta({ description: "Only rows with a higher id: the last of the page before.", examples: ["1042"] }),
  limit: z.coerce.number().int().min(1).max(200).default(50),
});
export type ParkedQuery = Readonly<z.output<typeof parkedQuerySchema>>;

export const mendingSchema = z.strictObject({
  type: z.string().max(64).optional(),
  payload: z.unknown().optional(),
  idempotencyKey: z.string().max(510).optional(),
  options: z.record(z.string(), z.unknown()).optional(),
});
/** What replaces a member of a row before it is released. */
export type Mending = Readonly<z.output<typeof mendingSchema>>;

/** What an operator can do with the outbox. All calls fail with `OUTBOX_NOT_FOUND`, `DATABASE_UNAVAILABLE` where there is none, or it is away. */
export interface OutboxOperator {
  depth(): Promise<OutboxDepth>;
  /** The oldest first. */
  parked(query: ParkedQuery): Promise<ParkedRow[]>;
  /**
   * Lets a relay submit a parked row, as new: its age counts from now.
   *
   * @throws HoldfastError `OUTBOX_ROW_NOT_FOUND`
   */
  release(id: string, mending: Mending, act: Act): Promise<void>;
  /** Releases all rows that were parked with a code. @returns how many */
  releaseAll(code: string, act: Act): Promise<number>;
  /** Deletes a parked row: its job will not exist, and the rows behind it go on. @throws HoldfastError `OUTBOX_ROW_NOT_FOUND` */
  discard(id: string, act: Act): Promise<void>;
}

const waiting = "state = 'waiting', changed_at = clock_timestamp(), problem = NULL";

const iso = (column: string) => `to_char(${column} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')`;

const parkedRows = `SELECT id::text, type, idempotency_key AS "idempotencyKey", ordering_key AS "orderingKey",
    ${iso("created_at")} AS "createdAt", ${iso("changed_at")} AS "parkedAt", problem,
    (SELECT count(*)::int FROM (SELECT 1 FROM ${TABLE} next WHERE next.state = 'waiting'
      AND next.ordering_key = parked.ordering_key AND next.id > parked.id LIMIT 1000) counted) AS behind
  FROM ${TABLE} parked
  WHERE state = 'parked' AND id > $1::bigint AND ($2::text IS NULL OR problem->>'code' = $2) AND ($3::text IS NULL OR type = $3)
  ORDER BY parked.id LIMIT $4`;

/** A member that is not mended stays. */
const releaseRow = `UPDATE ${TABLE} SET ${waiting}, type = coalesce($2, type), payload = coalesce($3::json, payload),
    idempotency_key = coalesce($4, idempotency_key), options = coalesce($5::json, options)
  WHERE id = $1::bigint AND state = 'parked' RETURNING id`;

const ID = /^\d{1,18}$/;

/** @param audit where acts are recorded */
export function openOutboxOperator(url: string | undefined, audit: QueueStore): OutboxOperator {
  const record = (as: string, what: string, { by, reason }: Act) =>
    appendToAuditLog(audit, {
      as,
      evidence: storedReason(audit, reason === undefined ? what : `${what}: ${reason}`),
      by,
    });
  const changeOne = async (id: string, change: (database: Database) => Promise<readonly unknown[]>) => {
    const changed = ID.test(id) ? await inOutbox(url, change) : [];
    if (changed.length === 0)
      throw new HoldfastError("OUTBOX_ROW_NOT_FOUND", `No row with this id is parked: ${id}`);
  };
  return {
    depth: () => inOutbox(url, depthOf),
    parked: async ({ after = "0", code, type, limit }) => {
      const values = [ID.test(after) ? after : "0", code ?? null, type ?? null, limit];
      return [...(await inOutbox(url, (database) => database.query<ParkedRow>(parkedRows, values)))];
    },
    async release(id, { type, payload, idempotencyKey, options }, act) {
      const json = [payload, options].map((value) => (value === undefined ? null : JSON.stringify(value)));
      const values = [id, type ?? null, json[0], idempotencyKey ?? null, json[1]];
      await record("outbox-released", `row ${id}`, act);
      await changeOne(
        id,
        async (database) => await woken(database, await database.query(releaseRow, values)),
      );
    },
    async releaseAll(code, act) {
      await record("outbox-released", `all rows parked with ${code}`, act);
      const released = await inOutbox(url, async (database) => {
        const statement = `UPDATE ${TABLE} SET ${waiting} WHERE state = 'parked' AND problem->>'code' = $1 RETURNING id`;
        return await woken(database, await database.query(statement, [code]));
      });
      return released.length;
    },
    async discard(id, act) {
      await record("outbox-discarded", `row ${id}`, act);
      await changeOne(id, async (database) => {
        const statement = `DELETE FROM ${TABLE} WHERE id = $1::bigint AND state = 'parked' RETURNING id`;
        return await woken(database, await database.query(statement, [id]));
      });
    },
  };
}

async function woken<Rows>(database: Database, changed: Rows): Promise<Rows> {
  await database.query(`SELECT pg_notify('${TABLE}', '')`);
  return changed;
}
